package sweep

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"
)

// look asks a service whether it still has the resource of an ARN. name is what follows the resource's type.
type look func(ctx context.Context, cfg aws.Config, arn, name string) (bool, error)

// looks are the services' own answers by service and resource type, as ARNs spell them. What is neither here nor in
// looksEC2 counts as there.
var looks = map[string]look{
	"acm:certificate": func(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
		_, err := acm.NewFromConfig(cfg).DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &arn})
		return answered(err)
	},
	"cloudfront:distribution": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		_, err := cloudfront.NewFromConfig(cfg).GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &id})
		return answered(err)
	},
	"cloudfront:vpcorigin": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		_, err := cloudfront.NewFromConfig(cfg).GetVpcOrigin(ctx, &cloudfront.GetVpcOriginInput{Id: &id})
		return answered(err)
	},
	"cloudwatch:alarm": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		out, err := cloudwatch.NewFromConfig(cfg).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
			AlarmNames: []string{name},
		})
		return err == nil && len(out.MetricAlarms)+len(out.CompositeAlarms) > 0, err
	},
	"ecr:repository": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		_, err := ecr.NewFromConfig(cfg).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{
			RepositoryNames: []string{name},
		})
		return answered(err)
	},
	"ecs:cluster": lookECS, "ecs:service": lookECS, "ecs:task-definition": lookECS, "ecs:task": lookECS,
	"elasticache:cluster": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		_, err := elasticache.NewFromConfig(cfg).DescribeCacheClusters(ctx, &elasticache.DescribeCacheClustersInput{
			CacheClusterId: &id,
		})
		return answered(err)
	},
	"elasticache:replicationgroup": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		_, err := elasticache.NewFromConfig(cfg).DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{
			ReplicationGroupId: &id,
		})
		return answered(err)
	},
	"elasticache:serverlesscache": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		_, err := elasticache.NewFromConfig(cfg).DescribeServerlessCaches(ctx, &elasticache.DescribeServerlessCachesInput{
			ServerlessCacheName: &name,
		})
		return answered(err)
	},
	"elasticache:snapshot": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		out, err := elasticache.NewFromConfig(cfg).DescribeSnapshots(ctx, &elasticache.DescribeSnapshotsInput{
			SnapshotName: &name,
		})
		if err != nil {
			return answered(err)
		}
		return len(out.Snapshots) > 0, nil
	},
	"elasticache:subnetgroup": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		_, err := elasticache.NewFromConfig(cfg).DescribeCacheSubnetGroups(ctx, &elasticache.DescribeCacheSubnetGroupsInput{
			CacheSubnetGroupName: &name,
		})
		return answered(err)
	},
	"elasticloadbalancing:loadbalancer": func(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
		_, err := elb.NewFromConfig(cfg).DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{
			LoadBalancerArns: []string{arn},
		})
		return answered(err)
	},
	"elasticloadbalancing:targetgroup": func(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
		_, err := elb.NewFromConfig(cfg).DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{
			TargetGroupArns: []string{arn},
		})
		return answered(err)
	},
	"elasticloadbalancing:listener": func(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
		_, err := elb.NewFromConfig(cfg).DescribeListeners(ctx, &elb.DescribeListenersInput{ListenerArns: []string{arn}})
		return answered(err)
	},
	"elasticloadbalancing:listener-rule": func(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
		_, err := elb.NewFromConfig(cfg).DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{arn}})
		return answered(err)
	},
	"logs:log-group": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		out, err := cloudwatchlogs.NewFromConfig(cfg).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{
			LogGroupNamePrefix: &name,
		})
		if err != nil {
			return false, err
		}
		for _, g := range out.LogGroups { // the name itself comes first among those that begin with it
			if aws.ToString(g.LogGroupName) == name {
				return true, nil
			}
		}
		return false, nil
	},
	"rds:db": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		_, err := rds.NewFromConfig(cfg).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
		return answered(err)
	},
	"rds:pg": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		_, err := rds.NewFromConfig(cfg).DescribeDBParameterGroups(ctx, &rds.DescribeDBParameterGroupsInput{
			DBParameterGroupName: &name,
		})
		return answered(err)
	},
	"rds:snapshot": func(ctx context.Context, cfg aws.Config, _, id string) (bool, error) {
		_, err := rds.NewFromConfig(cfg).DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &id})
		return answered(err)
	},
	"rds:subgrp": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		_, err := rds.NewFromConfig(cfg).DescribeDBSubnetGroups(ctx, &rds.DescribeDBSubnetGroupsInput{
			DBSubnetGroupName: &name,
		})
		return answered(err)
	},
	"s3:": lookBucket,
	"sns:": func(ctx context.Context, cfg aws.Config, arn, _ string) (bool, error) {
		_, err := sns.NewFromConfig(cfg).GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
		return answered(err)
	},
	// Not GetParameter, which would ask for the right to read a secret.
	"ssm:parameter": func(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
		name = "/" + strings.TrimPrefix(name, "/") // the ARN has one slash between the type and a path
		out, err := ssm.NewFromConfig(cfg).DescribeParameters(ctx, &ssm.DescribeParametersInput{
			ParameterFilters: []ssmtypes.ParameterStringFilter{
				{Key: aws.String("Name"), Option: aws.String("Equals"), Values: []string{name}},
			},
		})
		return err == nil && len(out.Parameters) > 0, err
	},
}

// confirmed leaves out what its own service no longer has: the tagging API goes on listing deleted volumes, listeners
// and rules for 20 minutes and more (aws/aws-sdk#676, aws/aws-cli#4173), terminated instances for about an hour.
func confirmed(ctx context.Context, cfg aws.Config, listed []Resource) ([]Resource, error) {
	there := make([]bool, len(listed))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers) // the services throttle an account that asks for everything at once
	for i, r := range listed {
		g.Go(func() (err error) {
			there[i], err = exists(ctx, cfg, r.ID)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []Resource
	for i, r := range listed {
		if there[i] {
			out = append(out, r)
		}
	}
	return out, nil
}

// exists asks the service of a resource for it. What is of a kind that no look knows counts as there.
func exists(ctx context.Context, cfg aws.Config, arn string) (bool, error) {
	kind, name := kindOf(arn)
	for _, table := range []map[string]look{looks, looksEC2, looksUnlisted} {
		if ask := table[kind]; ask != nil {
			there, err := ask(ctx, cfg, arn, name)
			if err != nil {
				return true, fmt.Errorf("is %s still there: %w", arn, err)
			}
			return there, nil
		}
	}
	return true, nil
}

// kindOf takes an ARN (arn:aws:SERVICE:REGION:ACCOUNT:TYPE/NAME, TYPE:NAME or NAME) apart into SERVICE:TYPE and NAME.
func kindOf(arn string) (kind, name string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return "", arn
	}
	resource := parts[5]
	if at := strings.IndexAny(resource, ":/"); at >= 0 {
		return parts[2] + ":" + resource[:at], resource[at+1:]
	}
	return parts[2] + ":", resource
}

// answered turns the error of a question for one resource by its name into whether it is there.
func answered(err error) (bool, error) {
	if notFound(err) {
		return false, nil
	}
	return err == nil, err
}

// notFound tells AWS's answer about what it does not have.
func notFound(err error) bool {
	var refusal smithy.APIError
	if !errors.As(err, &refusal) {
		return false
	}
	code := refusal.ErrorCode()
	return strings.Contains(code, "NotFound") || strings.HasPrefix(code, "NoSuch")
}
