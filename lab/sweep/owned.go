package sweep

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	aastypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"shoplab/lab/paging"
)

// makers are who makes security groups in a VPC of somebody's, and how those groups' names begin. CloudFront's are for
// VPC origins. GuardDuty makes a group and an endpoint where something runs, if the account has it monitor that, and
// leaves both when nothing does: the VPC cannot be deleted then, by Pulumi's provider neither.
// Sources: Amazon CloudFront Developer Guide, "Restrict access with VPC origins"; Amazon GuardDuty User Guide, "How
// Runtime Monitoring works with Fargate (Amazon ECS only)"; the names: hashicorp/terraform-provider-aws#46953.
var makers = map[string]string{
	"CloudFront-VPCOrigins-Service-SG": "CloudFront", "GuardDutyManagedSecurityGroup-": guardDuty,
}

// guardDuty makes endpoints, which are of a service of its own.
const (
	guardDuty        = "GuardDuty"
	guardDutyService = ".guardduty-data"
)

// ours is the filter of EC2 for the project's tag.
func ours() []ec2types.Filter {
	return []ec2types.Filter{{Name: aws.String("tag:project"), Values: []string{Project}}}
}

func tagMap(tags []ec2types.Tag) map[string]string {
	m := map[string]string{}
	for _, t := range tags {
		m[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return m
}

// ownedBy is a resource of EC2 that an owner in a stage tells; with the project's tags it is its own.
func ownedBy(cfg aws.Config, account, kind, id string, tags []ec2types.Tag, stage, owner string) Resource {
	r := Resource{
		Service: "ec2", ID: fmt.Sprintf("arn:aws:ec2:%s:%s:%s/%s", cfg.Region, account, kind, id),
		Tags: tagMap(tags), Stage: stage, Owner: owner,
	}
	if r.Tags["project"] == Project {
		r.Stage, r.Owner = "", "" // as the tagging API has it
	}
	return r
}

// inNetworks finds what AWS's services keep in the project's VPCs: network interfaces, security groups and endpoints.
// What somebody else has put there is left alone, and so is the VPC then.
func inNetworks(ctx context.Context, cfg aws.Config, account string) ([]Resource, error) {
	c := ec2.NewFromConfig(cfg)
	var out []Resource
	for page, err := range paging.Pages(ctx, ec2.NewDescribeVpcsPaginator(c,
		&ec2.DescribeVpcsInput{Filters: ours()})) {
		if err != nil {
			return nil, err
		}
		for _, network := range page.Vpcs {
			id, stage := aws.ToString(network.VpcId), tagMap(network.Tags)["stage"]
			in := []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{id}}}
			interfaces, err := allInterfaces(ctx, c, in)
			if err != nil {
				return nil, fmt.Errorf("network interfaces in %s: %w", id, err)
			}
			for _, n := range interfaces {
				if tagMap(n.TagSet)["project"] == Project || madeByAWS(n) {
					owner := fmt.Sprintf("in %s, of %s", id, describe(n))
					out = append(out, ownedBy(cfg, account, "network-interface", aws.ToString(n.NetworkInterfaceId), n.TagSet, stage,
						owner))
				}
			}
			add := func(kind string, of *string, tags []ec2types.Tag, maker string) {
				out = append(out, ownedBy(cfg, account, kind, aws.ToString(of), tags, stage, "in "+id+", of "+maker))
			}
			if err := madeIn(ctx, c, in, add); err != nil {
				return nil, fmt.Errorf("security groups and endpoints in %s: %w", id, err)
			}
		}
	}
	return out, nil
}

