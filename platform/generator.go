package platform

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
	"shoplab/stack"
)

// Size of one task of the load generator, in CPU units and MiB.
const (
	generatorCPU    = 1024
	generatorMemory = 2048
)

// maxGenerators bounds the tasks of a load generator.
const maxGenerators = 64

// DeployGenerator is the program of the load generator's own stack: tasks on Fargate that wait for orders in a
// bucket, and nothing that can be reached from outside.
func DeployGenerator(ctx *pulumi.Context) (err error) {
	defer stop(&err)
	check(ctx.RequirePulumiVersion(pulumiVersions))
	c := must(generatorConfig(ctx))
	if err := tagEverything(ctx, c); err != nil {
		return fmt.Errorf("tag everything: %w", err)
	}
	check(explainErrors(ctx, c))
	network := must(NewNetwork(ctx, "network", c))
	image := must(NewImage(ctx, "image", ImageArgs{
		Config: c, Module: filepath.Dir(ctx.RootDirectory()), Package: "./lab/generator",
	}))
	g := must(NewGenerator(ctx, "generator", GeneratorArgs{Config: c, Network: network, Image: image.Reference}))
	ctx.Export("bucket", g.Bucket.Bucket)
	ctx.Export("cluster", g.Cluster.Arn)
	ctx.Export("region", pulumi.String(c.Region))
	return nil
}

// generatorConfig is the configuration of that stack, as far as components ask for one.
func generatorConfig(ctx *pulumi.Context) (Config, error) {
	region, _ := ctx.GetConfig("aws:region")
	if region == "" {
		return Config{}, fmt.Errorf("aws:region is required")
	}
	text, _ := ctx.GetConfig("shoplab-generator:shards")
	shards, err := strconv.Atoi(cmp.Or(text, "1"))
	if err != nil || shards < 1 || shards > maxGenerators {
		return Config{}, fmt.Errorf("shoplab-generator:shards is %q, want 1 to %d", text, maxGenerators)
	}
	c := Config{stack.Config{
		Stack: ctx.Stack(), Region: region, Topology: contract.Fargate, Architecture: "arm64", CPU: generatorCPU,
		Memory:    generatorMemory,
		Instances: shards, MaxInstances: shards, LogRetentionDays: 1, Wait: true,
	}}
	c.Image, _ = ctx.GetConfig("shoplab-generator:image")
	c.Expires, _ = ctx.GetConfig("shoplab-generator:expires")
	return c, nil
}

// Generator is the load generator: tasks, and the bucket through which they get their orders.
type Generator struct {
	pulumi.ResourceState
	Bucket  *s3.BucketV2
	Cluster *ecs.Cluster
}

// GeneratorArgs are the arguments of NewGenerator.
type GeneratorArgs struct {
	Config  Config
	Network *Network
	// Image is the reference of the container image that the tasks run.
	Image pulumi.StringOutput
}

// NewGenerator makes the tasks.
func NewGenerator(
	ctx *pulumi.Context, name string, args GeneratorArgs, opts ...pulumi.ResourceOption,
) (*Generator, error) {
	g := &Generator{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Generator", name, g, opts...); err != nil {
		return nil, err
	}
	closed, err := g.bucket(ctx, name)
	if err != nil {
		return nil, err
	}
	g.Cluster, err = ecs.NewCluster(ctx, name+"-cluster", &ecs.ClusterArgs{
		// Off even where the account's default is on: its log group would outlive the stack.
		Settings: ecs.ClusterSettingArray{
			ecs.ClusterSettingArgs{Name: pulumi.String("containerInsights"), Value: pulumi.String("disabled")},
		},
	}, child(g)...)
	if err != nil {
		return nil, err
	}
	execution, err := newRole(ctx, name+"-execution", "ecs-tasks.amazonaws.com", g)
	if err != nil {
		return nil, err
	}
	pull, err := iam.NewRolePolicyAttachment(ctx, name+"-execution-pull", &iam.RolePolicyAttachmentArgs{
		Role:      execution.Name,
		PolicyArn: pulumi.String("arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"),
	}, child(g)...)
	if err != nil {
		return nil, err
	}
	role, allowed, err := g.role(ctx, name)
	if err != nil {
		return nil, err
	}
	task, err := g.definition(ctx, name, args, execution, role)
	if err != nil {
		return nil, err
	}
	needs := append([]pulumi.Resource{pull, allowed, closed}, args.Network.Online...)
	_, err = ecs.NewService(ctx, name+"-service", &ecs.ServiceArgs{
		Cluster: g.Cluster.Arn, TaskDefinition: task.Arn, DesiredCount: pulumi.Int(args.Config.Instances),
		LaunchType: pulumi.String("FARGATE"), PlatformVersion: pulumi.String("1.4.0"),
		NetworkConfiguration: ecs.ServiceNetworkConfigurationArgs{
			Subnets:        args.Network.PublicSubnets,
			SecurityGroups: pulumi.StringArray{args.Network.Compute.ID()}, // which lets nothing in
			// the way to ECR and to the shop without a NAT gateway
			AssignPublicIp: pulumi.Bool(true),
		},
		DeploymentCircuitBreaker: ecs.ServiceDeploymentCircuitBreakerArgs{
			Enable: pulumi.Bool(true), Rollback: pulumi.Bool(false),
		},
		PropagateTags: pulumi.String("SERVICE"), EnableEcsManagedTags: pulumi.Bool(true),
		ForceDelete: pulumi.Bool(true), WaitForSteadyState: pulumi.Bool(args.Config.Wait),
	}, child(g, pulumi.DependsOn(needs))...)
	if err != nil {
		return nil, err
	}
	return g, ctx.RegisterResourceOutputs(g, pulumi.Map{"bucket": g.Bucket.Bucket})
}

