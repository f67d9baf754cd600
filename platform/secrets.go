package platform

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// Secrets are the stage's secrets as SSM parameters of type SecureString: encrypted with the
// account's key, free, and gone at once when destroyed.
type Secrets struct {
	pulumi.ResourceState
	// Path is the folder of the parameters, such as /shoplab/stage2. A secret's name in it is the
	// environment variable's.
	Path string
	// ARNs of the parameters by name.
	ARNs map[string]pulumi.StringOutput
	// Pinned are the names of the parameters with their versions, as Parameter Store takes them, joined by commas.
	Pinned pulumi.StringOutput
	// Folder is the ARN of Path, for policies.
	Folder pulumi.StringOutput
	// Values by name, all of them secret outputs.
	Values map[string]pulumi.StringOutput
}

// SecretsArgs are the arguments of NewSecrets.
type SecretsArgs struct {
	Config Config
	// Values are secrets of other components, by the name of the environment variable. They may be none.
	Values map[string]pulumi.StringOutput
}

// NewSecrets stores the given secrets and those of ownSecrets.
func NewSecrets(ctx *pulumi.Context, name string, args SecretsArgs, opts ...pulumi.ResourceOption) (*Secrets, error) {
	s := &Secrets{
		Path: "/shoplab/" + args.Config.Stack, ARNs: map[string]pulumi.StringOutput{}, Values: maps.Clone(args.Values),
	}
	if s.Values == nil {
		s.Values = map[string]pulumi.StringOutput{}
	}
	if err := ctx.RegisterComponentResource("shoplab:platform:Secrets", name, s, opts...); err != nil {
		return nil, err
	}
	own, err := ownSecrets(ctx, name, args.Config, s)
	if err != nil {
		return nil, err
	}
	maps.Copy(s.Values, own)
	var pinned pulumi.StringArray
	for _, key := range slices.Sorted(maps.Keys(s.Values)) {
		parameter, err := ssm.NewParameter(ctx, fmt.Sprintf("%s-%s", name, key), &ssm.ParameterArgs{
			Name: pulumi.String(s.Path + "/" + key), Type: pulumi.String("SecureString"), Value: s.Values[key],
		}, child(s)...)
		if err != nil {
			return nil, err
		}
		s.ARNs[key] = parameter.Arn
		pinned = append(pinned, pulumi.Sprintf("%s/%s:%d", s.Path, key, parameter.Version))
		s.Folder = parameter.Arn.ApplyT(func(arn string) string {
			return strings.TrimSuffix(arn, "/"+key)
		}).(pulumi.StringOutput)
	}
	s.Pinned = pinned.ToStringArrayOutput().ApplyT(func(names []string) string {
		return strings.Join(names, ",")
	}).(pulumi.StringOutput)
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"path": pulumi.String(s.Path)})
}

// ownSecrets are the service's secrets that no other component makes: SESSION_KEY, which is made
// here, and the Stripe keys, if any.
func ownSecrets(
	ctx *pulumi.Context, name string, c Config, parent pulumi.Resource,
) (map[string]pulumi.StringOutput, error) {
	session, err := sessionKeys(ctx, name, c, parent)
	if err != nil {
		return nil, err
	}
	values := map[string]pulumi.StringOutput{contract.EnvSessionKey: session}
	if c.Payments == contract.PaymentsStripe {
		values[contract.EnvStripeSecretKey] = secret(c.StripeSecretKey)
		if c.StripeWebhookSecret != "" { // known only after the URL is
			values[contract.EnvStripeWebhookSecret] = secret(c.StripeWebhookSecret)
		}
	}
	return values, nil
}

// sessionKeys is the key of shoplab:sessionKeyVersion, which signs, and that of the version before it, whose
// sessions go on.
func sessionKeys(ctx *pulumi.Context, name string, c Config, parent pulumi.Resource) (pulumi.StringOutput, error) {
	var keys pulumi.StringArray
	for version := c.SessionKeyVersion; version > max(0, c.SessionKeyVersion-2); version-- {
		resource := name + "-session-key"
		if version > 1 {
			resource += "-" + strconv.Itoa(version)
		}
		key, err := random.NewRandomPassword(ctx, resource, &random.RandomPasswordArgs{
			Length: pulumi.Int(64), Special: pulumi.Bool(false),
		}, child(parent)...)
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		keys = append(keys, key.Result)
	}
	return keys.ToStringArrayOutput().ApplyT(func(keys []string) string {
		return strings.Join(keys, ",")
	}).(pulumi.StringOutput), nil
}

// Folders is what a server's role may read.
func (s *Secrets) Folders() []pulumi.StringInput { return []pulumi.StringInput{s.Folder} }

// Env are the names of the secrets that the service of a server reads: not the origin secret, which nginx compares
// there.
func (s *Secrets) Env() []string {
	return slices.DeleteFunc(slices.Clone(contract.SecretEnv), func(name string) bool {
		_, ok := s.Values[name]
		return !ok || name == contract.EnvOriginSecret
	})
}

func secret(value string) pulumi.StringOutput {
	return pulumi.ToSecret(pulumi.String(value)).(pulumi.StringOutput)
}
