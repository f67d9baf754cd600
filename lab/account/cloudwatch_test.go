package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/verdict"
)

// Of a tagged stage that has servers, tasks and a database, and of one that has a function.
var (
	taskARNs = []string{
		"arn:aws:rds:us-east-1:1:db:shop-db", "arn:aws:ecs:us-east-1:1:service/shop-cluster/shop",
		"arn:aws:elasticache:us-east-1:1:replicationgroup:shop-cache", "arn:aws:s3:::bucket",
	}
	functionARNs = []string{
		"arn:aws:lambda:us-east-1:1:function:shoplab-stage5-shop",
		"arn:aws:lambda:us-east-1:1:function:shoplab-stage5-expires",
		"arn:aws:rds:us-east-1:1:db:shop-db", "arn:aws:elasticache:us-east-1:1:replicationgroup:shop-cache",
	}
)

// fakeCloud answers as EC2, the tagging API and CloudWatch do, with points by namespace, metric and statistic unless
// that is Average. late is how many times CloudWatch has nothing yet.
func fakeCloud(t *testing.T, arns []string, points map[string]string, late int) aws.Config {
	t.Helper()
	tagged := `{"ResourceTagMappingList":[{"ResourceARN":"` + strings.Join(arns, `"},{"ResourceARN":"`) + `"}]}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") != "" {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_, _ = io.WriteString(w, tagged)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		if r.FormValue("Action") == "DescribeInstances" {
			_, _ = io.WriteString(w,
				`<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>
				<monitoring><state>disabled</state></monitoring>
				<cpuOptions><coreCount>2</coreCount><threadsPerCore>1</threadsPerCore></cpuOptions>
				</item></instancesSet></item></reservationSet></DescribeInstancesResponse>`)
			return
		}
		late--
		_, _ = io.WriteString(w, "<GetMetricDataResponse><GetMetricDataResult><MetricDataResults>")
		for i := 1; ; i++ {
			q := fmt.Sprintf("MetricDataQueries.member.%d.", i)
			if r.FormValue(q+"Id") == "" {
				break
			}
			metric := q + "MetricStat.Metric."
			key := r.FormValue(metric+"Namespace") + " " + r.FormValue(metric+"MetricName")
			if statistic := r.FormValue(q + "MetricStat.Stat"); statistic != "Average" {
				key += " " + statistic
			}
			data := points[key]
			if late >= 0 {
				data = ""
			}
			_, _ = fmt.Fprintf(w, "<member><Id>%s</Id>%s</member>", r.FormValue(q+"Id"), data)
		}
		_, _ = io.WriteString(w, "</MetricDataResults></GetMetricDataResult></GetMetricDataResponse>")
	}))
	t.Cleanup(srv.Close)
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	}
}

// at are points of minutes after 12:00.
func at(values map[int]float64) string {
	times, numbers := "", ""
	for minute, v := range values {
		times += fmt.Sprintf("<member>2026-01-02T12:%02d:00Z</member>", minute)
		numbers += fmt.Sprintf("<member>%g</member>", v)
	}
	return "<Timestamps>" + times + "</Timestamps><Values>" + numbers + "</Values>"
}

func TestCloudUsage(t *testing.T) {
	cfg := fakeCloud(t, taskARNs, map[string]string{
		// minutes 0 and 3 are not whole
		"AWS/ECS CPUUtilization":               at(map[int]float64{0: 1, 1: 80, 2: 100, 3: 7}),
		"AWS/RDS CPUUtilization":               at(map[int]float64{1: 50, 2: 50}),
		"AWS/RDS DatabaseConnections":          at(map[int]float64{1: 70, 2: 78}),
		"AWS/ElastiCache EngineCPUUtilization": at(map[int]float64{2: 25}),
		"AWS/EC2 CPUUtilization":               at(map[int]float64{1: 99}), // five minutes' mean: more than the step
	}, 1)
	st := stage.Stage{
		Name: "stage3", Topology: stage.Fargate, CPU: 256, Memory: 512, DatabaseClass: "db.t4g.micro", DatabaseCPU: 2048,
		DatabaseConnections: 79,
	}
	from := time.Date(2026, 1, 2, 12, 0, 30, 0, time.UTC)
	got, err := cloudUsage(t.Context(), cfg, st, from, 3*time.Minute, patience{100 * time.Millisecond, time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	want := map[result.Resource][3]float64{ // mean, max, limit
		result.ResourceInstanceCPU: {0.225, 0.25, 0.25},
		result.ResourceDBCPU:       {1, 1, 2},
		result.ResourceDBConns:     {74, 78, 79},
		result.ResourceRedisCPU:    {0.25, 0.25, 1},
	}
	sameUsage(t, got, want)
	if v := verdict.Judge(result.Step{Usage: got}); v.Cause != result.CauseCPU {
		t.Errorf("judged %s, want %s", v.Summary, result.CauseCPU)
	}
}

// TestCloudUsageOfAFunction: a function has no CPU to watch, but what it refuses; a count that AWS leaves out is 0.
func TestCloudUsageOfAFunction(t *testing.T) {
	st := stage.Stage{
		Name: "stage5", Topology: stage.Lambda, MaxInstances: 34,
		DatabaseClass: "db.t4g.micro", DatabaseCPU: 2048, DatabaseConnections: 79,
	}
	from := time.Date(2026, 1, 2, 12, 0, 30, 0, time.UTC)
	points := map[string]string{
		"AWS/Lambda Duration":                     at(map[int]float64{0: 900, 1: 4, 2: 6, 3: 900}),
		"AWS/Lambda ConcurrentExecutions Maximum": at(map[int]float64{1: 20, 2: 34}),
		"AWS/Lambda Throttles Sum":                at(map[int]float64{2: 600}),
		"AWS/RDS DatabaseConnections":             at(map[int]float64{1: 20, 2: 34}),
		"AWS/RDS CPUUtilization":                  at(map[int]float64{1: 10, 2: 10}),
		"AWS/ElastiCache EngineCPUUtilization":    at(map[int]float64{1: 5, 2: 5}),
	}
	wait := patience{100 * time.Millisecond, time.Millisecond}
	got, err := cloudUsage(t.Context(), fakeCloud(t, functionARNs, points, 1), st, from, 3*time.Minute, wait)
	if err != nil {
		t.Fatal(err)
	}
	want := map[result.Resource][3]float64{ // mean, max, limit
		result.ResourceFunctionTime: {5, 6, 0},
		result.ResourceConcurrency:  {27, 34, 34},
		result.ResourceThrottles:    {5, 10, 0},
		result.ResourceEventErrors:  {0, 0, 0},
		result.ResourceDBConns:      {27, 34, 79},
		result.ResourceDBCPU:        {.2, .2, 2},
		result.ResourceRedisCPU:     {.05, .05, 1},
	}
	sameUsage(t, got, want)
	if v := verdict.Judge(result.Step{Usage: got, Throughput: 100}); v.Cause != result.CauseConcurrency {
		t.Errorf("judged %s, want %s", v.Summary, result.CauseConcurrency)
	}
	nothing := fakeCloud(t, functionARNs, nil, 0)
	got, err = cloudUsage(t.Context(), nothing, st, from, 3*time.Minute, patience{})
	if err != nil || len(got) != 0 {
		t.Errorf("of an account that measures nothing: %+v, %v", got, err)
	}
}

func TestCloudUsageNeedsAWholeMinute(t *testing.T) {
	from := time.Date(2026, 1, 2, 12, 0, 1, 0, time.UTC)
	_, err := cloudUsage(t.Context(), aws.Config{}, stage.Stage{}, from, 110*time.Second, patience{})
	if !errors.Is(err, errNoMinute) {
		t.Errorf("got %v, want errNoMinute", err)
	}
	if begin, end := whole(from, 119*time.Second, time.Minute); end.Sub(begin) != time.Minute {
		t.Errorf("whole minutes are %s to %s, want one", begin, end)
	}
}

// sameUsage wants a mean, a maximum and a limit, 0 for none, of each resource.
func sameUsage(t *testing.T, got []result.Usage, want map[result.Resource][3]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %d usages, want %d: %+v", len(got), len(want), got)
	}
	for _, u := range got {
		limit := 0.0
		if u.Limit != nil {
			limit = *u.Limit
		}
		if w := want[u.Resource]; math.Abs(u.Mean-w[0]) > 1e-9 || math.Abs(u.Max-w[1]) > 1e-9 || limit != w[2] {
			t.Errorf("%s: got mean %v, max %v of %v, want %v", u.Resource, u.Mean, u.Max, limit, w)
		}
	}
}
