package platform

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/appautoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

const (
	// targetCPU is the average CPU, in percent, that scaling aims at.
	targetCPU = 60
	// targetRequests is how many requests a minute scaling wants each task to get.
	targetRequests = 6000
)

type predefinedMetric = appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs

// Tasks is an ECS service on Fargate behind a load balancer.
type Tasks struct {
	pulumi.ResourceState
	Cluster *ecs.Cluster
	Service *ecs.Service
}

// TasksArgs are the arguments of NewTasks.
type TasksArgs struct {
	Config   Config
	Network  *Network
	Balancer *Balancer
	Secrets  *Secrets
	Image    pulumi.StringOutput
	Env      map[string]string
}

// NewTasks makes the cluster, the service and its scaling.
func NewTasks(ctx *pulumi.Context, name string, args TasksArgs, opts ...pulumi.ResourceOption) (*Tasks, error) {
	t := &Tasks{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Tasks", name, t, opts...); err != nil {
		return nil, err
	}
	var err error
	t.Cluster, err = ecs.NewCluster(ctx, name+"-cluster", &ecs.ClusterArgs{
		// Off even where the account's default is on: its log group would outlive the stack.
		Settings: ecs.ClusterSettingArray{
			ecs.ClusterSettingArgs{Name: pulumi.String("containerInsights"), Value: pulumi.String("disabled")},
		},
	}, child(t)...)
	if err != nil {
		return nil, err
	}
	providers, err := ecs.NewClusterCapacityProviders(ctx, name+"-capacity", &ecs.ClusterCapacityProvidersArgs{
		ClusterName: t.Cluster.Name, CapacityProviders: pulumi.ToStringArray([]string{"FARGATE", "FARGATE_SPOT"}),
	}, child(t)...)
	if err != nil {
		return nil, err
	}
	role, err := newRole(ctx, name+"-execution", "ecs-tasks.amazonaws.com", t)
	if err != nil {
		return nil, err
	}
	pull, err := iam.NewRolePolicyAttachment(ctx, name+"-execution-pull", &iam.RolePolicyAttachmentArgs{
		Role: role.Name, PolicyArn: pulumi.String("arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"),
	}, child(t)...)
	if err != nil {
		return nil, err
	}
	read, err := readParameters(ctx, name+"-execution-parameters", role, t, args.Secrets.Folder)
	if err != nil {
		return nil, err
	}
	task, err := t.definition(ctx, name, args, role)
	if err != nil {
		return nil, err
	}
	needs := append([]pulumi.Resource{providers, pull, read, args.Secrets, args.Balancer.Listening},
		args.Network.Online...)
	if err := t.service(ctx, name, args, task, needs); err != nil {
		return nil, err
	}
	if err := t.scaling(ctx, name, args); err != nil {
		return nil, err
	}
	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{"service": t.Service.Name})
}

// definition says what a task is: one container, read-only, not root, its secrets by reference.
func (t *Tasks) definition(
	ctx *pulumi.Context, name string, args TasksArgs, role *iam.Role,
) (*ecs.TaskDefinition, error) {
	c := args.Config
	logs, err := c.newLogGroup(ctx, name, t)
	if err != nil {
		return nil, err
	}
	var env, secrets pulumi.Array
	for _, key := range names(args.Env) {
		env = append(env, pulumi.Map{"name": pulumi.String(key), "value": pulumi.String(args.Env[key])})
	}
	for _, key := range names(args.Secrets.ARNs) {
		secrets = append(secrets, pulumi.Map{"name": pulumi.String(key), "valueFrom": args.Secrets.ARNs[key]})
	}
	container := pulumi.Map{
		"name": pulumi.String("shop"), "image": args.Image, "essential": pulumi.Bool(true),
		"user":                   pulumi.Sprintf("%d:%d", contract.UID, contract.UID),
		"readonlyRootFilesystem": pulumi.Bool(true), "stopTimeout": pulumi.Int(60),
		"portMappings": pulumi.Array{
			pulumi.Map{
				"containerPort": pulumi.Int(contract.Port), "hostPort": pulumi.Int(contract.Port), "protocol": pulumi.String("tcp"),
			},
		},
		"environment": env, "secrets": secrets,
		"logConfiguration": pulumi.Map{"logDriver": pulumi.String("awslogs"), "options": pulumi.Map{
			"awslogs-group": logs.Name, "awslogs-region": pulumi.String(c.Region),
			"awslogs-stream-prefix": pulumi.String("shop"),
			"mode":                  pulumi.String("non-blocking"), // a slow log must not slow the shop
		}},
	}
	architecture := map[string]string{"arm64": "ARM64", "amd64": "X86_64"}[c.Architecture]
	return ecs.NewTaskDefinition(ctx, name+"-task", &ecs.TaskDefinitionArgs{
		Family: pulumi.String("shoplab-" + c.Stack), NetworkMode: pulumi.String("awsvpc"),
		RequiresCompatibilities: pulumi.ToStringArray([]string{"FARGATE"}),
		Cpu:                     pulumi.String(fmt.Sprint(c.CPU)), Memory: pulumi.String(fmt.Sprint(c.Memory)),
		ExecutionRoleArn: role.Arn,
		RuntimePlatform: ecs.TaskDefinitionRuntimePlatformArgs{
			OperatingSystemFamily: pulumi.String("LINUX"), CpuArchitecture: pulumi.String(architecture),
		},
		ContainerDefinitions: pulumi.JSONMarshal(pulumi.Array{container}),
	}, child(t)...)
}

