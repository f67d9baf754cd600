package platform

import (
	"maps"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

const (
	// functionTimeout is how long one event may take in seconds. The service gives up a request after 10 s; the rest is
	// for a cold start.
	functionTimeout = 20
	// liveAlias is the alias that requests and schedules invoke.
	liveAlias = "live"
)

// Function is the service as a Lambda function in the private subnets.
type Function struct {
	pulumi.ResourceState
	Function *lambda.Function
	// Alias names the version that serves.
	Alias *lambda.Alias
}

// FunctionArgs are the arguments of NewFunction.
type FunctionArgs struct {
	Config  Config
	Network *Network
	Secrets *Secrets
	Image   *Image
	URL     pulumi.StringOutput // what a shopper opens
	Env     map[string]string
}

// NewFunction makes the function. A new version is tried before the alias names it: it opens the shop and does a
// round of background work; if it cannot, up fails and the version before it goes on serving.
func NewFunction(
	ctx *pulumi.Context, name string, args FunctionArgs, opts ...pulumi.ResourceOption,
) (*Function, error) {
	f := &Function{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Function", name, f, opts...); err != nil {
		return nil, err
	}
	c := args.Config
	logs, err := c.newLogGroup(ctx, name, f)
	if err != nil {
		return nil, err
	}
	if err := f.function(ctx, name, args, logs); err != nil {
		return nil, err
	}
	tried, err := lambda.NewInvocation(ctx, name+"-trial", &lambda.InvocationArgs{
		FunctionName: f.Function.Name, Qualifier: f.Function.Version, Input: pulumi.String(contract.BackgroundEvent),
	}, child(f)...)
	if err != nil {
		return nil, err
	}
	f.Alias, err = lambda.NewAlias(ctx, name+"-live", &lambda.AliasArgs{
		Name: pulumi.String(liveAlias), FunctionName: f.Function.Arn, FunctionVersion: f.Function.Version,
	}, child(f, pulumi.DependsOn([]pulumi.Resource{tried}))...)
	if err != nil {
		return nil, err
	}
	// What the schedule has sent and Lambda cannot run now comes again with the next minute.
	if _, err := lambda.NewFunctionEventInvokeConfig(ctx, name+"-events", &lambda.FunctionEventInvokeConfigArgs{
		FunctionName: f.Function.Name, Qualifier: f.Alias.Name,
		MaximumEventAgeInSeconds: pulumi.Int(60), MaximumRetryAttempts: pulumi.Int(0),
	}, child(f)...); err != nil {
		return nil, err
	}
	return f, ctx.RegisterResourceOutputs(f, pulumi.Map{"function": f.Function.Name})
}

// function makes the function, with the rights that its own code has.
func (f *Function) function(ctx *pulumi.Context, name string, args FunctionArgs, logs *cloudwatch.LogGroup) error {
	c, role := args.Config, args.Network.Execution
	// Not logs:CreateLogGroup: a group that outlives the stack would have no retention.
	write, err := grant(ctx, name+"-log", role, f, pulumi.Map{
		"Effect":   pulumi.String("Allow"),
		"Action":   pulumi.ToStringArray([]string{"logs:CreateLogStream", "logs:PutLogEvents"}),
		"Resource": pulumi.Sprintf("%s:*", logs.Arn),
	})
	if err != nil {
		return err
	}
	read, err := readParameters(ctx, name+"-parameters", role, f, args.Secrets.Folder)
	if err != nil {
		return err
	}
	// By version, so that another secret is another version of the function: what runs has read its secrets (0169).
	env := pulumi.StringMap{
		contract.EnvParameters: args.Secrets.Pinned, contract.EnvDrainDelay: pulumi.String("0s"),
	}
	maps.Copy(env, pulumi.ToStringMap(args.Env))
	if c.HTTPS != contract.HTTPSOff {
		env[contract.EnvPublicURL] = args.URL
	}
	needs := append([]pulumi.Resource{write, read, logs, args.Secrets}, args.Network.Online...)
	if args.Image.policy != nil {
		needs = append(needs, args.Image.policy)
	}
	architecture := map[string]string{"arm64": "arm64", "amd64": "x86_64"}[c.Architecture]
	f.Function, err = lambda.NewFunction(ctx, name+"-shop", &lambda.FunctionArgs{
		Name: pulumi.String(c.functionName()), Description: pulumi.String("Shoplab " + c.Stack),
		PackageType: pulumi.String("Image"), ImageUri: args.Image.Reference, Publish: pulumi.Bool(true),
		Architectures: pulumi.ToStringArray([]string{architecture}), MemorySize: pulumi.Int(c.Memory),
		Timeout:                      pulumi.Int(functionTimeout),
		ReservedConcurrentExecutions: pulumi.Int(c.MaxInstances), Role: role.Arn,
		Environment: lambda.FunctionEnvironmentArgs{Variables: env},
		VpcConfig: lambda.FunctionVpcConfigArgs{
			SubnetIds: args.Network.PrivateSubnets, SecurityGroupIds: pulumi.StringArray{args.Network.Compute.ID()},
			Ipv6AllowedForDualStack: pulumi.Bool(true),
		},
		LoggingConfig: lambda.FunctionLoggingConfigArgs{LogFormat: pulumi.String("Text"), LogGroup: logs.Name},
		TracingConfig: lambda.FunctionTracingConfigArgs{Mode: pulumi.String("PassThrough")},
	}, child(f, pulumi.DependsOn(needs))...)
	return err
}

// functionName is the physical name, known before the function is there.
func (c Config) functionName() string { return c.physical() + "shop" }
