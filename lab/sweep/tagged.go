package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"shoplab/lab/paging"
)

// tagged lists what carries the project's tag and is confirmed by its own service.
func tagged(ctx context.Context, cfg aws.Config) ([]Resource, error) {
	in := &resourcegroupstaggingapi.GetResourcesInput{
		TagFilters: []tagtypes.TagFilter{{Key: aws.String("project"), Values: []string{Project}}},
	}
	var out []Resource
	client := resourcegroupstaggingapi.NewFromConfig(cfg)
	for page, err := range paging.Pages(ctx, resourcegroupstaggingapi.NewGetResourcesPaginator(client, in)) {
		if err != nil {
			return nil, err
		}
		for _, m := range page.ResourceTagMappingList {
			service := strings.SplitN(aws.ToString(m.ResourceARN)+":::", ":", 4)[2]
			out = append(out, resourceOf(service, m.ResourceARN, m.Tags,
				func(t tagtypes.Tag) (*string, *string) { return t.Key, t.Value }))
		}
	}
	return confirmed(ctx, cfg, out)
}

// lookECS tells whether ECS has more than the memory of a task definition, service or cluster, which it keeps, costs
// nothing and runs nothing.
func lookECS(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
	gone, err := inactive(ctx, ecs.NewFromConfig(cfg), arn)
	return !gone, err
}

// inactive tells whether ECS has only the memory of a task definition, service or cluster.
func inactive(ctx context.Context, c *ecs.Client, arn string) (bool, error) {
	parts := strings.SplitN(arn, ":", 6) // arn:aws:ecs:REGION:ACCOUNT:KIND/NAME
	kind, name, _ := strings.Cut(parts[len(parts)-1], "/")
	switch kind {
	case "task-definition":
		out, err := c.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn})
		if err != nil {
			return false, fmt.Errorf("task definition %s: %w", arn, err)
		}
		return out.TaskDefinition != nil && out.TaskDefinition.Status != ecstypes.TaskDefinitionStatusActive, nil
	case "service":
		cluster, _, _ := strings.Cut(name, "/")
		out, err := c.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: []string{arn}})
		var noCluster *ecstypes.ClusterNotFoundException
		if errors.As(err, &noCluster) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("service %s: %w", arn, err)
		}
		return len(out.Services) == 0 || aws.ToString(out.Services[0].Status) == "INACTIVE", nil
	case "task":
		cluster, _, _ := strings.Cut(name, "/")
		// Those that are to run. One that stops is known for an hour more; what it still has is a network interface.
		for page, err := range paging.Pages(ctx, ecs.NewListTasksPaginator(c, &ecs.ListTasksInput{Cluster: &cluster})) {
			var noCluster *ecstypes.ClusterNotFoundException
			if errors.As(err, &noCluster) {
				return true, nil
			}
			if err != nil {
				return false, fmt.Errorf("task %s: %w", arn, err)
			}
			if slices.Contains(page.TaskArns, arn) {
				return false, nil
			}
		}
		return true, nil
	case "cluster":
		out, err := c.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{arn}})
		if err != nil {
			return false, fmt.Errorf("cluster %s: %w", arn, err)
		}
		return len(out.Clusters) == 0 || aws.ToString(out.Clusters[0].Status) == "INACTIVE", nil
	}
	return false, nil
}