// madeIn adds the security groups and endpoints of a VPC that a service of AWS's has made there.
func madeIn(
	ctx context.Context, c *ec2.Client, in []ec2types.Filter,
	add func(kind string, id *string, tags []ec2types.Tag, maker string),
) error {
	for page, err := range paging.Pages(ctx, ec2.NewDescribeSecurityGroupsPaginator(c,
		&ec2.DescribeSecurityGroupsInput{Filters: in})) {
		if err != nil {
			return err
		}
		for _, g := range page.SecurityGroups {
			for begin, maker := range makers {
				if strings.HasPrefix(aws.ToString(g.GroupName), begin) {
					add("security-group", g.GroupId, g.Tags, maker)
				}
			}
		}
	}
	for page, err := range paging.Pages(ctx, ec2.NewDescribeVpcEndpointsPaginator(c,
		&ec2.DescribeVpcEndpointsInput{Filters: in})) {
		if err != nil {
			return err
		}
		for _, e := range page.VpcEndpoints {
			if strings.Contains(aws.ToString(e.ServiceName), guardDutyService) && e.State != ec2types.StateDeleted {
				add("vpc-endpoint", e.VpcEndpointId, e.Tags, guardDuty)
			}
		}
	}
	return nil
}

func allInterfaces(
	ctx context.Context, c *ec2.Client, filters []ec2types.Filter,
) (all []ec2types.NetworkInterface, err error) {
	for page, err := range paging.Pages(ctx, ec2.NewDescribeNetworkInterfacesPaginator(c,
		&ec2.DescribeNetworkInterfacesInput{
			Filters: filters,
		})) {
		if err != nil {
			return nil, err
		}
		all = append(all, page.NetworkInterfaces...)
	}
	return all, nil
}

// madeByAWS tells the network interfaces of services: load balancers, databases, caches, tasks, functions, VPC origins.
func madeByAWS(n ec2types.NetworkInterface) bool {
	return aws.ToBool(n.RequesterManaged) || n.InterfaceType != "" &&
		n.InterfaceType != ec2types.NetworkInterfaceTypeInterface ||
		strings.HasPrefix(aws.ToString(n.Description), "AWS Lambda VPC ENI")
}

// describe names the service of a network interface in AWS's own words.
func describe(n ec2types.NetworkInterface) string {
	for _, s := range []*string{n.Description, n.RequesterId} {
		if text := aws.ToString(s); text != "" {
			return text
		}
	}
	return string(n.InterfaceType)
}

// volumesOfServers finds the volumes that the project's servers came with and that have no tags yet.
func volumesOfServers(ctx context.Context, cfg aws.Config, account string) ([]Resource, error) {
	c := ec2.NewFromConfig(cfg)
	var out []Resource
	servers, err := Instances(ctx, c, ours()...)
	if err != nil {
		return nil, err
	}
	for _, i := range servers {
		found, err := volumesOf(ctx, c, i)
		if err != nil {
			return nil, fmt.Errorf("volumes of %s: %w", aws.ToString(i.InstanceId), err)
		}
		for _, v := range found {
			owner := "of " + aws.ToString(i.InstanceId)
			out = append(out, ownedBy(cfg, account, "volume", aws.ToString(v.VolumeId), v.Tags, tagMap(i.Tags)["stage"], owner))
		}
	}
	return out, nil
}

// Instances are the EC2 instances that filters let through.
func Instances(ctx context.Context, c *ec2.Client, filters ...ec2types.Filter) (all []ec2types.Instance, err error) {
	in := &ec2.DescribeInstancesInput{Filters: filters}
	for page, err := range paging.Pages(ctx, ec2.NewDescribeInstancesPaginator(c, in)) {
		if err != nil {
			return nil, err
		}
		for _, r := range page.Reservations {
			all = append(all, r.Instances...)
		}
	}
	return all, nil
}

// volumesOf are the volumes that an instance has, which a terminated one has not.
func volumesOf(ctx context.Context, c *ec2.Client, i ec2types.Instance) ([]ec2types.Volume, error) {
	var ids []string
	for _, d := range i.BlockDeviceMappings {
		if d.Ebs != nil {
			ids = append(ids, aws.ToString(d.Ebs.VolumeId))
		}
	}
	if len(ids) == 0 || i.State != nil && i.State.Name == ec2types.InstanceStateNameTerminated {
		return nil, nil
	}
	out, err := c.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{
		Filters: []ec2types.Filter{{Name: aws.String("volume-id"), Values: ids}}, // what is gone is no error to a filter
	})
	if err != nil {
		return nil, err
	}
	return out.Volumes, nil
}

