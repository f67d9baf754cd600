package sweep

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// withTags is a resource with the tags that its service lists, each a pair of key and value; ok is false where it went
// meanwhile.
func withTags[T any](
	service string, arn *string, list func(arn *string) ([]T, error), pair func(T) (key, value *string),
) (r Resource, ok bool, err error) {
	tags, err := list(arn)
	if notFound(err) {
		return Resource{}, false, nil
	}
	if err != nil {
		return Resource{}, false, fmt.Errorf("tags of %s: %w", aws.ToString(arn), err)
	}
	return resourceOf(service, arn, tags, pair), true, nil
}

// resourceOf is a resource with the tags that a list of its service has.
func resourceOf[T any](service string, arn *string, tags []T, pair func(T) (key, value *string)) Resource {
	r := Resource{Service: service, ID: aws.ToString(arn), Tags: map[string]string{}}
	for _, t := range tags {
		key, value := pair(t)
		r.Tags[aws.ToString(key)] = aws.ToString(value)
	}
	return r
}
