package sweep

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	aastypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/budgets"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
)

// looksUnlisted are what looks are, of what the tagging API does not list or lists only in part.
var looksUnlisted = map[string]look{
	"apigateway:": func(ctx context.Context, cfg aws.Config, _, path string) (bool, error) {
		api, _ := apiIn(path)
		_, err := apigatewayv2.NewFromConfig(cfg).GetApi(ctx, &apigatewayv2.GetApiInput{ApiId: &api})
		return answered(err)
	},
	"application-autoscaling:scalable-target": func(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
		target, err := scalableTarget(ctx, applicationautoscaling.NewFromConfig(cfg), arn)
		return target != nil, err
	},
	"autoscaling:autoScalingGroup": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		out, err := autoscaling.NewFromConfig(cfg).DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
			AutoScalingGroupNames: []string{groupName(name)},
		})
		return err == nil && len(out.AutoScalingGroups) > 0, err
	},
	"budgets:budget": func(ctx context.Context, cfg aws.Config, arn, name string) (bool, error) {
		_, err := budgets.NewFromConfig(cfg).DescribeBudget(ctx, &budgets.DescribeBudgetInput{
			AccountId: aws.String(accountIn(arn)), BudgetName: &name,
		})
		return answered(err)
	},
	"cloudfront:origin-access-control": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		_, err := cloudfront.NewFromConfig(cfg).GetOriginAccessControl(ctx, &cloudfront.GetOriginAccessControlInput{Id: &id})
		return answered(err)
	},
	"cloudfront:function": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		_, err := cloudfront.NewFromConfig(cfg).DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: &name})
		return answered(err)
	},
	"cloudwatch:dashboard": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		_, err := cloudwatch.NewFromConfig(cfg).GetDashboard(ctx, &cloudwatch.GetDashboardInput{DashboardName: &name})
		return answered(err)
	},
	"iam:role": func(ctx context.Context, cfg aws.Config, _, path string) (bool, error) {
		_, err := iam.NewFromConfig(cfg).GetRole(ctx, &iam.GetRoleInput{RoleName: lastPart(path)})
		return answered(err)
	},
	"iam:instance-profile": func(ctx context.Context, cfg aws.Config, _, path string) (bool, error) {
		_, err := iam.NewFromConfig(cfg).GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{
			InstanceProfileName: lastPart(path),
		})
		return answered(err)
	},
	// Not GetFunctionConfiguration, which would ask for the right to read its environment.
	"lambda:function": func(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
		_, err := lambda.NewFromConfig(cfg).ListTags(ctx, &lambda.ListTagsInput{Resource: &arn})
		return answered(err)
	},
	"lambda:event-source-mapping": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		_, err := lambda.NewFromConfig(cfg).GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: &id})
		return answered(err)
	},
	"rds:auto-backup": func(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
		out, err := rds.NewFromConfig(cfg).DescribeDBInstanceAutomatedBackups(ctx,
			&rds.DescribeDBInstanceAutomatedBackupsInput{
				DBInstanceAutomatedBackupsArn: &arn,
			})
		if err != nil {
			return answered(err)
		}
		return len(out.DBInstanceAutomatedBackups) > 0, nil
	},
	"scheduler:schedule": func(ctx context.Context, cfg aws.Config, _, path string) (bool, error) {
		group, name, _ := strings.Cut(path, "/")
		_, err := scheduler.NewFromConfig(cfg).GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: &group, Name: &name})
		return answered(err)
	},
	"scheduler:schedule-group": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		_, err := scheduler.NewFromConfig(cfg).GetScheduleGroup(ctx, &scheduler.GetScheduleGroupInput{Name: &name})
		return answered(err)
	},
}

// apiIn is the id of an API in what follows the type in an ARN of API Gateway, which has none: apis/ID or
// apis/ID/stages/NAME. A stage belongs to its API.
func apiIn(path string) (id string, part bool) {
	id, rest, _ := strings.Cut(strings.TrimPrefix(path, "apis/"), "/")
	return id, rest != ""
}

// groupName is the name in what follows the type in the ARN of an Auto Scaling group: UUID:autoScalingGroupName/NAME.
func groupName(rest string) string {
	_, name, _ := strings.Cut(rest, "autoScalingGroupName/")
	return name
}

// lastPart is the name behind an IAM path.
func lastPart(path string) *string {
	return aws.String(path[strings.LastIndex(path, "/")+1:])
}

// accountIn is the account that an ARN names.
func accountIn(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

// scalableTarget finds an ECS service's scalable target by its ARN; nil if there is none.
func scalableTarget(
	ctx context.Context, c *applicationautoscaling.Client, arn string,
) (*aastypes.ScalableTarget, error) {
	targets, err := scalableTargets(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if aws.ToString(t.ScalableTargetARN) == arn {
			return &t, nil
		}
	}
	return nil, nil
}
