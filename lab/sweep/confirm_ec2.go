package sweep

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// looksEC2 are what looks are, of EC2.
var looksEC2 = map[string]look{
	"ec2:elastic-ip": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeAddresses(ctx, &ec2.DescribeAddressesInput{AllocationIds: []string{id}})
		if err != nil {
			return answered(err)
		}
		return len(out.Addresses) > 0, nil
	},
	"ec2:egress-only-internet-gateway": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeEgressOnlyInternetGateways(ctx,
			&ec2.DescribeEgressOnlyInternetGatewaysInput{
				EgressOnlyInternetGatewayIds: []string{id},
			})
		if err != nil {
			return answered(err)
		}
		return len(out.EgressOnlyInternetGateways) > 0, nil
	},
	"ec2:image": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeImages(ctx, &ec2.DescribeImagesInput{
			Owners: []string{"self"}, Filters: []ec2types.Filter{{Name: aws.String("image-id"), Values: []string{id}}},
		})
		return err == nil && len(out.Images) > 0, err
	},
	"ec2:natgateway": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{
			NatGatewayIds: []string{id},
		})
		if err != nil {
			return answered(err)
		}
		for _, gateway := range out.NatGateways { // a deleted one stays listed for an hour
			if gateway.State != ec2types.NatGatewayStateDeleted {
				return true, nil
			}
		}
		return false, nil
	},
	"ec2:instance": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
		if err != nil {
			return answered(err)
		}
		for _, reservation := range out.Reservations {
			for _, i := range reservation.Instances {
				if i.State == nil || i.State.Name != ec2types.InstanceStateNameTerminated {
					return true, nil
				}
			}
		}
		return false, nil
	},
	"ec2:internet-gateway": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{
			InternetGatewayIds: []string{id},
		})
		if err != nil {
			return answered(err)
		}
		return len(out.InternetGateways) > 0, nil
	},
	"ec2:launch-template": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{
			LaunchTemplateIds: []string{id},
		})
		if err != nil {
			return answered(err)
		}
		return len(out.LaunchTemplates) > 0, nil
	},
	"ec2:network-interface": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{
			NetworkInterfaceIds: []string{id},
		})
		if err != nil {
			return answered(err)
		}
		return len(out.NetworkInterfaces) > 0, nil
	},
	"ec2:route-table": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{
			RouteTableIds: []string{id},
		})
		if err != nil {
			return answered(err)
		}
		return len(out.RouteTables) > 0, nil
	},
	"ec2:security-group": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
			GroupIds: []string{id},
		})
		if err != nil {
			return answered(err)
		}
		return len(out.SecurityGroups) > 0, nil
	},
	"ec2:security-group-rule": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{
			SecurityGroupRuleIds: []string{id},
		})
		if err != nil {
			return answered(err)
		}
		return len(out.SecurityGroupRules) > 0, nil
	},
	"ec2:snapshot": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}})
		if err != nil {
			return answered(err)
		}
		return len(out.Snapshots) > 0, nil
	},
	"ec2:subnet": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{id}})
		if err != nil {
			return answered(err)
		}
		return len(out.Subnets) > 0, nil
	},
	"ec2:volume": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeVolumes(ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{id}})
		if err != nil {
			return answered(err)
		}
		return len(out.Volumes) > 0, nil
	},
	"ec2:vpc": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{id}})
		if err != nil {
			return answered(err)
		}
		return len(out.Vpcs) > 0, nil
	},
	"ec2:vpc-endpoint": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		out, err := ec2.NewFromConfig(cfg).DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{
			VpcEndpointIds: []string{id},
		})
		if err != nil {
			return answered(err)
		}
		for _, e := range out.VpcEndpoints {
			if e.State != ec2types.StateDeleted {
				return true, nil
			}
		}
		return false, nil
	},
}
