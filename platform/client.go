package platform

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"golang.org/x/net/http/httpproxy"
)

// clientConfig is how the program itself asks AWS: in the account and region, and with the credentials, of the
// stack's default provider, whose settings it gets.
func clientConfig(ctx context.Context, own map[string]string) (aws.Config, error) {
	s := clientSettings{own: own}
	options := s.options()
	if len(s.problems) > 0 {
		return aws.Config{}, errors.Join(s.problems...)
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return c, fmt.Errorf("configure AWS: %w", err)
	}
	var named []endpoints
	s.read("endpoints", &named)
	for _, e := range named {
		c.ConfigSources = append([]any{e}, c.ConfigSources...)
	}
	return c, s.assume(&c)
}

// clientSettings turns the provider's settings into those of AWS's SDK.
type clientSettings struct {
	own      map[string]string
	problems []error
}

// read decodes a setting that is not text; a setting that is not there leaves the value as it is.
func (s *clientSettings) read(name string, into any) {
	if text := s.own[name]; text != "" {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			s.problems = append(s.problems, fmt.Errorf("aws:%s is %q: %w", name, text, err))
		}
	}
}

func (s *clientSettings) options() (options []func(*config.LoadOptions) error) {
	add := func(o config.LoadOptionsFunc) { options = append(options, o) }
	own := s.own
	if own["region"] != "" {
		add(config.WithRegion(own["region"]))
	}
	if own["profile"] != "" {
		add(config.WithSharedConfigProfile(own["profile"]))
	}
	if own["accessKey"] != "" {
		add(config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(own["accessKey"], own["secretKey"], own["token"])))
	}
	var files []string
	if s.read("sharedConfigFiles", &files); len(files) > 0 {
		add(config.WithSharedConfigFiles(files))
	}
	files = nil
	if s.read("sharedCredentialsFiles", &files); len(files) > 0 {
		add(config.WithSharedCredentialsFiles(files))
	}
	attempts := 25 // the provider's default
	if n, err := strconv.Atoi(own["maxRetries"]); err == nil {
		attempts = max(n, 1) // 0 would be the SDK's own number
	}
	add(config.WithRetryMaxAttempts(attempts))
	if own["retryMode"] != "" {
		add(config.WithRetryMode(aws.RetryMode(own["retryMode"])))
	}
	if own["useFipsEndpoint"] == "true" {
		add(config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	if own["useDualstackEndpoint"] == "true" {
		add(config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	}
	if own["ec2MetadataServiceEndpoint"] != "" {
		add(config.WithEC2IMDSEndpoint(own["ec2MetadataServiceEndpoint"]))
	}
	if text := own["ec2MetadataServiceEndpointMode"]; text != "" {
		var mode imds.EndpointModeState
		if err := mode.SetFromString(text); err != nil {
			s.problems = append(s.problems, fmt.Errorf("aws:ec2MetadataServiceEndpointMode: %w", err))
		}
		add(config.WithEC2IMDSEndpointMode(mode))
	}
	if name := own["customCaBundle"]; name != "" {
		if bundle, err := os.Open(name); err != nil {
			s.problems = append(s.problems, fmt.Errorf("aws:customCaBundle: %w", err))
		} else {
			add(config.WithCustomCABundle(bundle)) // read when the configuration is loaded
		}
	}
	add(config.WithHTTPClient(s.transport()))
	return options
}

// transport is the HTTP client with the proxies that the settings or the environment name.
func (s *clientSettings) transport() *awshttp.BuildableClient {
	proxies := httpproxy.FromEnvironment()
	proxies.HTTPProxy = cmp.Or(s.own["httpProxy"], proxies.HTTPProxy)
	proxies.HTTPSProxy = cmp.Or(s.own["httpsProxy"], s.own["httpProxy"], proxies.HTTPSProxy)
	proxies.NoProxy = cmp.Or(s.own["noProxy"], proxies.NoProxy)
	proxy := proxies.ProxyFunc()
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
		if s.own["insecure"] == "true" {
			t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the stack asks for it by name
		}
	})
}

// endpoints are the addresses of services that the settings name, where AWS's SDK looks for one.
type endpoints map[string]string

// GetServiceBaseEndpoint is the address of a service by the SDK's name for it, such as Auto Scaling.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	address := e[strings.ToLower(strings.ReplaceAll(service, " ", ""))]
	return address, address != "", nil
}

// role is a role to assume, as the settings aws:assumeRole, an element of aws:assumeRoles, and
// aws:assumeRoleWithWebIdentity have it.
type role struct {
	RoleARN              string `json:"roleArn"`
	SessionName          string
	ExternalID           string `json:"externalId"`
	Duration             string
	Policy               string
	PolicyARNs           []string `json:"policyArns"`
	SourceIdentity       string
	Tags                 map[string]string
	TransitiveTagKeys    []string
	WebIdentityToken     string
	WebIdentityTokenFile string
}

// assume makes the configuration act in the roles that the settings name, each from the one before.
func (s *clientSettings) assume(c *aws.Config) error {
	var web, one role
	var roles []role
	s.read("assumeRoleWithWebIdentity", &web)
	s.read("assumeRole", &one)
	s.read("assumeRoles", &roles)
	if len(s.problems) > 0 {
		return errors.Join(s.problems...)
	}
	if one.RoleARN != "" {
		roles = append(roles, one)
	}
	client := func() *sts.Client {
		return sts.NewFromConfig(*c, func(o *sts.Options) {
			o.Region = cmp.Or(s.own["stsRegion"], o.Region)
		})
	}
	if web.RoleARN != "" {
		duration, err := web.duration()
		if err != nil {
			return err
		}
		c.Credentials = aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(client(), web.RoleARN, web,
			func(o *stscreds.WebIdentityRoleOptions) {
				o.RoleSessionName, o.Duration = web.SessionName, duration
				o.Policy, o.PolicyARNs = optional(web.Policy), web.policies()
			}))
	}
	for _, r := range roles {
		duration, err := r.duration()
		if err != nil {
			return err
		}
		c.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client(), r.RoleARN,
			func(o *stscreds.AssumeRoleOptions) {
				o.RoleSessionName, o.ExternalID, o.Duration = r.SessionName, optional(r.ExternalID), cmp.Or(duration, o.Duration)
				o.Policy, o.PolicyARNs, o.SourceIdentity = optional(r.Policy), r.policies(), optional(r.SourceIdentity)
				o.TransitiveTagKeys = r.TransitiveTagKeys
				for _, key := range names(r.Tags) {
					o.Tags = append(o.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
				}
			}))
	}
	return nil
}

// GetIdentityToken is the token of a web identity.
func (r role) GetIdentityToken() ([]byte, error) {
	if r.WebIdentityToken != "" {
		return []byte(r.WebIdentityToken), nil
	}
	return stscreds.IdentityTokenFile(r.WebIdentityTokenFile).GetIdentityToken()
}

func (r role) duration() (time.Duration, error) {
	if r.Duration == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(strings.ReplaceAll(r.Duration, " ", ""))
	if err != nil {
		return 0, fmt.Errorf("the duration of the role %s: %w", r.RoleARN, err)
	}
	return d, nil
}

func (r role) policies() (all []types.PolicyDescriptorType) {
	for _, arn := range r.PolicyARNs {
		all = append(all, types.PolicyDescriptorType{Arn: aws.String(arn)})
	}
	return all
}

// optional is nil for the empty string.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
