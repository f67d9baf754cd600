package sweep

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// runs are the kinds that run something: it writes logs, uses a role, has addresses and interfaces.
var runs = []string{"autoscaling:autoScalingGroup", "ec2:instance", "ecs:service", "ecs:task", "lambda:function"}

// connected are the kinds that keep network interfaces in a VPC.
var connected = append([]string{
	"cloudfront:vpcorigin", "elasticache:cluster", "elasticache:replicationgroup", "elasticache:serverlesscache",
	"elasticloadbalancing:loadbalancer", "rds:db",
}, runs...)

// deletionsEC2 are what deletions are, of EC2.
var deletionsEC2 = map[string]deletion{
	"ec2:instance": {
		after: []string{"autoscaling:autoScalingGroup"},
		ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
			_, err := ec2.NewFromConfig(cfg).TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
			return err
		},
	},
	"ec2:volume": {
		after: []string{"ec2:instance", "autoscaling:autoScalingGroup"},
		ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
			_, err := ec2.NewFromConfig(cfg).DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: &id})
			return err
		},
	},
	"ec2:image": {ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
		_, err := ec2.NewFromConfig(cfg).DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: &id})
		return err
	}},
	"ec2:snapshot": {after: []string{"ec2:image"}, ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
		_, err := ec2.NewFromConfig(cfg).DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: &id})
		return err
	}},
	"ec2:launch-template": {
		after: []string{"autoscaling:autoScalingGroup"},
		ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
			_, err := ec2.NewFromConfig(cfg).DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: &id})
			return err
		},
	},
	// A server that shuts down saves its data over its address, and over the endpoint and the rules below.
	"ec2:elastic-ip": {after: append([]string{"ec2:natgateway"}, runs...), ask: releaseAddress},
	"ec2:natgateway": {after: runs, ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
		_, err := ec2.NewFromConfig(cfg).DeleteNatGateway(ctx, &ec2.DeleteNatGatewayInput{NatGatewayId: &id})
		return err
	}},
	"ec2:egress-only-internet-gateway": {
		after: connected,
		ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
			_, err := ec2.NewFromConfig(cfg).DeleteEgressOnlyInternetGateway(ctx, &ec2.DeleteEgressOnlyInternetGatewayInput{
				EgressOnlyInternetGatewayId: &id,
			})
			return err
		},
	},
	"ec2:network-interface":   {after: connected, ask: deleteInterface},
	"ec2:security-group-rule": {after: runs, ask: revokeRule},
	"ec2:security-group": {
		after: append([]string{"ec2:network-interface", "ec2:security-group-rule", "ec2:vpc-endpoint"}, connected...),
		ask:   deleteGroup,
	},
	"ec2:vpc-endpoint": {after: runs, ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
		out, err := ec2.NewFromConfig(cfg).DeleteVpcEndpoints(ctx, &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{id}})
		if err == nil && len(out.Unsuccessful) > 0 && out.Unsuccessful[0].Error != nil {
			err = waiting(aws.ToString(out.Unsuccessful[0].Error.Message))
		}
		return err
	}},
	"ec2:subnet": {
		after: append([]string{"ec2:natgateway", "ec2:network-interface", "rds:subgrp", "elasticache:subnetgroup"},
			connected...),
		ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
			_, err := ec2.NewFromConfig(cfg).DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &id})
			return err
		},
	},
	"ec2:route-table": {after: []string{"ec2:subnet", "ec2:vpc-endpoint"}, ask: deleteRoutes},
	"ec2:internet-gateway": {
		after: append([]string{"ec2:elastic-ip", "ec2:natgateway", "ec2:network-interface"}, connected...),
		ask:   deleteGateway,
	},
	"ec2:vpc": {
		after: append([]string{
			"ec2:egress-only-internet-gateway", "ec2:internet-gateway", "ec2:natgateway", "ec2:network-interface",
			"ec2:route-table", "ec2:security-group", "ec2:subnet", "ec2:vpc-endpoint",
		}, connected...),
		ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
			_, err := ec2.NewFromConfig(cfg).DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &id})
			return err
		},
	},
}

