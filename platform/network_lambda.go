package platform

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// executionRole makes the role by which Lambda runs a function and attaches it to the private subnets. It is the
// network's, not the function's: Lambda deletes the function's network interfaces some time after the function, with
// the rights of this role, and no subnet or security group can go before. So those depend on the rights, and destroy
// deletes the rights after them (0167).
func (n *Network) executionRole(ctx *pulumi.Context, name string, c Config) error {
	var err error
	if n.Execution, err = newRole(ctx, name+"-execution", "lambda.amazonaws.com", n); err != nil {
		return err
	}
	attach, err := grant(ctx, name+"-attach", n.Execution, n, attachStatements(c)...)
	n.outlive = []pulumi.Resource{attach}
	return err
}

// attachStatements let Lambda attach the function to the VPC. What Lambda does itself the function's own code may not.
// Source: AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC".
func attachStatements(c Config) []pulumi.Input {
	attach := pulumi.ToStringArray([]string{
		"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
		"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
	})
	return []pulumi.Input{
		pulumi.Map{"Effect": pulumi.String("Allow"), "Action": attach, "Resource": pulumi.String("*")},
		pulumi.Map{
			"Effect": pulumi.String("Deny"), "Action": attach, "Resource": pulumi.String("*"),
			"Condition": pulumi.Map{"ArnLike": pulumi.Map{
				"lambda:SourceFunctionArn": pulumi.String("arn:aws:lambda:" + c.Region + ":*:function:" + c.functionName()),
			}},
		},
	}
}

// waysOut let a function in the private subnets reach what it needs beyond the VPC. Over IPv6, through an egress-only
// gateway that costs nothing: Parameter Store, whose endpoints have IPv6 addresses too (0140). Over IPv4, through a NAT
// gateway, only where payments are Stripe's, whose API has none.
func (n *Network) waysOut(ctx *pulumi.Context, name string, c Config) error {
	egress, err := ec2.NewEgressOnlyInternetGateway(ctx, name+"-egress", &ec2.EgressOnlyInternetGatewayArgs{
		VpcId: n.VPC.ID(),
	}, child(n)...)
	if err != nil {
		return err
	}
	route, err := ec2.NewRoute(ctx, name+"-private-route-ipv6", &ec2.RouteArgs{
		RouteTableId: n.privateRoutes.ID(), DestinationIpv6CidrBlock: pulumi.String("::/0"), EgressOnlyGatewayId: egress.ID(),
	}, child(n)...)
	if err != nil {
		return err
	}
	rule, err := n.openHTTPS(ctx, name+"-compute-out-ipv6", vpc.SecurityGroupEgressRuleArgs{
		CidrIpv6: pulumi.String("::/0"),
	})
	if err != nil {
		return err
	}
	n.Online = append(n.Online, egress, route, rule)
	if c.Payments != contract.PaymentsStripe {
		return nil
	}
	return n.translation(ctx, name)
}

// openHTTPS lets the function ask servers on port 443 in the network that the rule names.
func (n *Network) openHTTPS(
	ctx *pulumi.Context, name string, rule vpc.SecurityGroupEgressRuleArgs,
) (*vpc.SecurityGroupEgressRule, error) {
	rule.SecurityGroupId, rule.IpProtocol = n.Compute.ID(), pulumi.String("tcp")
	rule.FromPort, rule.ToPort = pulumi.Int(443), pulumi.Int(443)
	return vpc.NewSecurityGroupEgressRule(ctx, name, &rule, child(n)...)
}

// translationPrice is what up says of a NAT gateway. TestStripeCosts holds it against `lab cost`.
const translationPrice = "payments stripe: a NAT gateway takes the function to Stripe, whose API has no IPv6 " +
	"address. With its own address it costs 36.50 USD a month, and what passes through it 0.045 USD a GB " +
	"(us-east-1, list prices of 2026-11-22)"

// translation makes a NAT gateway in one zone: a second would double the price, and while that zone is down the shop
// still takes orders; only Stripe cannot be reached.
func (n *Network) translation(ctx *pulumi.Context, name string) error {
	if err := ctx.Log.Info(translationPrice, &pulumi.LogArgs{Resource: n}); err != nil {
		return err
	}
	address, err := ec2.NewEip(ctx, name+"-nat-address", &ec2.EipArgs{Domain: pulumi.String("vpc")},
		child(n, pulumi.DependsOn(n.Online))...)
	if err != nil {
		return err
	}
	gateway, err := ec2.NewNatGateway(ctx, name+"-nat", &ec2.NatGatewayArgs{
		SubnetId: n.PublicSubnets[0], AllocationId: address.ID(),
	}, child(n, pulumi.DependsOn(n.Online))...)
	if err != nil {
		return err
	}
	route, err := ec2.NewRoute(ctx, name+"-private-route", &ec2.RouteArgs{
		RouteTableId: n.privateRoutes.ID(), DestinationCidrBlock: pulumi.String(anyIPv4), NatGatewayId: gateway.ID(),
	}, child(n)...)
	if err != nil {
		return err
	}
	rule, err := n.openHTTPS(ctx, name+"-compute-out-https", vpc.SecurityGroupEgressRuleArgs{
		CidrIpv4: pulumi.String(anyIPv4),
	})
	n.Online = append(n.Online, route, rule)
	return err
}

// ipv6 is the IPv6 range of private subnet i, out of the /56 that AWS gives the VPC; nil where the VPC has none.
func (n *Network) ipv6(c Config, i int) pulumi.StringPtrInput {
	if c.Topology != contract.Lambda {
		return nil
	}
	return n.VPC.Ipv6CidrBlock.ApplyT(func(block string) (*string, error) {
		cidr, err := ipv6Subnet(block, i)
		return &cidr, err
	}).(pulumi.StringPtrOutput)
}

// ipv6Subnet is the /64 number i of a /56.
func ipv6Subnet(block string, i int) (string, error) {
	if block == "" { // in a preview
		return "", nil
	}
	p, err := netip.ParsePrefix(block)
	if err != nil || !p.Addr().Is6() || p.Bits() != 56 || i > 255 {
		return "", fmt.Errorf("%q is no IPv6 range with a subnet %d", block, i)
	}
	b := p.Masked().Addr().As16()
	b[7] = byte(i)
	return netip.PrefixFrom(netip.AddrFrom16(b), 64).String(), nil
}
