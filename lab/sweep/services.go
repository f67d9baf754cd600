package sweep

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/budgets"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"shoplab/lab/paging"
)

// global is the region in which the tagging API lists what belongs to no region, such as CloudFront's
// distributions, and where their certificates are.
const global = "us-east-1"

// finders are the places to look. The tagging API does not know IAM roles, Auto Scaling groups,
// budgets, dashboards, or a log group that its writer made again without tags.
func finders(cfg aws.Config, account string) []finder {
	all := []finder{
		{"tagging", func(ctx context.Context) ([]Resource, error) { return tagged(ctx, cfg) }},
		{"iam roles", func(ctx context.Context) ([]Resource, error) { return roles(ctx, iam.NewFromConfig(cfg)) }},
		{
			"iam instance profiles", func(ctx context.Context) ([]Resource, error) {
				return profiles(ctx, iam.NewFromConfig(cfg))
			},
		},
		{"autoscaling", func(ctx context.Context) ([]Resource, error) { return groups(ctx, autoscaling.NewFromConfig(cfg)) }},
		{"budgets", func(ctx context.Context) ([]Resource, error) {
			return budgetsOf(ctx, budgets.NewFromConfig(cfg), account)
		}},
		{
			"cloudwatch", func(ctx context.Context) ([]Resource, error) {
				return dashboards(ctx, cloudwatch.NewFromConfig(cfg))
			},
		},
		{"logs", func(ctx context.Context) ([]Resource, error) {
			return logGroups(ctx, cloudwatchlogs.NewFromConfig(cfg))
		}},
		{"rds", func(ctx context.Context) ([]Resource, error) { return databases(ctx, rds.NewFromConfig(cfg)) }},
		{"rds backups", func(ctx context.Context) ([]Resource, error) {
			return databaseBackups(ctx, rds.NewFromConfig(cfg))
		}},
		{"elasticache snapshots", func(ctx context.Context) ([]Resource, error) {
			return cacheSnapshots(ctx, elasticache.NewFromConfig(cfg))
		}},
		{"ec2 snapshots and images", func(ctx context.Context) ([]Resource, error) {
			return serverBackups(ctx, cfg, account)
		}},
		{"ec2", func(ctx context.Context) ([]Resource, error) { return inEC2(ctx, cfg, account) }},
		{"vpc", func(ctx context.Context) ([]Resource, error) { return inNetworks(ctx, cfg, account) }},
		{"ec2 volumes", func(ctx context.Context) ([]Resource, error) { return volumesOfServers(ctx, cfg, account) }},
		{"scaling", func(ctx context.Context) ([]Resource, error) { return scaling(ctx, cfg) }},
		{"apigateway", func(ctx context.Context) ([]Resource, error) {
			return apis(ctx, apigatewayv2.NewFromConfig(cfg), cfg.Region)
		}},
		{"ecr", func(ctx context.Context) ([]Resource, error) { return repositories(ctx, ecr.NewFromConfig(cfg)) }},
		{"scheduler", func(ctx context.Context) ([]Resource, error) { return schedules(ctx, scheduler.NewFromConfig(cfg)) }},
		{"cloudfront", func(ctx context.Context) ([]Resource, error) { return edge(ctx, cloudfront.NewFromConfig(cfg)) }},
		{"cloudfront access controls", func(ctx context.Context) ([]Resource, error) {
			return accessControls(ctx, cloudfront.NewFromConfig(cfg), account)
		}},
	}
	if cfg.Region != global {
		there := cfg.Copy()
		there.Region = global
		all = append(all, finder{
			"tagging " + global, func(ctx context.Context) ([]Resource, error) { return tagged(ctx, there) },
		})
	}
	return all
}

func accountOf(ctx context.Context, cfg aws.Config) (string, error) {
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Account), nil
}