// scaling finds what scales the project's Auto Scaling groups and ECS services: scalable targets, and the alarms that
// target tracking made.
func scaling(ctx context.Context, cfg aws.Config) ([]Resource, error) {
	owners := map[string]string{} // stages, by what alarms are named after
	servers, err := groups(ctx, autoscaling.NewFromConfig(cfg))
	if err != nil {
		return nil, err
	}
	for _, g := range servers {
		_, name, _ := strings.Cut(g.ID, "autoScalingGroupName/")
		owners[name] = g.Tags["stage"]
	}
	clusters, err := clusters(ctx, ecs.NewFromConfig(cfg))
	if err != nil {
		return nil, err
	}
	var out []Resource
	targets, err := scalableTargets(ctx, applicationautoscaling.NewFromConfig(cfg))
	if err != nil {
		return nil, err
	}
	for _, t := range targets { // service/CLUSTER/SERVICE
		id := aws.ToString(t.ResourceId)
		if parts := strings.Split(id, "/"); len(parts) == 3 && clusters[parts[1]] != "" {
			owners[id] = clusters[parts[1]]
			out = append(out, Resource{
				Service: "application-autoscaling", ID: aws.ToString(t.ScalableTargetARN), Stage: clusters[parts[1]],
				Owner: "of " + id,
			})
		}
	}
	if len(owners) == 0 {
		return out, nil
	}
	alarms := cloudwatch.NewDescribeAlarmsPaginator(cloudwatch.NewFromConfig(cfg),
		&cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("TargetTracking-")})
	for page, err := range paging.Pages(ctx, alarms) {
		if err != nil {
			return nil, err
		}
		for _, a := range page.MetricAlarms {
			for owner, stage := range owners {
				if strings.HasPrefix(aws.ToString(a.AlarmName), "TargetTracking-"+owner+"-Alarm") {
					out = append(out, Resource{
						Service: "cloudwatch", ID: aws.ToString(a.AlarmArn), Stage: stage, Owner: "of " + owner,
					})
				}
			}
		}
	}
	return out, nil
}

// scalableTargets are the account's ECS services that scale.
func scalableTargets(
	ctx context.Context, c *applicationautoscaling.Client,
) (all []aastypes.ScalableTarget, err error) {
	for page, err := range paging.Pages(ctx, applicationautoscaling.NewDescribeScalableTargetsPaginator(c,
		&applicationautoscaling.DescribeScalableTargetsInput{ServiceNamespace: aastypes.ServiceNamespaceEcs})) {
		if err != nil {
			return nil, fmt.Errorf("list scalable targets: %w", err)
		}
		all = append(all, page.ScalableTargets...)
	}
	return all, nil
}

// clusters are the stages of the project's ECS clusters, by the clusters' names.
func clusters(ctx context.Context, c *ecs.Client) (map[string]string, error) {
	var arns []string
	for page, err := range paging.Pages(ctx, ecs.NewListClustersPaginator(c, &ecs.ListClustersInput{})) {
		if err != nil {
			return nil, err
		}
		arns = append(arns, page.ClusterArns...)
	}
	stages := map[string]string{}
	for some := range slices.Chunk(arns, 100) { // as many as one call takes
		out, err := c.DescribeClusters(ctx, &ecs.DescribeClustersInput{
			Clusters: some, Include: []ecstypes.ClusterField{ecstypes.ClusterFieldTags},
		})
		if err != nil {
			return nil, err
		}
		for _, cluster := range out.Clusters {
			tags := map[string]string{}
			for _, t := range cluster.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			if tags["project"] == Project {
				stages[aws.ToString(cluster.ClusterName)] = tags["stage"]
			}
		}
	}
	return stages, nil
}
