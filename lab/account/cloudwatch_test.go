package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/verdict"
)

// fakeCloud answers as EC2, the tagging API and CloudWatch do. late is how many times CloudWatch has
// nothing yet.
func fakeCloud(t *testing.T, points map[string]string, late int) aws.Config {
	t.Helper()
	const arns = `{"ResourceTagMappingList":[
		{"ResourceARN":"arn:aws:rds:us-east-1:1:db:shop-db"},
		{"ResourceARN":"arn:aws:ecs:us-east-1:1:service/shop-cluster/shop"},
		{"ResourceARN":"arn:aws:elasticache:us-east-1:1:replicationgroup:shop-cache"},
		{"ResourceARN":"arn:aws:s3:::bucket"}]}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") != "" {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_, _ = io.WriteString(w, arns)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		if r.FormValue("Action") == "DescribeInstances" {
			_, _ = io.WriteString(w, `<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>
				<monitoring><state>disabled</state></monitoring><cpuOptions><coreCount>2</coreCount><threadsPerCore>1</threadsPerCore></cpuOptions>
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
			data := points[r.FormValue(metric+"Namespace")+" "+r.FormValue(metric+"MetricName")]
			if late >= 0 {
				data = ""
			}
			_, _ = fmt.Fprintf(w, "<member><Id>%s</Id>%s</member>", r.FormValue(q+"Id"), data)
		}
		_, _ = io.WriteString(w, "</MetricDataResults></GetMetricDataResult></GetMetricDataResponse>")
	}))
	t.Cleanup(srv.Close)
	return aws.Config{Region: "us-east-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
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
	cfg := fakeCloud(t, map[string]string{
		"AWS/ECS CPUUtilization":               at(map[int]float64{0: 1, 1: 80, 2: 100, 3: 7}), // minutes 0 and 3 are not whole
		"AWS/RDS CPUUtilization":               at(map[int]float64{1: 50, 2: 50}),
		"AWS/RDS DatabaseConnections":          at(map[int]float64{1: 70, 2: 78}),
		"AWS/ElastiCache EngineCPUUtilization": at(map[int]float64{2: 25}),
		"AWS/EC2 CPUUtilization":               at(map[int]float64{1: 99}), // five minutes' mean: more than the step
	}, 1)
	st := stage.Stage{Name: "stage3", Topology: stage.Fargate, CPU: 256, Memory: 512, DatabaseClass: "db.t4g.micro", DatabaseCPU: 2048, DatabaseConnections: 79}
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
	if len(got) != len(want) {
		t.Errorf("got %d usages, want %d: %+v", len(got), len(want), got)
	}
	for _, u := range got {
		if w := want[u.Resource]; u.Limit == nil || [3]float64{u.Mean, u.Max, *u.Limit} != w {
			t.Errorf("%s: got mean %v, max %v, want %v", u.Resource, u.Mean, u.Max, w)
		}
	}
	if v := verdict.Judge(result.Step{Usage: got}); v.Cause != result.CauseCPU {
		t.Errorf("judged %s, want %s", v.Summary, result.CauseCPU)
	}
}

func TestCloudUsageNeedsAWholeMinute(t *testing.T) {
	from := time.Date(2026, 1, 2, 12, 0, 1, 0, time.UTC)
	if _, err := cloudUsage(t.Context(), aws.Config{}, stage.Stage{}, from, 110*time.Second, patience{}); !errors.Is(err, errNoMinute) {
		t.Errorf("got %v, want errNoMinute", err)
	}
	if begin, end := whole(from, 119*time.Second, time.Minute); end.Sub(begin) != time.Minute {
		t.Errorf("whole minutes are %s to %s, want one", begin, end)
	}
}