func roles(ctx context.Context, c *iam.Client) ([]Resource, error) {
	var out []Resource
	for page, err := range paging.Pages(ctx, iam.NewListRolesPaginator(c, &iam.ListRolesInput{})) {
		if err != nil {
			return nil, err
		}
		for _, r := range page.Roles {
			if strings.HasPrefix(aws.ToString(r.Path), "/aws-service-role/") {
				continue // AWS's own: they belong to the account, not to a stack
			}
			// ListRoles leaves tags out.
			tags, err := c.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: r.RoleName})
			if err != nil {
				return nil, fmt.Errorf("tags of role %s: %w", aws.ToString(r.RoleName), err)
			}
			switch res := identity(r.Arn, tags.Tags); {
			case res.Tags["project"] == Project:
				out = append(out, res)
			case named(aws.ToString(r.RoleName)):
				res.Owner = byName
				out = append(out, res)
			}
		}
	}
	return out, nil
}

func profiles(ctx context.Context, c *iam.Client) ([]Resource, error) {
	var out []Resource
	for page, err := range paging.Pages(ctx, iam.NewListInstanceProfilesPaginator(c,
		&iam.ListInstanceProfilesInput{})) {
		if err != nil {
			return nil, err
		}
		for _, listed := range page.InstanceProfiles {
			// ListInstanceProfiles leaves tags out.
			one, err := c.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: listed.InstanceProfileName})
			if err != nil {
				return nil, fmt.Errorf("instance profile %s: %w", aws.ToString(listed.InstanceProfileName), err)
			}
			if res := identity(listed.Arn, one.InstanceProfile.Tags); res.Tags["project"] == Project {
				out = append(out, res)
			}
		}
	}
	return out, nil
}

func identity(arn *string, tags []iamtypes.Tag) Resource {
	return resourceOf("iam", arn, tags, func(t iamtypes.Tag) (*string, *string) { return t.Key, t.Value })
}

func groups(ctx context.Context, c *autoscaling.Client) ([]Resource, error) {
	in := &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []autoscalingtypes.Filter{{Name: aws.String("tag:project"), Values: []string{Project}}},
	}
	var out []Resource
	for page, err := range paging.Pages(ctx, autoscaling.NewDescribeAutoScalingGroupsPaginator(c, in)) {
		if err != nil {
			return nil, err
		}
		for _, g := range page.AutoScalingGroups {
			out = append(out, resourceOf("autoscaling", g.AutoScalingGroupARN, g.Tags,
				func(t autoscalingtypes.TagDescription) (*string, *string) { return t.Key, t.Value }))
		}
	}
	return out, nil
}

func budgetsOf(ctx context.Context, c *budgets.Client, account string) ([]Resource, error) {
	var out []Resource
	for page, err := range paging.Pages(ctx, budgets.NewDescribeBudgetsPaginator(c, &budgets.DescribeBudgetsInput{
		AccountId: &account,
	})) {
		if err != nil {
			return nil, err
		}
		for _, b := range page.Budgets {
			if name := aws.ToString(b.BudgetName); named(name) {
				arn := "arn:aws:budgets::" + account + ":budget/" + name // as the tagging API has it, if it has
				out = append(out, Resource{Service: "budgets", ID: arn, Owner: byName})
			}
		}
	}
	return out, nil
}

func dashboards(ctx context.Context, c *cloudwatch.Client) ([]Resource, error) {
	var out []Resource
	for page, err := range paging.Pages(ctx, cloudwatch.NewListDashboardsPaginator(c,
		&cloudwatch.ListDashboardsInput{})) {
		if err != nil {
			return nil, err
		}
		for _, d := range page.DashboardEntries {
			if named(aws.ToString(d.DashboardName)) {
				out = append(out, Resource{Service: "cloudwatch", ID: aws.ToString(d.DashboardArn), Owner: byName})
			}
		}
	}
	return out, nil
}

func logGroups(ctx context.Context, c *cloudwatchlogs.Client) ([]Resource, error) {
	var out []Resource
	for page, err := range paging.Pages(ctx, cloudwatchlogs.NewDescribeLogGroupsPaginator(c,
		&cloudwatchlogs.DescribeLogGroupsInput{})) {
		if err != nil {
			return nil, err
		}
		for _, g := range page.LogGroups {
			if name := aws.ToString(g.LogGroupName); named(name) {
				// The tagging API's form of the ARN, so that a group that both list counts once.
				out = append(out, Resource{Service: "logs", ID: strings.TrimSuffix(aws.ToString(g.Arn), ":*"), Owner: byName})
			}
		}
	}
	return out, nil
}
