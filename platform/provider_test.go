package platform

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// settingsOf is a value for every setting that a provider's SDK knows, by its name, each another.
func settingsOf[Args any]() map[string]string {
	all := map[string]string{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Args]()) {
		name := strings.ToLower(field.Name[:1]) + field.Name[1:]
		all[name] = `{"a":"` + name + `"}`
	}
	return all
}

// TestExplicitProvidersAreLikeTheDefault sets everything that a provider takes: an explicit one has to get it too,
// but for what it is there for.
func TestExplicitProvidersAreLikeTheDefault(t *testing.T) {
	for _, test := range []struct {
		namespace string
		settings  map[string]string
		own       []string // what the explicit provider says itself, or leaves to no setting
		make      func(*pulumi.Context, pulumi.Resource) error
	}{
		{"aws", settingsOf[aws.ProviderArgs](), []string{"region"}, func(ctx *pulumi.Context, parent pulumi.Resource) error {
			_, err := newRegion(ctx, "virginia", "us-east-1", parent)
			return err
		}},
		{
			"kubernetes", settingsOf[kubernetes.ProviderArgs](),
			[]string{"kubeconfig", "context", "cluster", "clusterIdentifier", "enableServerSideApply"},
			func(ctx *pulumi.Context, parent pulumi.Resource) error {
				_, err := newKubernetes(ctx, "cluster", pulumi.String("{}"), nil, parent)
				return err
			},
		},
	} {
		t.Run(test.namespace, func(t *testing.T) {
			config := map[string]string{}
			for name, value := range test.settings {
				config[test.namespace+":"+name] = value
			}
			setConfig(t, config)
			t.Setenv(pulumi.EnvConfigSecretKeys, `["aws:secretKey","aws:defaultTags","kubernetes:namespace"]`)
			r := &recorder{}
			if err := runProgram(t, "stage1", r, func(ctx *pulumi.Context) error {
				parent := &Edge{}
				if err := ctx.RegisterComponentResource("shoplab:platform:Edge", "edge", parent); err != nil {
					return err
				}
				return test.make(ctx, parent)
			}); err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(r.resources, func(res registered) bool {
				return res.Type == "pulumi:providers:"+test.namespace
			})
			got := r.resources[i].Inputs
			for name, value := range test.settings {
				has := got[resource.PropertyKey(name)]
				if ours := slices.Contains(test.own, name); ours == (textAt(got, resource.PropertyKey(name)) == value) {
					t.Errorf("%s is %v; the stack says %s", name, has, value)
				}
			}
			for _, name := range []string{"secretKey", "defaultTags", "namespace"} {
				if has, ok := got[resource.PropertyKey(name)]; ok && !has.IsSecret() {
					t.Errorf("the secret setting %s is in the clear: %v", name, has)
				}
			}
		})
	}
}

// TestClientKnowsEverySetting: whatever setting of the provider decides who asks AWS, where and how, the program's
// own client takes. What it need not take is named here, so that a new setting is seen.
func TestClientKnowsEverySetting(t *testing.T) {
	taken := []string{
		"region", "profile", "accessKey", "secretKey", "token", "sharedConfigFiles", "sharedCredentialsFiles", "maxRetries",
		"retryMode",
		"useFipsEndpoint", "useDualstackEndpoint", "ec2MetadataServiceEndpoint", "ec2MetadataServiceEndpointMode",
		"customCaBundle",
		"httpProxy", "httpsProxy", "noProxy", "insecure", "endpoints", "stsRegion", "assumeRole", "assumeRoleWithWebIdentity",
	}
	// The provider has checked accounts and credentials before anything is rolled out; it alone tags, and uses S3.
	left := []string{
		"allowedAccountIds", "forbiddenAccountIds", "defaultTags", "ignoreTags", "s3UsEast1RegionalEndpoint",
		"s3UsePathStyle",
		"tokenBucketRateLimiterCapacity", "skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation",
		"skipRequestingAccountId",
	}
	for name := range settingsOf[aws.ProviderArgs]() {
		if !slices.Contains(taken, name) && !slices.Contains(left, name) {
			t.Errorf("nobody has decided whether the client takes aws:%s", name)
		}
	}
}

// TestClientAsksAsTheProvider holds the client's configuration against the stack's settings.
func TestClientAsksAsTheProvider(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("AWS_PROFILE", "")
	c, err := clientConfig(t.Context(), map[string]string{
		"region": "eu-central-1", "accessKey": "AKIAEXAMPLE", "secretKey": mockSecret, "token": "t", "maxRetries": "3",
		"endpoints": `[{"ecs":"http://127.0.0.1:1"},{"autoscaling":"http://127.0.0.1:2"}]`,
	})
	if err != nil {
		t.Fatal(err)
	}
	who, err := c.Credentials.Retrieve(t.Context())
	if err != nil || who.AccessKeyID != "AKIAEXAMPLE" || who.SecretAccessKey != mockSecret || who.SessionToken != "t" {
		t.Errorf("asks as %s (%v)", who.AccessKeyID, err)
	}
	if c.Region != "eu-central-1" || c.RetryMaxAttempts != 3 {
		t.Errorf("region %s, %d attempts", c.Region, c.RetryMaxAttempts)
	}
	for service, want := range map[string]string{"ECS": "http://127.0.0.1:1", "Auto Scaling": "http://127.0.0.1:2"} {
		if got := baseEndpoint(t, c.ConfigSources, service); got != want {
			t.Errorf("%s is at %q, want %s", service, got, want)
		}
	}
	for name, value := range map[string]string{
		"assumeRole": `{"roleArn":"arn:aws:iam::1:role/a","duration":"soon"}`, "endpoints": "nowhere",
		"customCaBundle": "/nonexistent",
	} {
		if _, err := clientConfig(t.Context(), map[string]string{"region": "us-east-1", name: value}); err == nil {
			t.Errorf("aws:%s %s is taken", name, value)
		}
	}
}

func baseEndpoint(t *testing.T, sources []any, service string) string {
	t.Helper()
	for _, source := range sources {
		if e, ok := source.(endpoints); ok {
			if address, found, err := e.GetServiceBaseEndpoint(t.Context(), service); found && err == nil {
				return address
			}
		}
	}
	return ""
}