func releaseAddress(ctx context.Context, cfg aws.Config, _, id string) error {
	c := ec2.NewFromConfig(cfg)
	out, err := c.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{id}})
	if err != nil {
		return err
	}
	for _, a := range out.Addresses {
		if a.AssociationId != nil {
			if _, err := c.DisassociateAddress(ctx, &ec2.DisassociateAddressInput{AssociationId: a.AssociationId}); err != nil &&
				!notFound(err) {
				return err
			}
		}
	}
	_, err = c.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: &id})
	return err
}

// deleteInterface deletes a network interface that nothing uses. One that is in use is waited for: what used it is
// gone, and its service takes it away.
func deleteInterface(ctx context.Context, cfg aws.Config, _, id string) error {
	c := ec2.NewFromConfig(cfg)
	out, err := c.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}})
	if err != nil {
		return err
	}
	for _, n := range out.NetworkInterfaces {
		if n.Status != ec2types.NetworkInterfaceStatusAvailable && n.Attachment != nil {
			return waiting(fmt.Sprintf("in use by %s", describe(n)))
		}
	}
	_, err = c.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id})
	return err
}

func revokeRule(ctx context.Context, cfg aws.Config, _, id string) error {
	c := ec2.NewFromConfig(cfg)
	out, err := c.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{id}})
	if err != nil {
		return err
	}
	for _, rule := range out.SecurityGroupRules {
		if err := revoke(ctx, c, rule); err != nil {
			return err
		}
	}
	return nil
}

func revoke(ctx context.Context, c *ec2.Client, rule ec2types.SecurityGroupRule) error {
	id := []string{aws.ToString(rule.SecurityGroupRuleId)}
	var err error
	if aws.ToBool(rule.IsEgress) {
		_, err = c.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{
			GroupId: rule.GroupId, SecurityGroupRuleIds: id,
		})
	} else {
		_, err = c.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{
			GroupId: rule.GroupId, SecurityGroupRuleIds: id,
		})
	}
	return err
}

// deleteGroup deletes a security group, its rules first: two groups may name one another in theirs.
func deleteGroup(ctx context.Context, cfg aws.Config, _, id string) error {
	c := ec2.NewFromConfig(cfg)
	out, err := c.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}})
	if err != nil {
		return err
	}
	if len(out.SecurityGroups) > 0 && aws.ToString(out.SecurityGroups[0].GroupName) == "default" {
		return errBelongs // to its VPC
	}
	rules, err := c.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{
		Filters: []ec2types.Filter{{Name: aws.String("group-id"), Values: []string{id}}},
	})
	if err != nil {
		return err
	}
	for _, rule := range rules.SecurityGroupRules {
		if err := revoke(ctx, c, rule); err != nil && !notFound(err) {
			return err
		}
	}
	_, err = c.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &id})
	return err
}

func deleteRoutes(ctx context.Context, cfg aws.Config, _, id string) error {
	c := ec2.NewFromConfig(cfg)
	out, err := c.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{RouteTableIds: []string{id}})
	if err != nil {
		return err
	}
	for _, table := range out.RouteTables {
		for _, a := range table.Associations {
			if aws.ToBool(a.Main) {
				return errBelongs // to its VPC
			}
			in := &ec2.DisassociateRouteTableInput{AssociationId: a.RouteTableAssociationId}
			if _, err := c.DisassociateRouteTable(ctx, in); err != nil && !notFound(err) {
				return err
			}
		}
	}
	_, err = c.DeleteRouteTable(ctx, &ec2.DeleteRouteTableInput{RouteTableId: &id})
	return err
}

func deleteGateway(ctx context.Context, cfg aws.Config, _, id string) error {
	c := ec2.NewFromConfig(cfg)
	out, err := c.DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{InternetGatewayIds: []string{id}})
	if err != nil {
		return err
	}
	for _, gateway := range out.InternetGateways {
		for _, a := range gateway.Attachments {
			if _, err := c.DetachInternetGateway(ctx, &ec2.DetachInternetGatewayInput{
				InternetGatewayId: &id, VpcId: a.VpcId,
			}); err != nil && !notFound(err) {
				return err
			}
		}
	}
	_, err = c.DeleteInternetGateway(ctx, &ec2.DeleteInternetGatewayInput{InternetGatewayId: &id})
	return err
}
