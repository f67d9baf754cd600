package sweep

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"shoplab/lab/paging"
)

// inEC2 finds what carries the project's tag by EC2's own list of tags, which knows a resource from its first second,
// and kinds that the tagging API does not list.
func inEC2(ctx context.Context, cfg aws.Config, account string) ([]Resource, error) {
	found := map[string]*Resource{}
	// All tags that something is told by; which of the resources are the project's, the answer says.
	in := &ec2.DescribeTagsInput{
		Filters: []ec2types.Filter{{Name: aws.String("key"), Values: []string{"project", "stage", "component", "expires"}}},
	}
	for page, err := range paging.Pages(ctx, ec2.NewDescribeTagsPaginator(ec2.NewFromConfig(cfg), in)) {
		if err != nil {
			return nil, err
		}
		for _, t := range page.Tags {
			id := aws.ToString(t.ResourceId)
			if found[id] == nil {
				kind := string(t.ResourceType)
				if strings.HasPrefix(id, "eipalloc-") {
					kind = "elastic-ip" // as its ARN has it, whatever the list calls it
				}
				arn := fmt.Sprintf("arn:aws:ec2:%s:%s:%s/%s", cfg.Region, account, kind, id)
				found[id] = &Resource{Service: "ec2", ID: arn, Tags: map[string]string{}}
			}
			found[id].Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	var out []Resource
	for _, r := range found {
		if r.Tags["project"] == Project {
			out = append(out, *r)
		}
	}
	return confirmed(ctx, cfg, out)
}

// databases finds the project's databases and their subnet groups by RDS's own lists.
func databases(ctx context.Context, c *rds.Client) ([]Resource, error) {
	var out []Resource
	pair := func(t rdstypes.Tag) (*string, *string) { return t.Key, t.Value }
	add := func(r Resource) {
		if r.Tags["project"] == Project {
			out = append(out, r)
		}
	}
	for page, err := range paging.Pages(ctx, rds.NewDescribeDBInstancesPaginator(c,
		&rds.DescribeDBInstancesInput{})) {
		if err != nil {
			return nil, err
		}
		for _, d := range page.DBInstances {
			add(resourceOf("rds", d.DBInstanceArn, d.TagList, pair))
		}
	}
	tags := func(arn *string) ([]rdstypes.Tag, error) {
		listed, err := c.ListTagsForResource(ctx, &rds.ListTagsForResourceInput{ResourceName: arn})
		if err != nil {
			return nil, err
		}
		return listed.TagList, nil
	}
	for page, err := range paging.Pages(ctx, rds.NewDescribeDBSubnetGroupsPaginator(c,
		&rds.DescribeDBSubnetGroupsInput{})) {
		if err != nil {
			return nil, err
		}
		for _, g := range page.DBSubnetGroups {
			r, _, err := withTags("rds", g.DBSubnetGroupArn, tags, pair)
			if err != nil {
				return nil, err
			}
			add(r) // without tags where it went meanwhile
		}
	}
	return out, nil
}

// edge finds the project's distributions and VPC origins by CloudFront's own lists.
func edge(ctx context.Context, c *cloudfront.Client) ([]Resource, error) {
	var arns []*string
	for page, err := range paging.Pages(ctx, cloudfront.NewListDistributionsPaginator(c,
		&cloudfront.ListDistributionsInput{})) {
		if err != nil {
			return nil, err
		}
		if page.DistributionList != nil {
			for _, d := range page.DistributionList.Items {
				arns = append(arns, d.ARN)
			}
		}
	}
	for in, more := (&cloudfront.ListVpcOriginsInput{}), true; more; {
		page, err := c.ListVpcOrigins(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, o := range page.VpcOriginList.Items {
			arns = append(arns, o.Arn)
		}
		in.Marker, more = page.VpcOriginList.NextMarker, aws.ToBool(page.VpcOriginList.IsTruncated)
	}
	var out []Resource
	tags := func(arn *string) ([]cftypes.Tag, error) {
		listed, err := c.ListTagsForResource(ctx, &cloudfront.ListTagsForResourceInput{Resource: arn})
		if err != nil {
			return nil, err
		}
		return listed.Tags.Items, nil
	}
	for _, arn := range arns {
		r, ok, err := withTags("cloudfront", arn, tags, func(t cftypes.Tag) (*string, *string) { return t.Key, t.Value })
		if err != nil {
			return nil, err
		}
		if ok && r.Tags["project"] == Project {
			out = append(out, r)
		}
	}
	return out, nil
}

// schedules finds schedules, which carry no tags, and groups of them by their names. The schedules of a group go with
// it.
func schedules(ctx context.Context, c *scheduler.Client) ([]Resource, error) {
	prefix := aws.String(Project + "-")
	var out []Resource
	for page, err := range paging.Pages(ctx, scheduler.NewListSchedulesPaginator(c,
		&scheduler.ListSchedulesInput{NamePrefix: prefix})) {
		if err != nil {
			return nil, err
		}
		for _, s := range page.Schedules {
			out = append(out, Resource{Service: "scheduler", ID: aws.ToString(s.Arn), name: aws.ToString(s.Name), Owner: byName})
		}
	}
	tags := func(arn *string) ([]schedulertypes.Tag, error) {
		listed, err := c.ListTagsForResource(ctx, &scheduler.ListTagsForResourceInput{ResourceArn: arn})
		if err != nil {
			return nil, err
		}
		return listed.Tags, nil
	}
	for page, err := range paging.Pages(ctx, scheduler.NewListScheduleGroupsPaginator(c,
		&scheduler.ListScheduleGroupsInput{
			NamePrefix: prefix,
		})) {
		if err != nil {
			return nil, err
		}
		for _, g := range page.ScheduleGroups {
			r, ok, err := withTags("scheduler", g.Arn, tags, func(t schedulertypes.Tag) (*string, *string) {
				return t.Key, t.Value
			})
			if err != nil {
				return nil, err
			}
			if r.Tags["project"] != Project {
				r.Owner = byName
			}
			if ok {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

// repositories finds the project's image repositories by ECR's own list.
func repositories(ctx context.Context, c *ecr.Client) ([]Resource, error) {
	var out []Resource
	tags := func(arn *string) ([]ecrtypes.Tag, error) {
		listed, err := c.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: arn})
		if err != nil {
			return nil, err
		}
		return listed.Tags, nil
	}
	for page, err := range paging.Pages(ctx, ecr.NewDescribeRepositoriesPaginator(c, &ecr.DescribeRepositoriesInput{})) {
		if err != nil {
			return nil, err
		}
		for _, repository := range page.Repositories {
			r, ok, err := withTags("ecr", repository.RepositoryArn, tags, func(t ecrtypes.Tag) (*string, *string) {
				return t.Key, t.Value
			})
			if err != nil {
				return nil, err
			}
			if ok && r.Tags["project"] == Project {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

// apis finds the project's HTTP APIs by API Gateway's own list.
func apis(ctx context.Context, c *apigatewayv2.Client, region string) ([]Resource, error) {
	var out []Resource
	for in, more := (&apigatewayv2.GetApisInput{}), true; more; {
		page, err := c.GetApis(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, a := range page.Items {
			if a.Tags["project"] == Project {
				arn := "arn:aws:apigateway:" + region + "::/apis/" + aws.ToString(a.ApiId)
				out = append(out, Resource{Service: "apigateway", ID: arn, Tags: a.Tags})
			}
		}
		in.NextToken, more = page.NextToken, page.NextToken != nil
	}
	return out, nil
}

// accessControls finds CloudFront's origin access controls, which carry no tags, by their names.
func accessControls(ctx context.Context, c *cloudfront.Client, account string) ([]Resource, error) {
	var out []Resource
	for in := (&cloudfront.ListOriginAccessControlsInput{}); ; {
		page, err := c.ListOriginAccessControls(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, a := range page.OriginAccessControlList.Items {
			if name := aws.ToString(a.Name); named(name) {
				arn := "arn:aws:cloudfront::" + account + ":origin-access-control/" + aws.ToString(a.Id)
				out = append(out, Resource{Service: "cloudfront", ID: arn, name: name, Owner: byName})
			}
		}
		if !aws.ToBool(page.OriginAccessControlList.IsTruncated) {
			return out, nil
		}
		in.Marker = page.OriginAccessControlList.NextMarker
	}
}
