package sweep

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/budgets"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// finders are the places to look. The tagging API does not know IAM roles, Auto Scaling groups,
// budgets, dashboards, or a log group that its writer made again without tags.
func finders(cfg aws.Config, account string) []finder {
	return []finder{
		{"tagging", func(ctx context.Context) ([]Resource, error) { return tagged(ctx, cfg) }},
		{"iam", func(ctx context.Context) ([]Resource, error) { return roles(ctx, iam.NewFromConfig(cfg)) }},
		{"autoscaling", func(ctx context.Context) ([]Resource, error) { return groups(ctx, autoscaling.NewFromConfig(cfg)) }},
		{"budgets", func(ctx context.Context) ([]Resource, error) {
			return budgetsOf(ctx, budgets.NewFromConfig(cfg), account)
		}},
		{"cloudwatch", func(ctx context.Context) ([]Resource, error) { return dashboards(ctx, cloudwatch.NewFromConfig(cfg)) }},
		{"logs", func(ctx context.Context) ([]Resource, error) {
			return logGroups(ctx, cloudwatchlogs.NewFromConfig(cfg))
		}},
		{"rds", func(ctx context.Context) ([]Resource, error) { return backups(ctx, rds.NewFromConfig(cfg)) }},
	}
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
	for p := iam.NewListRolesPaginator(c, &iam.ListRolesInput{}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
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
			res := Resource{Service: "iam", ID: aws.ToString(r.Arn), Tags: map[string]string{}}
			for _, t := range tags.Tags {
				res.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			if res.Tags["project"] == Project || named(aws.ToString(r.RoleName)) {
				out = append(out, res)
			}
		}
	}
	return out, nil
}

func groups(ctx context.Context, c *autoscaling.Client) ([]Resource, error) {
	in := &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []autoscalingtypes.Filter{{Name: aws.String("tag:project"), Values: []string{Project}}},
	}
	var out []Resource
	for p := autoscaling.NewDescribeAutoScalingGroupsPaginator(c, in); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.AutoScalingGroups {
			r := Resource{Service: "autoscaling", ID: aws.ToString(g.AutoScalingGroupARN), Tags: map[string]string{}}
			for _, t := range g.Tags {
				r.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			out = append(out, r)
		}
	}
	return out, nil
}

func budgetsOf(ctx context.Context, c *budgets.Client, account string) ([]Resource, error) {
	var out []Resource
	for p := budgets.NewDescribeBudgetsPaginator(c, &budgets.DescribeBudgetsInput{AccountId: &account}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range page.Budgets {
			if name := aws.ToString(b.BudgetName); named(name) {
				out = append(out, Resource{Service: "budgets", ID: "budget:" + name})
			}
		}
	}
	return out, nil
}

func dashboards(ctx context.Context, c *cloudwatch.Client) ([]Resource, error) {
	var out []Resource
	for p := cloudwatch.NewListDashboardsPaginator(c, &cloudwatch.ListDashboardsInput{}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range page.DashboardEntries {
			if named(aws.ToString(d.DashboardName)) {
				out = append(out, Resource{Service: "cloudwatch", ID: aws.ToString(d.DashboardArn)})
			}
		}
	}
	return out, nil
}

func logGroups(ctx context.Context, c *cloudwatchlogs.Client) ([]Resource, error) {
	var out []Resource
	for p := cloudwatchlogs.NewDescribeLogGroupsPaginator(c, &cloudwatchlogs.DescribeLogGroupsInput{}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.LogGroups {
			if name := aws.ToString(g.LogGroupName); named(name) {
				// The tagging API's form of the ARN, so that a group that both list counts once.
				out = append(out, Resource{Service: "logs", ID: strings.TrimSuffix(aws.ToString(g.Arn), ":*")})
			}
		}
	}
	return out, nil
}

// backups finds automated backups: they outlive their instance and are not tagged.
func backups(ctx context.Context, c *rds.Client) ([]Resource, error) {
	var out []Resource
	for p := rds.NewDescribeDBInstanceAutomatedBackupsPaginator(c, &rds.DescribeDBInstanceAutomatedBackupsInput{}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range page.DBInstanceAutomatedBackups {
			if named(aws.ToString(b.DBInstanceIdentifier)) {
				out = append(out, Resource{Service: "rds", ID: aws.ToString(b.DBInstanceAutomatedBackupsArn)})
			}
		}
	}
	return out, nil
}
