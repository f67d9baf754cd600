package main

import (
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/platform/awstest"
)

// TestCloudUsageOnAnEmulatedAccount: the function is found by its tags, and CloudWatch makes minutes of what it was
// told of each event. No function runs there: the test tells what Lambda would, which real AWS lets nobody do.
func TestCloudUsageOnAnEmulatedAccount(t *testing.T) {
	awstest.Emulate(t, "../..").Setenv(t)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	const name = "shoplab-stage5-shop"
	_, err = lambda.NewFromConfig(cfg).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: awssdk.String(name), Role: awssdk.String("arn:aws:iam::123456789012:role/shop"),
		PackageType: lambdatypes.PackageTypeImage,
		Code: &lambdatypes.FunctionCode{
			ImageUri: awssdk.String("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1"),
		},
		Tags: map[string]string{"project": "shoplab", "stage": "stage5"},
	})
	if err != nil {
		t.Fatal(err)
	}
	minute := time.Now().UTC().Truncate(time.Minute).Add(-10 * time.Minute)
	tell := func(function, metric string, minutes int, values ...float64) {
		t.Helper()
		_, err := cloudwatch.NewFromConfig(cfg).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
			Namespace: awssdk.String("AWS/Lambda"), MetricData: []cwtypes.MetricDatum{{
				MetricName: awssdk.String(metric), Values: values,
				Dimensions: []cwtypes.Dimension{{Name: awssdk.String("FunctionName"), Value: awssdk.String(function)}},
				Timestamp:  awssdk.Time(minute.Add(time.Duration(minutes)*time.Minute + 20*time.Second)),
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tell(name, "Duration", 0, 900) // the minutes 0 and 3 are not whole
	tell(name, "Duration", 1, 3, 5)
	tell(name, "Duration", 2, 4, 8)
	tell(name, "Duration", 3, 900)
	tell(name, "ConcurrentExecutions", 1, 8, 20)
	tell(name, "ConcurrentExecutions", 2, 34, 12)
	tell(name, "Throttles", 2, 400, 200) // and Errors never
	tell("shoplab-stage5-expires", "Duration", 1, 500)
	st := stage.Stage{Name: "stage5", Topology: stage.Lambda, MaxInstances: 34}
	got, err := cloudUsage(t.Context(), cfg, st, minute.Add(30*time.Second), 3*time.Minute,
		patience{time.Minute, 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	sameUsage(t, got, map[result.Resource][3]float64{ // mean, max, limit
		result.ResourceFunctionTime: {5, 6, 0},
		result.ResourceConcurrency:  {27, 34, 34},
		result.ResourceThrottles:    {5, 10, 0},
		result.ResourceEventErrors:  {0, 0, 0},
	})
}
