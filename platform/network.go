package platform

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// vpcCIDR is the address range of every stage; k3s' own ranges (10.42 and 10.43) lie outside it.
const vpcCIDR = "10.0.0.0/16"

// anyIPv4 is each IPv4 address.
const anyIPv4 = "0.0.0.0/0"

// Network is a VPC over two zones. Servers and tasks are in public subnets behind a security group that lets nothing
// in. Data are in private subnets, which have no route to the internet but for a function's (waysOut); the data's
// security groups let nothing out.
type Network struct {
	pulumi.ResourceState
	VPC            *ec2.Vpc
	PublicSubnets  pulumi.StringArray
	PrivateSubnets pulumi.StringArray
	// Compute is the security group of whatever runs the service. Data opens to it.
	Compute *ec2.SecurityGroup
	// Execution is the role of a function in the private subnets; nil without one.
	Execution *iam.Role
	// Online is ready when the public subnets reach the internet and S3. What has a public address
	// depends on it, so that it is also gone before the gateway goes.
	Online []pulumi.Resource

	publicRoutes  *ec2.RouteTable
	privateRoutes *ec2.RouteTable
	outlive       []pulumi.Resource // what the private subnets and Compute depend on, and go before
}

// NewNetwork makes the VPC of a stage, in zones where its servers can run.
func NewNetwork(ctx *pulumi.Context, name string, c Config, opts ...pulumi.ResourceOption) (*Network, error) {
	zones, err := chooseZones(ctx, c)
	if err != nil {
		return nil, err
	}
	n := &Network{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Network", name, n, opts...); err != nil {
		return nil, err
	}
	args := &ec2.VpcArgs{
		CidrBlock:          pulumi.String(vpcCIDR),
		EnableDnsHostnames: pulumi.Bool(true), // CloudFront reaches a server by its public name
		EnableDnsSupport:   pulumi.Bool(true),
	}
	if c.Topology == contract.Lambda {
		args.AssignGeneratedIpv6CidrBlock = pulumi.Bool(true)
	}
	n.VPC, err = ec2.NewVpc(ctx, name+"-vpc", args, child(n)...)
	if err != nil {
		return nil, err
	}
	// AWS makes this group and lets everything in it talk; adopted without rules it lets nothing.
	if _, err = ec2.NewDefaultSecurityGroup(ctx, name+"-default-group", &ec2.DefaultSecurityGroupArgs{
		VpcId: n.VPC.ID(),
	}, child(n)...); err != nil {
		return nil, err
	}
	if c.Topology == contract.Lambda {
		if err := n.executionRole(ctx, name, c); err != nil {
			return nil, err
		}
	}
	if err := n.subnets(ctx, name, zones, c); err != nil {
		return nil, err
	}
	if err := n.storageEndpoint(ctx, name+"-s3", c); err != nil {
		return nil, err
	}
	n.Compute, err = newGroup(ctx, name+"-compute-group", "What runs the service", n.VPC, n, pulumi.DependsOn(n.outlive))
	if err != nil {
		return nil, err
	}
	out := anyIPv4
	if c.Topology == contract.Lambda {
		out = vpcCIDR // and as far as waysOut says
	}
	if err := openOut(ctx, name+"-compute-out", n.Compute, out, n); err != nil {
		return nil, err
	}
	if c.Topology == contract.Lambda {
		if err := n.waysOut(ctx, name, c); err != nil {
			return nil, err
		}
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"vpcId": n.VPC.ID()})
}

// subnets makes a public and a private subnet in each of two zones, with their routes.
func (n *Network) subnets(ctx *pulumi.Context, name string, zones []string, c Config) error {
	gateway, err := ec2.NewInternetGateway(ctx, name+"-gateway", &ec2.InternetGatewayArgs{VpcId: n.VPC.ID()}, child(n)...)
	if err != nil {
		return err
	}
	public, err := ec2.NewRouteTable(ctx, name+"-public-routes", &ec2.RouteTableArgs{VpcId: n.VPC.ID()}, child(n)...)
	if err != nil {
		return err
	}
	route, err := ec2.NewRoute(ctx, name+"-public-route", &ec2.RouteArgs{
		RouteTableId: public.ID(), DestinationCidrBlock: pulumi.String(anyIPv4), GatewayId: gateway.ID(),
	}, child(n)...)
	if err != nil {
		return err
	}
	n.publicRoutes, n.Online = public, []pulumi.Resource{gateway, route}
	private, err := ec2.NewRouteTable(ctx, name+"-private-routes", &ec2.RouteTableArgs{VpcId: n.VPC.ID()}, child(n)...)
	if err != nil {
		return err
	}
	n.privateRoutes = private
	for i, zone := range zones {
		id, err := n.subnet(ctx, fmt.Sprintf("%s-public-%d", name, i), zone, fmt.Sprintf("10.0.%d.0/24", i), nil, public)
		if err != nil {
			return err
		}
		n.PublicSubnets = append(n.PublicSubnets, id)
		if id, err = n.subnet(ctx, fmt.Sprintf("%s-private-%d", name, i), zone, fmt.Sprintf("10.0.%d.0/24", 100+i),
			n.ipv6(c, i), private, n.outlive...); err != nil {
			return err
		}
		n.PrivateSubnets = append(n.PrivateSubnets, id)
	}
	return nil
}

