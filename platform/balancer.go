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

// NewBalancer makes the load balancer of a stage. targetType is "ip" for tasks or "instance".
func NewBalancer(ctx *pulumi.Context, name string, c Config, network *Network, edge *Edge, targetType string, opts ...pulumi.ResourceOption) (*Balancer, error) {
	b := &Balancer{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Balancer", name, b, opts...); err != nil {
		return nil, err
	}
	group, err := newGroup(ctx, name+"-group", "The load balancer", network.VPC, b)
	if err != nil {
		return nil, err
	}
	if err := edge.Admit(ctx, name+"-in", group, b); err != nil {
		return nil, err
	}
	if err := openOut(ctx, name+"-out", group, b); err != nil {
		return nil, err
	}
	if err := openTo(ctx, name+"-to-compute", network.Compute, group, contract.Port, b); err != nil {
		return nil, err
	}
	if b.LoadBalancer, err = newLoadBalancer(ctx, name, network, edge, group, b); err != nil {
		return nil, err
	}
	b.TargetGroup, err = lb.NewTargetGroup(ctx, name+"-targets", &lb.TargetGroupArgs{
		VpcId: network.VPC.ID(), TargetType: pulumi.String(targetType),
		Port: pulumi.Int(contract.Port), Protocol: pulumi.String("HTTP"),
		DeregistrationDelay: pulumi.Int(15), // longer than any request; the default of 300 slows every deploy
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Path: pulumi.String(contract.ReadyPath), Matcher: pulumi.String("200"),
			Interval: pulumi.Int(c.HealthCheckInterval), Timeout: pulumi.Int(min(5, c.HealthCheckInterval-1)),
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

// newLoadBalancer makes an internal load balancer in private subnets, or a public one where there is no edge
// before it.
func newLoadBalancer(ctx *pulumi.Context, name string, network *Network, edge *Edge, group *ec2.SecurityGroup, parent pulumi.Resource) (*lb.LoadBalancer, error) {
	// CloudFront has written the shopper's address at the end of X-Forwarded-For; the load balancer would add
	// CloudFront's. Without CloudFront it is the load balancer that has to add the shopper's (0091).
	subnets, forwardedFor := network.PublicSubnets, "append"
	if edge.Private() {
		subnets, forwardedFor = network.PrivateSubnets, "preserve"
	}
	return lb.NewLoadBalancer(ctx, name+"-alb", &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("application"), Internal: pulumi.Bool(edge.Private()),
		Subnets: subnets, SecurityGroups: pulumi.StringArray{group.ID()},
		IdleTimeout:             pulumi.Int(60), // less than the service's own, or it would answer 502 at times
		DropInvalidHeaderFields: pulumi.Bool(true), EnableDeletionProtection: pulumi.Bool(false),
		XffHeaderProcessingMode: pulumi.String(forwardedFor),
	}, child(parent, pulumi.DependsOn(network.Online))...) // a VPC origin asks for the internet gateway too
}
