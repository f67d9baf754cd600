package sweep

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
)

// deletionsEdge are what deletions are, of CloudFront, where each deletion names the version that it deletes.
var deletionsEdge = map[string]deletion{
	"cloudfront:distribution": {ask: deleteDistribution},
	"cloudfront:vpcorigin": {
		after: []string{"cloudfront:distribution"},
		ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
			c := cloudfront.NewFromConfig(cfg)
			out, err := c.GetVpcOrigin(ctx, &cloudfront.GetVpcOriginInput{Id: &id})
			if err != nil {
				return err
			}
			_, err = c.DeleteVpcOrigin(ctx, &cloudfront.DeleteVpcOriginInput{Id: &id, IfMatch: out.ETag})
			return err
		},
	},
	"cloudfront:origin-access-control": {
		after: []string{"cloudfront:distribution"},
		ask: func(ctx context.Context, cfg aws.Config, _, id string) error {
			c := cloudfront.NewFromConfig(cfg)
			out, err := c.GetOriginAccessControl(ctx, &cloudfront.GetOriginAccessControlInput{Id: &id})
			if err != nil {
				return err
			}
			_, err = c.DeleteOriginAccessControl(ctx, &cloudfront.DeleteOriginAccessControlInput{Id: &id, IfMatch: out.ETag})
			return err
		},
	},
	"cloudfront:function": {
		after: []string{"cloudfront:distribution"},
		ask: func(ctx context.Context, cfg aws.Config, _, name string) error {
			c := cloudfront.NewFromConfig(cfg)
			out, err := c.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: &name})
			if err != nil {
				return err
			}
			_, err = c.DeleteFunction(ctx, &cloudfront.DeleteFunctionInput{Name: &name, IfMatch: out.ETag})
			return err
		},
	},
}

// deleteDistribution disables a distribution, waits until all of CloudFront knows that, and deletes it.
func deleteDistribution(ctx context.Context, cfg aws.Config, _, id string) error {
	c := cloudfront.NewFromConfig(cfg)
	out, err := c.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &id})
	if err != nil {
		return err
	}
	config := out.Distribution.DistributionConfig
	if aws.ToBool(config.Enabled) {
		config.Enabled = aws.Bool(false)
		if _, err := c.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{
			Id: &id, IfMatch: out.ETag, DistributionConfig: config,
		}); err != nil {
			return err
		}
		return waiting("disabled; CloudFront takes minutes to deploy that")
	}
	if aws.ToString(out.Distribution.Status) != "Deployed" {
		return waiting("CloudFront is deploying that it is disabled")
	}
	_, err = c.DeleteDistribution(ctx, &cloudfront.DeleteDistributionInput{Id: &id, IfMatch: out.ETag})
	return err
}
