package platform

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// Balancer is an Application Load Balancer with one target group on the service's port.
type Balancer struct {
	pulumi.ResourceState
	LoadBalancer *lb.LoadBalancer
	TargetGroup  *lb.TargetGroup
	// Listening is ready when requests are forwarded. ECS takes a target group only then.
	Listening pulumi.Resource
}

// BalancerArgs are the arguments of NewBalancer.
type BalancerArgs struct {
	Config  Config
	Network *Network
	// Edge is what stands before it, if anything does.
	Edge *Edge
	// TargetType of the target group, in the words of Elastic Load Balancing: "ip" for tasks, or "instance".
	TargetType string
}

// NewBalancer makes the load balancer of a stage.
func NewBalancer(
	ctx *pulumi.Context, name string, args BalancerArgs, opts ...pulumi.ResourceOption,
) (*Balancer, error) {
	b := &Balancer{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Balancer", name, b, opts...); err != nil {
		return nil, err
	}
	group, err := newGroup(ctx, name+"-group", "The load balancer", args.Network.VPC, b)
	if err != nil {
		return nil, err
	}
	if err := args.Edge.Admit(ctx, name+"-in", group, b); err != nil {
		return nil, err
	}
	if err := openOut(ctx, name+"-out", group, anyIPv4, b); err != nil {
		return nil, err
	}
	if err := openTo(ctx, name+"-to-compute", args.Network.Compute, group, contract.Port, b); err != nil {
		return nil, err
	}
	if err := b.loadBalancer(ctx, name, args, group); err != nil {
		return nil, err
	}
	interval := args.Config.HealthCheckInterval
	b.TargetGroup, err = lb.NewTargetGroup(ctx, name+"-targets", &lb.TargetGroupArgs{
		VpcId: args.Network.VPC.ID(), TargetType: pulumi.String(args.TargetType),
		Port: pulumi.Int(contract.Port), Protocol: pulumi.String("HTTP"),
		// A sign-in takes many times the CPU of a page, and an instance that hangs keeps what it has (0172).
		LoadBalancingAlgorithmType: pulumi.String("least_outstanding_requests"),
		DeregistrationDelay:        pulumi.Int(15), // longer than any request; the default of 300 slows every deploy
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Path: pulumi.String(contract.ReadyPath), Matcher: pulumi.String("200"),
			Interval: pulumi.Int(interval), Timeout: pulumi.Int(min(5, interval-1)),
			HealthyThreshold: pulumi.Int(2), UnhealthyThreshold: pulumi.Int(2),
		},
	}, child(b, pulumi.ReplaceWith([]pulumi.Resource{b.LoadBalancer}))...) // which serves one load balancer only
	if err != nil {
		return nil, err
	}
	b.Listening, err = lb.NewListener(ctx, name+"-listener", &lb.ListenerArgs{
		LoadBalancerArn: b.LoadBalancer.Arn, Port: pulumi.Int(originPort), Protocol: pulumi.String("HTTP"),
		DefaultActions: lb.ListenerDefaultActionArray{
			lb.ListenerDefaultActionArgs{Type: pulumi.String("forward"), TargetGroupArn: b.TargetGroup.Arn},
		},
	}, child(b)...)
	if err != nil {
		return nil, err
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"dnsName": b.LoadBalancer.DnsName})
}

// loadBalancer makes an internal load balancer in private subnets, or a public one where there is no edge
// before it.
func (b *Balancer) loadBalancer(
	ctx *pulumi.Context, name string, args BalancerArgs, group *ec2.SecurityGroup,
) (err error) {
	// CloudFront has written the shopper's address at the end of X-Forwarded-For; the load balancer would add
	// CloudFront's. Without CloudFront it is the load balancer that has to add the shopper's (0091).
	subnets, forwardedFor := args.Network.PublicSubnets, "append"
	if args.Edge.Private() {
		subnets, forwardedFor = args.Network.PrivateSubnets, "preserve"
	}
	b.LoadBalancer, err = lb.NewLoadBalancer(ctx, name+"-alb", &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("application"), Internal: pulumi.Bool(args.Edge.Private()),
		Subnets: subnets, SecurityGroups: pulumi.StringArray{group.ID()},
		IdleTimeout:             pulumi.Int(60), // less than the service's own, or it would answer 502 at times
		DropInvalidHeaderFields: pulumi.Bool(true), EnableDeletionProtection: pulumi.Bool(false),
		XffHeaderProcessingMode: pulumi.String(forwardedFor),
	}, child(b, pulumi.DependsOn(args.Network.Online))...) // a VPC origin asks for the internet gateway too
	return err
}
