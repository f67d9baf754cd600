package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// service is the stage's ECS service, with its cluster.
func (b breaker) service(ctx context.Context) (cluster, name string, err error) {
	arns, err := b.tagged(ctx, "ecs:service")
	if err != nil {
		return "", "", err
	}
	if len(arns) == 1 {
		if parts := strings.Split(arns[0], "/"); len(parts) == 3 { // arn:...:service/CLUSTER/NAME
			return parts[1], parts[2], nil
		}
	}
	return "", "", fmt.Errorf("%s has ECS services %v: want one", b.stage.Name, arns)
}

// tasks are the service's that run.
func (b breaker) tasks(ctx context.Context, cluster, name string) ([]ecstypes.Task, error) {
	client := ecs.NewFromConfig(b.cfg)
	listed, err := client.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster: &cluster, ServiceName: &name,
		DesiredStatus: ecstypes.DesiredStatusRunning,
	})
	if err != nil || len(listed.TaskArns) == 0 {
		return nil, err
	}
	out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: listed.TaskArns})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out.Tasks, func(x, y ecstypes.Task) int { return compare(x.TaskArn, y.TaskArn) })
	return out.Tasks, nil
}

// serving are the tasks of the stage's service, with the cluster's and the service's names.
func (b breaker) serving(ctx context.Context) (cluster, name string, running []ecstypes.Task, err error) {
	if cluster, name, err = b.service(ctx); err == nil {
		running, err = b.tasks(ctx, cluster, name)
	}
	return cluster, name, running, err
}

// stopTask stops one task and waits for its replacement.
func (b breaker) stopTask(ctx context.Context) (string, error) {
	cluster, name, running, err := b.serving(ctx)
	if err != nil {
		return "", err
	}
	if len(running) == 0 {
		return "", fmt.Errorf("no task of %s runs", name)
	}
	return b.stopTasks(ctx, cluster, name, running[:1])
}

// stopTasks stops tasks and waits until as many as the stage has serve without them.
func (b breaker) stopTasks(ctx context.Context, cluster, name string, tasks []ecstypes.Task) (string, error) {
	client := ecs.NewFromConfig(b.cfg)
	var arns, addresses []string
	for _, task := range tasks {
		in := &ecs.StopTaskInput{Cluster: &cluster, Task: task.TaskArn, Reason: awssdk.String("shoplab: lab faults")}
		if _, err := client.StopTask(ctx, in); err != nil {
			return "", err
		}
		arns = append(arns, awssdk.ToString(task.TaskArn))
		for _, a := range task.Attachments {
			for _, d := range a.Details {
				if awssdk.ToString(d.Name) == "privateIPv4Address" {
					addresses = append(addresses, awssdk.ToString(d.Value))
				}
			}
		}
	}
	err := b.await(ctx, "wait for other tasks", func() (bool, error) {
		now, err := b.tasks(ctx, cluster, name)
		serving := slices.DeleteFunc(now, func(t ecstypes.Task) bool {
			return awssdk.ToString(t.LastStatus) != "RUNNING" || slices.Contains(arns, awssdk.ToString(t.TaskArn))
		})
		return len(serving) >= b.stage.Instances, err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("stopped %v", arns), b.whole(ctx, addresses...)
}

// whole waits until as many targets of the load balancer as the stage has instances are healthy, without those that are
// gone: servers by id, tasks by address.
func (b breaker) whole(ctx context.Context, gone ...string) error {
	groups, err := b.tagged(ctx, "elasticloadbalancing:targetgroup")
	if err != nil {
		return err
	}
	if len(groups) == 0 {
		return fmt.Errorf("%s has no target group", b.stage.Name)
	}
	client := elb.NewFromConfig(b.cfg)
	return b.await(ctx, "wait until the load balancer finds all targets healthy", func() (bool, error) {
		healthy := 0
		for _, arn := range groups {
			out, err := client.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &arn})
			if err != nil {
				return false, err
			}
			for _, t := range out.TargetHealthDescriptions {
				if t.TargetHealth == nil || t.TargetHealth.State != elbtypes.TargetHealthStateEnumHealthy || t.Target == nil {
					continue
				}
				if slices.Contains(gone, awssdk.ToString(t.Target.Id)) {
					return false, nil
				}
				healthy++
			}
		}
		return healthy >= b.stage.Instances, nil
	})
}
