package sweep

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"shoplab/lab/paging"
)

// lookBucket asks for a bucket's tags. HeadBucket would need the right to list what is in it.
// Source: Amazon S3 API Reference, HeadBucket, "Permissions"; a bucket's ARN names neither account nor region.
func lookBucket(ctx context.Context, cfg aws.Config, _, name string) (bool, error) {
	_, err := s3.NewFromConfig(cfg).GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &name})
	return answered(err)
}

// deleteBucket deletes a bucket and what is in it, of which a versioned bucket has more than it lists.
func deleteBucket(ctx context.Context, cfg aws.Config, _, name string) error {
	c := s3.NewFromConfig(cfg)
	for page, err := range paging.Pages(ctx, s3.NewListObjectVersionsPaginator(c,
		&s3.ListObjectVersionsInput{Bucket: &name})) {
		if err != nil {
			return err
		}
		var all []types.ObjectIdentifier
		for _, v := range page.Versions {
			all = append(all, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			all = append(all, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if len(all) == 0 {
			continue
		}
		out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &name, Delete: &types.Delete{Objects: all, Quiet: aws.Bool(true)}, // a page is as many as one call takes
		})
		if err != nil {
			return err
		}
		if len(out.Errors) > 0 {
			e := out.Errors[0]
			return waiting(fmt.Sprintf("%s: %s: %s", aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message)))
		}
	}
	_, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name})
	return err
}
