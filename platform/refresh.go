package platform

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// refresh replaces the servers of an Auto Scaling group by those of a version of its launch template.
//
// The group itself keeps its version until all are replaced, which is what a desired configuration is for: AWS
// rolls a refresh that fails back to the configuration last saved on the group
// (docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html). Whoever saves the new version
// first, as the provider does, is rolled back to it (hashicorp/terraform-provider-aws#34189).
type refresh struct {
	client        *autoscaling.Client
	group         string
	before, after *types.LaunchTemplateSpecification
	say           func(string)
}

// refreshGroup is the rollout of an Auto Scaling group.
func refreshGroup(ctx context.Context, c aws.Config, update *pulumi.ResourceHookArgs, say func(string)) error {
	version := func(inputs resource.PropertyMap) *types.LaunchTemplateSpecification {
		return &types.LaunchTemplateSpecification{
			LaunchTemplateId: aws.String(textAt(inputs, "launchTemplate", "id")),
			Version:          aws.String(textAt(inputs, "launchTemplate", "version")),
		}
	}
	r := refresh{
		client: autoscaling.NewFromConfig(c), group: string(update.ID), say: say,
		before: version(update.OldInputs), after: version(update.NewInputs),
	}
	if same(r.before, r.after) {
		return nil
	}
	return r.run(ctx)
}

func same(a, b *types.LaunchTemplateSpecification) bool {
	return a != nil && b != nil && aws.ToString(a.LaunchTemplateId) == aws.ToString(b.LaunchTemplateId) &&
		aws.ToString(a.Version) == aws.ToString(b.Version)
}

// run replaces the servers and returns AWS's reason if it does not come to that.
func (r refresh) run(ctx context.Context) error {
	id, err := r.start(ctx)
	if err != nil {
		return err
	}
	var last types.InstanceRefresh
	if err := awaiting(ctx, func() (bool, error) {
		last, err = r.look(ctx, id)
		if err != nil {
			return false, err
		}
		r.say(fmt.Sprintf("instance refresh to version %s: %s, %d%%", *r.after.Version, last.Status,
			aws.ToInt32(last.PercentageComplete)))
		return !active(last.Status), nil
	}); err != nil {
		return err
	}
	if last.Status == types.InstanceRefreshStatusSuccessful {
		return nil
	}
	reasons := []string{aws.ToString(last.StatusReason)}
	if last.RollbackDetails != nil {
		reasons = append(reasons, aws.ToString(last.RollbackDetails.RollbackReason))
	}
	activities, err := r.failures(ctx, aws.ToTime(last.StartTime))
	if err != nil {
		reasons = append(reasons, err.Error())
	}
	reasons = append(reasons, activities...)
	failed := fmt.Errorf("the instance refresh of %s to version %s of its launch template ended as %s: %s",
		r.group, *r.after.Version, last.Status, distinct(reasons))
	return errors.Join(failed, r.keep(ctx))
}

// start starts a refresh, or finds the one that an interrupted up has started. Any other is cancelled: what
// it was to bring is out of date.
func (r refresh) start(ctx context.Context) (id string, err error) {
	found, err := r.client.DescribeInstanceRefreshes(ctx, &autoscaling.DescribeInstanceRefreshesInput{
		AutoScalingGroupName: &r.group,
	})
	if err != nil {
		return "", fmt.Errorf("look for an instance refresh of %s: %w", r.group, err)
	}
	for _, other := range found.InstanceRefreshes {
		if !active(other.Status) {
			continue
		}
		goes := other.Status == types.InstanceRefreshStatusPending || other.Status == types.InstanceRefreshStatusInProgress
		if goes && other.DesiredConfiguration != nil && same(other.DesiredConfiguration.LaunchTemplate, r.after) {
			return aws.ToString(other.InstanceRefreshId), nil
		}
		if err := r.clear(ctx, other, goes); err != nil {
			return "", err
		}
	}
	started, err := r.client.StartInstanceRefresh(ctx, &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &r.group, Strategy: types.RefreshStrategyRolling,
		DesiredConfiguration: &types.DesiredConfiguration{LaunchTemplate: r.after},
		// Never fewer than all of the servers in service, and one more at a time in fleets of up to ten. Twice as many
		// would be faster and need twice the account's quota.
		Preferences: &types.RefreshPreferences{
			MinHealthyPercentage: aws.Int32(contract.RefreshLeast), MaxHealthyPercentage: aws.Int32(contract.RefreshMost),
			InstanceWarmup: aws.Int32(int32(contract.RefreshWarmup.Seconds())), AutoRollback: aws.Bool(true),
			SkipMatching: aws.Bool(true), // servers that an interrupted refresh has replaced stay
		},
	})
	if err != nil {
		return "", fmt.Errorf("start an instance refresh of %s: %w", r.group, err)
	}
	return aws.ToString(started.InstanceRefreshId), nil
}

