package main

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"shoplab/lab/sweep"
)

// instances are a stage's EC2 instances in a state.
func instances(
	ctx context.Context, cfg awssdk.Config, stage string, state ec2types.InstanceStateName,
) ([]ec2types.Instance, error) {
	found, err := sweep.Instances(ctx, ec2.NewFromConfig(cfg),
		ec2types.Filter{Name: awssdk.String("tag:project"), Values: []string{sweep.Project}},
		ec2types.Filter{Name: awssdk.String("tag:stage"), Values: []string{stage}},
		ec2types.Filter{Name: awssdk.String("instance-state-name"), Values: []string{string(state)}})
	if err != nil {
		return nil, fmt.Errorf("find the stage's servers: %w", err)
	}
	return found, nil
}
