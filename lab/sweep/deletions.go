package sweep

import (
	"context"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/budgets"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// deletions are how resources are deleted, by service and resource type, as ARNs spell them.
var deletions = func() map[string]deletion {
	all := maps.Clone(deletionsEC2)
	for _, table := range []map[string]deletion{deletionsData, deletionsEdge, deletionsRest} {
		maps.Copy(all, table)
	}
	return all
}()

// deletionsRest are what deletions are, of what runs the shop and what watches it.
var deletionsRest = map[string]deletion{
	"apigateway:": {
		after: []string{"cloudfront:distribution"},
		ask: func(ctx context.Context, cfg aws.Config, _, path string) error {
			api, part := apiIn(path)
			if part {
				return errBelongs
			}
			_, err := apigatewayv2.NewFromConfig(cfg).DeleteApi(ctx, &apigatewayv2.DeleteApiInput{ApiId: &api})
			return err
		},
	},
	"application-autoscaling:scalable-target": {ask: func(ctx context.Context, cfg aws.Config, arn, _ string) error {
		c := applicationautoscaling.NewFromConfig(cfg)
		target, err := scalableTarget(ctx, c, arn)
		if err != nil || target == nil {
			return err
		}
		_, err = c.DeregisterScalableTarget(ctx, &applicationautoscaling.DeregisterScalableTargetInput{
			ServiceNamespace: target.ServiceNamespace, ResourceId: target.ResourceId,
			ScalableDimension: target.ScalableDimension,
		})
		return err
	}},
	"autoscaling:autoScalingGroup": {ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		_, err := autoscaling.NewFromConfig(cfg).DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{
			AutoScalingGroupName: aws.String(groupName(name)), ForceDelete: aws.Bool(true),
		})
		return err
	}},
	"budgets:budget": {ask: func(ctx context.Context, cfg aws.Config, arn, name string) error {
		_, err := budgets.NewFromConfig(cfg).DeleteBudget(ctx, &budgets.DeleteBudgetInput{
			AccountId: aws.String(accountIn(arn)), BudgetName: &name,
		})
		return err
	}},
	// An alarm that target tracking made goes with its policy; after it, this takes what is left.
	"cloudwatch:alarm": {
		after: []string{"autoscaling:autoScalingGroup", "application-autoscaling:scalable-target"},
		ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
			_, err := cloudwatch.NewFromConfig(cfg).DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{name}})
			return err
		},
	},
	"cloudwatch:dashboard": {ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		_, err := cloudwatch.NewFromConfig(cfg).DeleteDashboards(ctx, &cloudwatch.DeleteDashboardsInput{
			DashboardNames: []string{name},
		})
		return err
	}},
	"ecr:repository": {after: runs, ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		_, err := ecr.NewFromConfig(cfg).DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: &name, Force: true})
		return err
	}},
	"ecs:service": {
		after: []string{"application-autoscaling:scalable-target"},
		ask: func(ctx context.Context, cfg aws.Config, arn, name string) error {
			cluster, _, _ := strings.Cut(name, "/")
			_, err := ecs.NewFromConfig(cfg).DeleteService(ctx, &ecs.DeleteServiceInput{
				Cluster: &cluster, Service: &arn, Force: aws.Bool(true),
			})
			return err
		},
	},
	"ecs:task": {after: []string{"ecs:service"}, ask: func(ctx context.Context, cfg aws.Config, arn, name string) error {
		cluster, _, _ := strings.Cut(name, "/")
		_, err := ecs.NewFromConfig(cfg).StopTask(ctx, &ecs.StopTaskInput{Cluster: &cluster, Task: &arn})
		return err
	}},
	"ecs:task-definition": {
		after: []string{"ecs:service", "ecs:task"},
		ask: func(ctx context.Context, cfg aws.Config, arn, _ string) error {
			_, err := ecs.NewFromConfig(cfg).DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{
				TaskDefinition: &arn,
			})
			return err
		},
	},
	"ecs:cluster": {
		after: []string{"ecs:service", "ecs:task"},
		ask: func(ctx context.Context, cfg aws.Config, arn, _ string) error {
			_, err := ecs.NewFromConfig(cfg).DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: &arn})
			return err
		},
	},
	"iam:instance-profile": {after: runs, ask: deleteProfile},
	// Lambda deletes a function's network interfaces with the rights of the function's role. None is left, whether an
	// inventory has listed it or not, when the subnets are gone. Source: awslabs/aws-support-tools#174.
	"iam:role": {
		after: append([]string{
			"ec2:network-interface", "ec2:subnet", "scheduler:schedule", "scheduler:schedule-group",
		}, runs...),
		ask: deleteRole,
	},
	"lambda:function": {
		after: []string{"lambda:event-source-mapping", "scheduler:schedule", "scheduler:schedule-group"},
		ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
			_, err := lambda.NewFromConfig(cfg).DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
			return err
		},
	},
	"lambda:event-source-mapping": {ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
		_, err := lambda.NewFromConfig(cfg).DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: &id})
		return err
	}},
	// After what writes into it, which would bring it back.
	"logs:log-group": {after: runs, ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		_, err := cloudwatchlogs.NewFromConfig(cfg).DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{
			LogGroupName: &name,
		})
		return err
	}},
	"s3:": {after: runs, ask: deleteBucket},
	"scheduler:schedule": {ask: func(ctx context.Context, cfg aws.Config, _, path string) error {
		group, name, _ := strings.Cut(path, "/")
		_, err := scheduler.NewFromConfig(cfg).DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{
			GroupName: &group, Name: &name,
		})
		return err
	}},
	// The schedules of a group go with it.
	"scheduler:schedule-group": {ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		_, err := scheduler.NewFromConfig(cfg).DeleteScheduleGroup(ctx, &scheduler.DeleteScheduleGroupInput{Name: &name})
		return err
	}},
	"sns:": {ask: func(ctx context.Context, cfg aws.Config, arn, _ string) error { // and its subscriptions
		_, err := sns.NewFromConfig(cfg).DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &arn})
		return err
	}},
	"ssm:parameter": {after: runs, ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
		name = "/" + strings.TrimPrefix(name, "/")
		_, err := ssm.NewFromConfig(cfg).DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &name})
		return err
	}},
	"acm:certificate": {
		after: []string{"cloudfront:distribution", "elasticloadbalancing:loadbalancer"},
		ask: func(ctx context.Context, cfg aws.Config, arn, _ string) error {
			_, err := acm.NewFromConfig(cfg).DeleteCertificate(ctx, &acm.DeleteCertificateInput{CertificateArn: &arn})
			return err
		},
	},
	"elasticloadbalancing:loadbalancer": {
		after: []string{"cloudfront:vpcorigin"},
		ask: func(ctx context.Context, cfg aws.Config, arn, _ string) error {
			_, err := elb.NewFromConfig(cfg).DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &arn})
			return err
		},
	},
	"elasticloadbalancing:listener":      {}, // with its load balancer
	"elasticloadbalancing:listener-rule": {},
	"elasticloadbalancing:targetgroup": {
		after: append([]string{"elasticloadbalancing:loadbalancer"}, runs...),
		ask: func(ctx context.Context, cfg aws.Config, arn, _ string) error {
			_, err := elb.NewFromConfig(cfg).DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &arn})
			return err
		},
	},
}