// clear waits for the end of a refresh that is in the way, and cancels it if it goes on.
func (r refresh) clear(ctx context.Context, other types.InstanceRefresh, goes bool) error {
	if goes {
		_, err := r.client.CancelInstanceRefresh(ctx, &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: &r.group})
		if gone := new(types.ActiveInstanceRefreshNotFoundFault); err != nil && !errors.As(err, &gone) {
			return fmt.Errorf("cancel the instance refresh before this one: %w", err)
		}
	}
	return awaiting(ctx, func() (bool, error) {
		now, err := r.look(ctx, aws.ToString(other.InstanceRefreshId))
		r.say(fmt.Sprintf("waiting for the end of the instance refresh before this one: %s", now.Status))
		return !active(now.Status), err
	})
}

func (r refresh) look(ctx context.Context, id string) (types.InstanceRefresh, error) {
	found, err := r.client.DescribeInstanceRefreshes(ctx, &autoscaling.DescribeInstanceRefreshesInput{
		AutoScalingGroupName: &r.group, InstanceRefreshIds: []string{id},
	})
	if err != nil {
		return types.InstanceRefresh{}, fmt.Errorf("ask for the instance refresh of %s: %w", r.group, err)
	}
	if len(found.InstanceRefreshes) == 0 {
		return types.InstanceRefresh{}, fmt.Errorf("the instance refresh %s of %s is gone", id, r.group)
	}
	return found.InstanceRefreshes[0], nil
}

// active says that a refresh has not ended.
func active(status types.InstanceRefreshStatus) bool {
	return !slices.Contains([]types.InstanceRefreshStatus{
		types.InstanceRefreshStatusSuccessful, types.InstanceRefreshStatusFailed, types.InstanceRefreshStatusCancelled,
		types.InstanceRefreshStatusRollbackSuccessful, types.InstanceRefreshStatusRollbackFailed,
	}, status)
}

// failures are what AWS says of launches that failed since a refresh began, such as a quota that is full.
func (r refresh) failures(ctx context.Context, began time.Time) (messages []string, err error) {
	found, err := r.client.DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{
		AutoScalingGroupName: &r.group,
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the scaling activities of %s: %w", r.group, err)
	}
	for _, a := range found.Activities {
		if a.StatusCode == types.ScalingActivityStatusCodeFailed && !aws.ToTime(a.StartTime).Before(began) {
			messages = append(messages, aws.ToString(a.StatusMessage))
		}
	}
	return messages, nil
}

// keep makes sure that what the group launches from now on is the version that worked.
func (r refresh) keep(ctx context.Context) error {
	found, err := r.client.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{r.group},
	})
	if err != nil {
		return fmt.Errorf("ask which version %s launches: %w", r.group, err)
	}
	if len(found.AutoScalingGroups) == 0 || same(found.AutoScalingGroups[0].LaunchTemplate, r.before) {
		return nil
	}
	if _, err := r.client.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: &r.group, LaunchTemplate: r.before,
	}); err != nil {
		return fmt.Errorf("set %s back to version %s of its launch template: %w", r.group, *r.before.Version, err)
	}
	return nil
}

// distinct joins what is not empty and was not said before.
func distinct(texts []string) string {
	var said []string
	for _, text := range texts {
		if text != "" && !slices.Contains(said, text) {
			said = append(said, text)
		}
	}
	return strings.Join(said, "; ")
}
