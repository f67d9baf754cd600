package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	labaws "shoplab/lab/target/aws"

	"shoplab/lab/paging"
	"shoplab/lab/watch"
)

// box is a bucket as a letter box. S3 reads what was written last, so that an object that is there is whole and new.
// Source: Amazon S3 User Guide, "Amazon S3 data consistency model".
type box struct {
	s3     *s3.Client
	bucket string
	every  time.Duration // between two looks
}

// look is how often a letter is looked for: an order waits for half of it, and each look is a request that is billed.
const look = 500 * time.Millisecond

func newBox(cfg aws.Config, bucket string) box {
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true })
	return box{s3: client, bucket: bucket, every: look}
}

func (b box) put(ctx context.Context, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	_, err = b.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(text)})
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// get reads an object, if it is there.
func (b box) get(ctx context.Context, key string, into any) (found bool, err error) {
	out, err := b.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: &key})
	var missing *types.NoSuchKey
	switch {
	case errors.As(err, &missing):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	defer out.Body.Close()
	if err := json.NewDecoder(out.Body).Decode(into); err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	return true, nil
}

// wait looks for an object until it is there.
func (b box) wait(ctx context.Context, key string, into any) error {
	for {
		if found, err := b.get(ctx, key, into); found || err != nil {
			return err
		}
		if err := watch.Pause(ctx, b.every); err != nil {
			return err
		}
	}
}

// hello is what a shard leaves when it comes.
type hello struct {
	Task string `json:"task,omitempty"` // its ARN
}

// awaitPatience is how long tasks may take to come once their service is steady.
const awaitPatience = 5 * time.Minute

// await waits for shards, and reads S3's clock, which the shards have too: tasks on Fargate have AWS's time (AWS
// Containers Blog, "Run time sensitive workloads on ECS Fargate with clock accuracy tracking").
func (b box) await(ctx context.Context, n int) (found labaws.Shards, err error) {
	ctx, cancel := context.WithTimeout(ctx, awaitPatience)
	defer cancel()
	for {
		var names []string
		if names, found.Ahead, err = b.names(ctx, "hello/"); err != nil {
			return found, err
		}
		if len(names) >= n {
			for _, name := range names[:n] {
				var h hello
				if _, err := b.get(ctx, "hello/"+name, &h); err != nil {
					return found, err
				}
				found.Shards = append(found.Shards, labaws.Shard{Name: name, Task: h.Task})
			}
			return found, nil
		}
		if err := watch.Pause(ctx, b.every); err != nil {
			return found, fmt.Errorf("%d of %d load generators came within %s: see the log group /shoplab/generator/service",
				len(names), n, awaitPatience)
		}
	}
}

// names lists what is in a folder, and says how far S3's clock is ahead of this one.
func (b box) names(ctx context.Context, folder string) (names []string, ahead time.Duration, err error) {
	pages := s3.NewListObjectsV2Paginator(b.s3, &s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: &folder})
	for page, err := range paging.Pages(ctx, pages) {
		if err != nil {
			return nil, 0, fmt.Errorf("list %s: %w", folder, err)
		}
		for _, o := range page.Contents {
			names = append(names, strings.TrimPrefix(aws.ToString(o.Key), folder))
		}
		if skew, ok := middleware.GetAttemptSkew(page.ResultMetadata); ok && skew.Abs() > time.Second {
			ahead = skew // of less the answer's header, which has whole seconds, does not tell
		}
	}
	slices.Sort(names)
	return names, ahead, nil
}