// deleteRole deletes a role, what it may do first, and the profiles' use of it. The role of who deletes it cannot be
// asked anything once its last policy is gone: IAM takes seconds to notice, in which the role itself goes.
func deleteRole(ctx context.Context, cfg aws.Config, _, path string) error {
	c, name := iam.NewFromConfig(cfg), lastPart(path)
	profiles, err := c.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: name})
	if err != nil {
		return err
	}
	for _, p := range profiles.InstanceProfiles {
		in := &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: p.InstanceProfileName, RoleName: name}
		if _, err := c.RemoveRoleFromInstanceProfile(ctx, in); err != nil && !notFound(err) {
			return err
		}
	}
	attached, err := c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})
	if err != nil {
		return err
	}
	inline, err := c.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	if err != nil {
		return err
	}
	for _, p := range attached.AttachedPolicies {
		if _, err := c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{
			RoleName: name, PolicyArn: p.PolicyArn,
		}); err != nil && !notFound(err) {
			return err
		}
	}
	for _, p := range inline.PolicyNames {
		if _, err := c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: &p}); err != nil &&
			!notFound(err) {
			return err
		}
	}
	_, err = c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	return err
}

func deleteProfile(ctx context.Context, cfg aws.Config, _, path string) error {
	c, name := iam.NewFromConfig(cfg), lastPart(path)
	out, err := c.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: name})
	if err != nil {
		return err
	}
	for _, role := range out.InstanceProfile.Roles {
		in := &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: name, RoleName: role.RoleName}
		if _, err := c.RemoveRoleFromInstanceProfile(ctx, in); err != nil && !notFound(err) {
			return err
		}
	}
	_, err = c.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: name})
	return err
}
