// Package bill tells what an inventory costs: it asks the services what they bill each resource by, and prices that as
// package cost prices a resource graph.
package bill

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"shoplab/lab/cost"
	"shoplab/lab/sweep"
)

// Of estimates what the resources cost while they are there, without anybody using them.
func Of(ctx context.Context, cfg aws.Config, found []sweep.Resource) (cost.Estimate, error) {
	table, err := cost.Prices()
	if err != nil {
		return cost.Estimate{}, err
	}
	g, err := graph(ctx, cfg, found)
	if err != nil {
		return cost.Estimate{}, err
	}
	return table.Of(g, cost.Usage{}), nil
}

// biller turns a resource into what it is billed by; nothing for what costs nothing.
type biller func(ctx context.Context, cfg aws.Config, name string) ([]cost.Resource, error)

// billers are by service and resource type, as ARNs spell them. Kinds without one cost nothing while nobody uses them.
var billers = map[string]biller{
	"ec2:instance": server, "ec2:volume": volume,
	"ec2:elastic-ip": plain("aws:ec2/eip:Eip"), "cloudwatch:dashboard": plain("aws:cloudwatch/dashboard:Dashboard"),
	"cloudwatch:alarm":                  alarm,
	"rds:db":                            database,
	"elasticache:replicationgroup":      cache,
	"elasticloadbalancing:loadbalancer": balancer,
	"ecs:service":                       service,
}

func graph(ctx context.Context, cfg aws.Config, found []sweep.Resource) (g cost.Graph, err error) {
	for _, r := range found {
		kind, name := r.Kind()
		b := billers[kind]
		if b == nil {
			continue
		}
		billed, err := b(ctx, cfg, name)
		if err != nil {
			return g, fmt.Errorf("what %s is billed by: %w", r.ID, err)
		}
		for _, one := range billed {
			one.Name = cmp.Or(one.Name, name)
			one.URN = "sweep::" + one.Type + "::" + one.Name
			g.Resources = append(g.Resources, one)
		}
	}
	return g, nil
}

// plain is the biller of what has one price.
func plain(typ string) biller {
	return func(context.Context, aws.Config, string) ([]cost.Resource, error) {
		return []cost.Resource{{Type: typ, Inputs: map[string]any{}}}, nil
	}
}

func alarm(context.Context, aws.Config, string) ([]cost.Resource, error) {
	// A metric by its name, as all alarms of the stages have it.
	return []cost.Resource{
		{Type: "aws:cloudwatch/metricAlarm:MetricAlarm", Inputs: map[string]any{"metricName": "one", "period": 60.0}},
	}, nil
}

func server(ctx context.Context, cfg aws.Config, id string) (all []cost.Resource, err error) {
	out, err := ec2.NewFromConfig(cfg).DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		return nil, err
	}
	for _, r := range out.Reservations {
		for _, i := range r.Instances {
			if i.State != nil && i.State.Name != ec2types.InstanceStateNameRunning &&
				i.State.Name != ec2types.InstanceStateNamePending {
				continue // its volumes cost on
			}
			all = append(all, cost.Resource{Type: "aws:ec2/instance:Instance", ID: id, Inputs: map[string]any{
				"instanceType": string(i.InstanceType), "rootBlockDevice": []any{}, // volumes are billed by themselves
				"associatePublicIpAddress": false,
			}})
		}
	}
	return all, nil
}

func volume(ctx context.Context, cfg aws.Config, id string) (all []cost.Resource, err error) {
	out, err := ec2.NewFromConfig(cfg).DescribeVolumes(ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{id}})
	if err != nil {
		return nil, err
	}
	for _, v := range out.Volumes {
		all = append(all, cost.Resource{Type: "aws:ebs/volume:Volume", Inputs: map[string]any{
			"size": float64(aws.ToInt32(v.Size)), "type": string(v.VolumeType),
		}})
	}
	return all, nil
}

func database(ctx context.Context, cfg aws.Config, id string) (all []cost.Resource, err error) {
	out, err := rds.NewFromConfig(cfg).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	if err != nil {
		return nil, err
	}
	for _, d := range out.DBInstances {
		all = append(all, cost.Resource{Type: "aws:rds/instance:Instance", Inputs: map[string]any{
			"engine": aws.ToString(d.Engine), "instanceClass": aws.ToString(d.DBInstanceClass), "multiAz": aws.ToBool(d.MultiAZ),
			"allocatedStorage": float64(aws.ToInt32(d.AllocatedStorage)), "storageType": aws.ToString(d.StorageType),
		}})
	}
	return all, nil
}

func cache(ctx context.Context, cfg aws.Config, id string) (all []cost.Resource, err error) {
	c := elasticache.NewFromConfig(cfg)
	out, err := c.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &id})
	if err != nil {
		return nil, err
	}
	for _, g := range out.ReplicationGroups {
		all = append(all, cost.Resource{Type: "aws:elasticache/replicationGroup:ReplicationGroup", Inputs: map[string]any{
			"engine": aws.ToString(g.Engine), "nodeType": aws.ToString(g.CacheNodeType),
			"numCacheClusters": float64(max(1, len(g.MemberClusters))),
		}})
	}
	return all, nil
}

func balancer(ctx context.Context, cfg aws.Config, name string) (all []cost.Resource, err error) {
	parts := strings.Split(name, "/") // app/NAME/ID
	if len(parts) < 2 {
		return nil, nil
	}
	out, err := elb.NewFromConfig(cfg).DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{
		Names: []string{parts[1]},
	})
	if err != nil {
		return nil, err
	}
	for _, b := range out.LoadBalancers {
		var subnets []any
		for _, z := range b.AvailabilityZones {
			subnets = append(subnets, aws.ToString(z.SubnetId))
		}
		all = append(all, cost.Resource{Type: "aws:lb/loadBalancer:LoadBalancer", Inputs: map[string]any{
			"loadBalancerType": string(b.Type), "internal": b.Scheme == "internal", "subnets": subnets,
		}})
	}
	return all, nil
}

func service(ctx context.Context, cfg aws.Config, name string) (all []cost.Resource, err error) {
	c := ecs.NewFromConfig(cfg)
	cluster, short, _ := strings.Cut(name, "/")
	out, err := c.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: []string{short}})
	if err != nil {
		return nil, err
	}
	for _, s := range out.Services {
		task, err := c.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: s.TaskDefinition})
		if err != nil {
			return nil, err
		}
		d, architecture := task.TaskDefinition, "X86_64"
		if d.RuntimePlatform != nil {
			architecture = string(d.RuntimePlatform.CpuArchitecture)
		}
		id := aws.ToString(d.TaskDefinitionArn)
		inputs := map[string]any{
			"cpu": aws.ToString(d.Cpu), "memory": aws.ToString(d.Memory),
			"runtimePlatform": map[string]any{"cpuArchitecture": architecture},
		}
		definition := cost.Resource{Type: "aws:ecs/taskDefinition:TaskDefinition", ID: id, Name: id, Inputs: inputs}
		all = append(all, definition, cost.Resource{Type: "aws:ecs/service:Service", Inputs: map[string]any{
			// Spot tasks are dearer here than on the bill.
			"launchType": "FARGATE", "desiredCount": float64(s.RunningCount), "taskDefinition": id,
			"networkConfiguration": map[string]any{"assignPublicIp": public(s.NetworkConfiguration)},
		}})
	}
	return all, nil
}

func public(n *ecstypes.NetworkConfiguration) bool {
	return n != nil && n.AwsvpcConfiguration != nil &&
		n.AwsvpcConfiguration.AssignPublicIp == ecstypes.AssignPublicIpEnabled
}