// service keeps the tasks running. The first task and the given share of the others run on
// on-demand capacity. A deploy that does not get healthy is rolled back, and up fails.
func (t *Tasks) service(
	ctx *pulumi.Context, name string, args TasksArgs, task *ecs.TaskDefinition, needs []pulumi.Resource,
) error {
	c := args.Config
	capacity := ecs.ServiceCapacityProviderStrategyArray{ecs.ServiceCapacityProviderStrategyArgs{
		// Never of weight 0, with which a provider "can't be used to place tasks", the base perhaps included.
		// Source: Amazon ECS API Reference, CapacityProviderStrategyItem.
		CapacityProvider: pulumi.String("FARGATE"), Base: pulumi.Int(1), Weight: pulumi.Int(max(1, 100-c.SpotShare)),
	}}
	if c.SpotShare > 0 {
		capacity = append(capacity, ecs.ServiceCapacityProviderStrategyArgs{
			CapacityProvider: pulumi.String("FARGATE_SPOT"), Weight: pulumi.Int(c.SpotShare),
		})
	}
	deployed, err := c.before(ctx, name+"-deployment", t, deployTasks)
	if err != nil {
		return err
	}
	t.Service, err = ecs.NewService(ctx, name+"-service", &ecs.ServiceArgs{
		Cluster: t.Cluster.Arn, TaskDefinition: task.Arn, DesiredCount: pulumi.Int(c.Instances),
		CapacityProviderStrategies: capacity, PlatformVersion: pulumi.String("1.4.0"),
		NetworkConfiguration: ecs.ServiceNetworkConfigurationArgs{
			Subnets: args.Network.PublicSubnets, SecurityGroups: pulumi.StringArray{args.Network.Compute.ID()},
			AssignPublicIp: pulumi.Bool(true), // the way to ECR and SSM without a NAT gateway
		},
		LoadBalancers: ecs.ServiceLoadBalancerArray{ecs.ServiceLoadBalancerArgs{
			TargetGroupArn: args.Balancer.TargetGroup.Arn, ContainerName: pulumi.String("shop"),
			ContainerPort: pulumi.Int(contract.Port),
		}},
		DeploymentMinimumHealthyPercent: pulumi.Int(100), DeploymentMaximumPercent: pulumi.Int(200),
		DeploymentCircuitBreaker: ecs.ServiceDeploymentCircuitBreakerArgs{
			Enable: pulumi.Bool(true), Rollback: pulumi.Bool(true),
		},
		HealthCheckGracePeriodSeconds: pulumi.Int(60),
		PropagateTags:                 pulumi.String("SERVICE"), EnableEcsManagedTags: pulumi.Bool(true),
		ForceDelete: pulumi.Bool(true), WaitForSteadyState: pulumi.Bool(c.Wait),
	}, child(t, pulumi.DependsOn(needs), pulumi.IgnoreChanges([]string{"desiredCount"}), // scaling moves it
		pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{deployed}}))...)
	return err
}

// scaling follows CPU and requests, whichever asks for more tasks.
func (t *Tasks) scaling(ctx *pulumi.Context, name string, args TasksArgs) error {
	target, err := appautoscaling.NewTarget(ctx, name+"-scaling", &appautoscaling.TargetArgs{
		ServiceNamespace: pulumi.String("ecs"), ScalableDimension: pulumi.String("ecs:service:DesiredCount"),
		ResourceId:  pulumi.Sprintf("service/%s/%s", t.Cluster.Name, t.Service.Name),
		MinCapacity: pulumi.Int(args.Config.Instances), MaxCapacity: pulumi.Int(args.Config.MaxInstances),
	}, child(t)...)
	if err != nil {
		return err
	}
	for short, track := range map[string]struct {
		metric string
		label  pulumi.StringPtrInput
		value  float64
	}{
		"cpu": {"ECSServiceAverageCPUUtilization", nil, targetCPU},
		"requests": {
			"ALBRequestCountPerTarget",
			pulumi.Sprintf("%s/%s", args.Balancer.LoadBalancer.ArnSuffix, args.Balancer.TargetGroup.ArnSuffix), targetRequests,
		},
	} {
		if _, err := appautoscaling.NewPolicy(ctx, name+"-scaling-"+short, &appautoscaling.PolicyArgs{
			PolicyType: pulumi.String("TargetTrackingScaling"), ServiceNamespace: target.ServiceNamespace,
			ScalableDimension: target.ScalableDimension, ResourceId: target.ResourceId,
			TargetTrackingScalingPolicyConfiguration: appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs{
				PredefinedMetricSpecification: predefinedMetric{
					PredefinedMetricType: pulumi.String(track.metric), ResourceLabel: track.label,
				},
				TargetValue: pulumi.Float64(track.value), ScaleInCooldown: pulumi.Int(120), ScaleOutCooldown: pulumi.Int(30),
			},
		}, child(t)...); err != nil {
			return err
		}
	}
	return nil
}