// storageEndpoint routes what goes to S3 in the stage's region past the internet gateway, for nothing. A server
// reaches its dumps, and the layers of its image, even while it has no public address.
// Source: AWS PrivateLink, "Gateway endpoints for Amazon S3".
func (n *Network) storageEndpoint(ctx *pulumi.Context, name string, c Config) error {
	endpoint, err := ec2.NewVpcEndpoint(ctx, name, &ec2.VpcEndpointArgs{
		VpcId: n.VPC.ID(), VpcEndpointType: pulumi.String("Gateway"),
		ServiceName: pulumi.String("com.amazonaws." + c.Region + ".s3"), RouteTableIds: pulumi.StringArray{
			n.publicRoutes.ID(),
		},
	}, child(n)...)
	n.Online = append(n.Online, endpoint)
	return err
}

// subnet makes one subnet after others, and returns its id once its routes are in place.
func (n *Network) subnet(
	ctx *pulumi.Context, name, zone, cidr string, ipv6 pulumi.StringPtrInput, routes *ec2.RouteTable,
	after ...pulumi.Resource,
) (pulumi.StringOutput, error) {
	s, err := ec2.NewSubnet(ctx, name, &ec2.SubnetArgs{
		VpcId: n.VPC.ID(), CidrBlock: pulumi.String(cidr), Ipv6CidrBlock: ipv6, AvailabilityZone: pulumi.String(zone),
	}, child(n, pulumi.DependsOn(after),
		pulumi.IgnoreChanges([]string{"availabilityZone"}))...) // a subnet stays where it is
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	link, err := ec2.NewRouteTableAssociation(ctx, name+"-routes", &ec2.RouteTableAssociationArgs{
		SubnetId: s.ID(), RouteTableId: routes.ID(),
	}, child(n)...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return pulumi.All(s.ID(), link.ID()).ApplyT(func(ids []any) string {
		return string(ids[0].(pulumi.ID))
	}).(pulumi.StringOutput), nil
}

// newGroup makes a security group that lets nothing in or out. Rules are resources of their own, so
// that groups may name one another and still be destroyed.
func newGroup(
	ctx *pulumi.Context, name, about string, in *ec2.Vpc, parent pulumi.Resource, opts ...pulumi.ResourceOption,
) (*ec2.SecurityGroup, error) {
	return ec2.NewSecurityGroup(ctx, name, &ec2.SecurityGroupArgs{
		VpcId: in.ID(), Description: pulumi.String(about), RevokeRulesOnDelete: pulumi.Bool(true),
	}, child(parent, opts...)...)
}

// openTo lets the members of one group reach a TCP port of another's.
func openTo(ctx *pulumi.Context, name string, group, from *ec2.SecurityGroup, port int, parent pulumi.Resource) error {
	_, err := vpc.NewSecurityGroupIngressRule(ctx, name, &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: group.ID(), ReferencedSecurityGroupId: from.ID(),
		IpProtocol: pulumi.String("tcp"), FromPort: pulumi.Int(port), ToPort: pulumi.Int(port),
	}, child(parent)...)
	return err
}

// openToNetwork lets a network reach a TCP port of a group's members.
func openToNetwork(
	ctx *pulumi.Context, name string, group *ec2.SecurityGroup, cidr string, port int, parent pulumi.Resource,
) error {
	_, err := vpc.NewSecurityGroupIngressRule(ctx, name, &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: group.ID(), CidrIpv4: pulumi.String(cidr),
		IpProtocol: pulumi.String("tcp"), FromPort: pulumi.Int(port), ToPort: pulumi.Int(port),
	}, child(parent)...)
	return err
}

// openOut lets the members of a group reach anything in a network.
func openOut(ctx *pulumi.Context, name string, group *ec2.SecurityGroup, cidr string, parent pulumi.Resource) error {
	_, err := vpc.NewSecurityGroupEgressRule(ctx, name, &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: group.ID(), CidrIpv4: pulumi.String(cidr), IpProtocol: pulumi.String("-1"),
	}, child(parent)...)
	return err
}