// bucket holds orders and answers while a load is sent. S3 encrypts what is in it by itself.
// Source: Amazon S3 User Guide, "Setting default server-side encryption behavior".
func (g *Generator) bucket(ctx *pulumi.Context, name string) (closed pulumi.Resource, err error) {
	g.Bucket, err = s3.NewBucketV2(ctx, name+"-orders", &s3.BucketV2Args{
		BucketPrefix: pulumi.String("shoplab-" + name + "-"), ForceDestroy: pulumi.Bool(true),
	}, child(g)...)
	if err != nil {
		return nil, err
	}
	return s3.NewBucketPublicAccessBlock(ctx, name+"-orders-private", &s3.BucketPublicAccessBlockArgs{
		Bucket: g.Bucket.ID(), BlockPublicAcls: pulumi.Bool(true), BlockPublicPolicy: pulumi.Bool(true),
		IgnorePublicAcls: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, child(g)...)
}

// role lets a task read its orders and write its answers, and no more. Without the right to list, S3 calls an
// order that is not there yet forbidden instead of missing (API Reference, GetObject, "Permissions").
func (g *Generator) role(ctx *pulumi.Context, name string) (*iam.Role, pulumi.Resource, error) {
	role, err := newRole(ctx, name+"-task", "ecs-tasks.amazonaws.com", g)
	if err != nil {
		return nil, nil, err
	}
	policy, err := iam.NewRolePolicy(ctx, name+"-task-policy", &iam.RolePolicyArgs{
		Role: role.ID(),
		Policy: pulumi.JSONMarshal(pulumi.Map{
			"Version": pulumi.String("2012-10-17"),
			"Statement": pulumi.Array{
				pulumi.Map{"Effect": pulumi.String("Allow"), "Action": pulumi.String("s3:ListBucket"), "Resource": g.Bucket.Arn},
				pulumi.Map{
					"Effect": pulumi.String("Allow"), "Action": pulumi.String("s3:GetObject"),
					"Resource": pulumi.Sprintf("%s/orders/*", g.Bucket.Arn),
				},
				pulumi.Map{
					"Effect": pulumi.String("Allow"), "Action": pulumi.String("s3:PutObject"),
					"Resource": pulumi.Array{pulumi.Sprintf("%s/hello/*", g.Bucket.Arn), pulumi.Sprintf("%s/answers/*", g.Bucket.Arn)},
				},
			},
		}),
	}, child(g)...)
	return role, policy, err
}

// definition says what a task is: one container, read-only, not root, without a secret.
func (g *Generator) definition(
	ctx *pulumi.Context, name string, args GeneratorArgs, execution, role *iam.Role,
) (*ecs.TaskDefinition, error) {
	c := args.Config
	logs, err := c.newLogGroup(ctx, name, g)
	if err != nil {
		return nil, err
	}
	variable := func(key string, value pulumi.Input) pulumi.Map {
		return pulumi.Map{"name": pulumi.String(key), "value": value}
	}
	container := pulumi.Map{
		"name": pulumi.String("generator"), "image": args.Image, "essential": pulumi.Bool(true),
		"command":                pulumi.ToStringArray([]string{"serve"}),
		"user":                   pulumi.Sprintf("%d:%d", contract.UID, contract.UID),
		"readonlyRootFilesystem": pulumi.Bool(true), "stopTimeout": pulumi.Int(10),
		"environment": pulumi.Array{
			variable(contract.EnvGeneratorBucket, g.Bucket.Bucket),
			variable("AWS_REGION", pulumi.String(c.Region)),
			// The CPUs that the task may use, which may be fewer than its machine has. Whether the generator kept up is
			// judged by this number.
			variable("GOMAXPROCS", pulumi.String(strconv.Itoa(c.CPU/1024))),
		},
		"logConfiguration": pulumi.Map{"logDriver": pulumi.String("awslogs"), "options": pulumi.Map{
			"awslogs-group": logs.Name, "awslogs-region": pulumi.String(c.Region),
			"awslogs-stream-prefix": pulumi.String("generator"),
		}},
	}
	return ecs.NewTaskDefinition(ctx, name+"-task", &ecs.TaskDefinitionArgs{
		Family: pulumi.String("shoplab-" + c.Stack), NetworkMode: pulumi.String("awsvpc"),
		RequiresCompatibilities: pulumi.ToStringArray([]string{"FARGATE"}),
		Cpu:                     pulumi.String(strconv.Itoa(c.CPU)), Memory: pulumi.String(strconv.Itoa(c.Memory)),
		ExecutionRoleArn: execution.Arn, TaskRoleArn: role.Arn,
		RuntimePlatform: ecs.TaskDefinitionRuntimePlatformArgs{
			OperatingSystemFamily: pulumi.String("LINUX"), CpuArchitecture: pulumi.String("ARM64"),
		},
		ContainerDefinitions: pulumi.JSONMarshal(pulumi.Array{container}),
	}, child(g)...)
}
