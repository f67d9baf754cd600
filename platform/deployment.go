package platform

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// deployment moves an ECS service to another task definition.
//
// A deployment that the circuit breaker rolls back ends with a steady service, which is all that the provider
// looks for (hashicorp/terraform-provider-aws#20858): it would report success and remember the definition that
// failed. So the program deploys first, and compares what runs with what was asked for.
type deployment struct {
	client           *ecs.Client
	cluster, service string
	definition       string // ARN of the task definition asked for
	say              func(string)
}

// deployTasks is the rollout of an ECS service.
func deployTasks(ctx context.Context, c aws.Config, update *pulumi.ResourceHookArgs, say func(string)) error {
	d := deployment{
		client: ecs.NewFromConfig(c), service: string(update.ID), cluster: textAt(update.NewInputs, "cluster"),
		definition: textAt(update.NewInputs, "taskDefinition"), say: say,
	}
	if textAt(update.OldInputs, "taskDefinition") == d.definition {
		return nil
	}
	return d.run(ctx)
}

// run deploys the definition and returns AWS's reason if it does not come to run. Asking for a definition that
// a service has already starts nothing: after an interrupted up it is the same deployment that is waited for.
func (d deployment) run(ctx context.Context) error {
	updated, err := d.client.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: &d.cluster, Service: &d.service, TaskDefinition: &d.definition,
	})
	if err != nil {
		return fmt.Errorf("deploy %s: %w", d.definition, err)
	}
	id := ""
	if asked, found := primary(updated.Service); found {
		id = aws.ToString(asked.Id)
	}
	var reasons []string
	var now *types.Service
	if err := awaiting(ctx, func() (bool, error) {
		if now, err = d.look(ctx); err != nil {
			return false, err
		}
		for _, one := range now.Deployments {
			if aws.ToString(one.Id) == id && one.RolloutState == types.DeploymentRolloutStateFailed {
				reasons = append(reasons, aws.ToString(one.RolloutStateReason))
			}
		}
		first, found := primary(now)
		if found {
			d.say(fmt.Sprintf("deployment of %s: %s, %d of %d tasks run", nameOfDefinition(aws.ToString(first.TaskDefinition)),
				first.RolloutState, first.RunningCount, first.DesiredCount))
		}
		return found && first.RolloutState != types.DeploymentRolloutStateInProgress, nil
	}); err != nil {
		return err
	}
	first, _ := primary(now)
	if aws.ToString(first.TaskDefinition) == d.definition && first.RolloutState == types.DeploymentRolloutStateCompleted {
		return nil
	}
	reasons = append(reasons, d.reasons(ctx, id)...)
	return fmt.Errorf("the deployment of %s failed, and the service runs %s: %s",
		nameOfDefinition(d.definition), nameOfDefinition(aws.ToString(first.TaskDefinition)), distinct(reasons))
}

func (d deployment) look(ctx context.Context) (*types.Service, error) {
	found, err := d.client.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: &d.cluster, Services: []string{d.service},
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the service: %w", err)
	}
	if len(found.Services) == 0 {
		return nil, fmt.Errorf("the service %s is gone", d.service)
	}
	return &found.Services[0], nil
}

// primary is the deployment that a service aims at; while the circuit breaker rolls back, the old one.
func primary(service *types.Service) (types.Deployment, bool) {
	i := slices.IndexFunc(service.Deployments, func(d types.Deployment) bool {
		return aws.ToString(d.Status) == "PRIMARY"
	})
	if i < 0 {
		return types.Deployment{}, false
	}
	return service.Deployments[i], true
}

// reasons are what AWS says of a deployment that failed, and of its tasks that stopped. They explain an error,
// so a question that fails is only said too.
func (d deployment) reasons(ctx context.Context, id string) (all []string) {
	list, err := d.client.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{
		Cluster: &d.cluster, Service: &d.service, MaxResults: aws.Int32(1),
	})
	if err != nil {
		all = append(all, err.Error())
	} else if len(list.ServiceDeployments) > 0 {
		all = append(all, aws.ToString(list.ServiceDeployments[0].StatusReason))
	}
	stopped, err := d.client.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster: &d.cluster, ServiceName: &d.service, DesiredStatus: types.DesiredStatusStopped,
	})
	if err != nil || len(stopped.TaskArns) == 0 {
		return all
	}
	tasks, err := d.client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &d.cluster, Tasks: stopped.TaskArns})
	if err != nil {
		return append(all, err.Error())
	}
	for _, task := range tasks.Tasks {
		if aws.ToString(task.StartedBy) != id {
			continue
		}
		all = append(all, aws.ToString(task.StoppedReason))
		for _, container := range task.Containers {
			all = append(all, aws.ToString(container.Reason))
		}
	}
	return all
}

// nameOfDefinition is family:revision of a task definition's ARN.
func nameOfDefinition(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
