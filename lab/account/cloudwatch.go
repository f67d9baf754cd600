package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"shoplab/lab/paging"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/sweep"
	"shoplab/lab/watch"
)

// errNoMinute is returned for a step without a whole minute of the clock: CloudWatch could say only
// what was used in that minute and around it.
var errNoMinute = errors.New("the step holds no whole minute of CloudWatch's")

// patience is how long CloudWatch may take for a minute's points.
type patience struct{ atMost, every time.Duration }

var cloudPatience = patience{atMost: 3 * time.Minute, every: 10 * time.Second}

// series is one metric of one resource. Its values are multiplied by scale.
type series struct {
	namespace, name string
	dimensions      map[string]string
	statistic       string // "" is Average
	period          time.Duration
	scale           float64
	usage           result.Usage
	// counted is the metric of the same resource that has a point in each period in which this one counts, be it to
	// nothing: AWS may leave out a count of nothing. "": it is no count.
	counted string
}

// cloudUsage is what CloudWatch measured of the stage's resources in the whole minutes of the step.
// Mean and Max are of the minutes' averages, of a function's concurrency of the most in each minute. What has no point
// inside the step is left out.
func cloudUsage(
	ctx context.Context, cfg aws.Config, st stage.Stage, from time.Time, length time.Duration, p patience,
) ([]result.Usage, error) {
	if begin, end := whole(from, length, time.Minute); !begin.Before(end) {
		return nil, errNoMinute
	}
	all, err := cloudSeries(ctx, cfg, st)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	client := cloudwatch.NewFromConfig(cfg)
	for deadline := time.Now().Add(p.atMost); ; {
		found, complete, err := readSeries(ctx, client, all, from, length)
		if err != nil || complete || !time.Now().Before(deadline) {
			return found, err
		}
		if !watch.Until(ctx, time.Now().Add(p.every)) {
			return nil, ctx.Err()
		}
	}
}

// whole are the whole periods of the clock within the time.
func whole(from time.Time, length, period time.Duration) (begin, end time.Time) {
	begin, end = from.Truncate(period), from.Add(length).Truncate(period)
	if begin.Before(from) {
		begin = begin.Add(period)
	}
	return begin, end
}

// cloudSeries finds the stage's resources by their tags.
func cloudSeries(ctx context.Context, cfg aws.Config, st stage.Stage) ([]series, error) {
	all, err := serverSeries(ctx, cfg, st)
	if err != nil {
		return nil, fmt.Errorf("find the stage's servers: %w", err)
	}
	in := &resourcegroupstaggingapi.GetResourcesInput{TagFilters: []tagtypes.TagFilter{
		{Key: aws.String("project"), Values: []string{sweep.Project}}, {Key: aws.String("stage"), Values: []string{st.Name}},
	}}
	client := resourcegroupstaggingapi.NewFromConfig(cfg)
	for page, err := range paging.Pages(ctx, resourcegroupstaggingapi.NewGetResourcesPaginator(client, in)) {
		if err != nil {
			return nil, fmt.Errorf("find the stage's resources by their tags: %w", err)
		}
		for _, m := range page.ResourceTagMappingList {
			all = append(all, seriesOf(aws.ToString(m.ResourceARN), st)...)
		}
	}
	return all, nil
}

// serverSeries are the running servers' CPU. Without detailed monitoring EC2 has a point every five
// minutes. Source: docs.aws.amazon.com/AWSEC2/latest/UserGuide/manage-detailed-monitoring.html.
func serverSeries(ctx context.Context, cfg aws.Config, st stage.Stage) ([]series, error) {
	running, err := instances(ctx, cfg, st.Name, ec2types.InstanceStateNameRunning)
	if err != nil {
		return nil, err
	}
	resource := result.ResourceServerCPU
	if st.Topology == stage.Balanced {
		resource = result.ResourceInstanceCPU // a server has one instance of the shop and nothing else
	}
	var all []series
	for _, i := range running {
		id, unit, cores, period := aws.ToString(i.InstanceId), "ratio", 1.0, 5*time.Minute
		if o := i.CpuOptions; o != nil && o.CoreCount != nil {
			unit, cores = "cores", float64(*o.CoreCount*max(1, aws.ToInt32(o.ThreadsPerCore)))
		}
		if i.Monitoring != nil && i.Monitoring.State == ec2types.MonitoringStateEnabled {
			period = time.Minute
		}
		s := percent("AWS/EC2", "CPUUtilization", map[string]string{"InstanceId": id}, resource, id, unit, cores)
		s.period = period
		all = append(all, s)
	}
	return all, nil
}

// percent is a metric in percent of limit.
func percent(
	namespace, name string, dimensions map[string]string, r result.Resource, of, unit string, limit float64,
) series {
	return series{
		namespace: namespace, name: name, dimensions: dimensions, period: time.Minute, scale: limit / 100,
		usage: result.Usage{Resource: r, Of: of, Unit: unit, Limit: result.Ptr(limit)},
	}
}

// seriesOf are the metrics of what an ARN names; none for what has none that gives out. Sources:
// docs.aws.amazon.com AmazonECS/latest/developerguide/available-metrics.html,
// AmazonRDS/latest/UserGuide/rds-metrics.html, AmazonElastiCache/latest/dg/CacheMetrics.Redis.html,
// lambda/latest/dg/monitoring-metrics-types.html.
func seriesOf(arn string, st stage.Stage) []series {
	parts := strings.SplitN(arn, ":", 6) // arn:aws:SERVICE:REGION:ACCOUNT:KIND/NAME or KIND:NAME
	if len(parts) < 6 {
		return nil
	}
	kind, name, _ := strings.Cut(strings.Replace(parts[5], "/", ":", 1), ":")
	switch parts[2] + " " + kind {
	case "ecs service":
		cluster, service, ok := strings.Cut(name, "/")
		if !ok {
			return nil
		}
		// Percent of what the running tasks have together, so the mean task's share of its own.
		of := map[string]string{"ClusterName": cluster, "ServiceName": service}
		return []series{
			percent("AWS/ECS", "CPUUtilization", of, result.ResourceInstanceCPU, "the mean task", "cores", float64(st.CPU)/1024),
			percent("AWS/ECS", "MemoryUtilization", of, result.ResourceMemory, "the mean task",
				"bytes", float64(st.Memory)*(1<<20)),
		}
	case "rds db":
		of := map[string]string{"DBInstanceIdentifier": name}
		conns := series{
			namespace: "AWS/RDS", name: "DatabaseConnections", dimensions: of, period: time.Minute, scale: 1,
			usage: result.Usage{
				Resource: result.ResourceDBConns, Unit: "connections", Limit: result.Ptr(float64(st.DatabaseConnections)),
			},
		}
		unit, cores := "cores", float64(st.DatabaseCPU)/1024
		if cores == 0 { // a class that is not known
			unit, cores = "ratio", 1
		}
		return []series{conns, percent("AWS/RDS", "CPUUtilization", of, result.ResourceDBCPU, "", unit, cores)}
	case "lambda function":
		if st.Topology == stage.Lambda && strings.HasSuffix(name, "-shop") { // another one ends the stage
			return functionSeries(name, st)
		}
	case "elasticache replicationgroup":
		// Its first node; Redis runs commands on one thread, whose use EngineCPUUtilization is.
		of := map[string]string{"CacheClusterId": name + "-001"}
		clients := series{
			namespace: "AWS/ElastiCache", name: "CurrConnections", dimensions: of, period: time.Minute, scale: 1,
			usage: result.Usage{Resource: result.ResourceRedisClients, Unit: "connections"},
		}
		return []series{
			clients, percent("AWS/ElastiCache", "EngineCPUUtilization", of, result.ResourceRedisCPU, "", "cores", 1),
		}
	}
	return nil
}

// readSeries asks for all series at once (at most 500 a call). complete: each has a point for its
// last whole period.
func readSeries(
	ctx context.Context, client *cloudwatch.Client, all []series, from time.Time, length time.Duration,
) (found []result.Usage, complete bool, err error) {
	begin, end := whole(from, length, time.Minute)
	begin = begin.Truncate(5 * time.Minute) // aligned with every period; sum drops what is too early
	in := &cloudwatch.GetMetricDataInput{StartTime: &begin, EndTime: &end}
	for i, s := range all {
		m := &cwtypes.Metric{Namespace: aws.String(s.namespace), MetricName: aws.String(s.name)}
		for key, value := range s.dimensions {
			m.Dimensions = append(m.Dimensions, cwtypes.Dimension{Name: aws.String(key), Value: aws.String(value)})
		}
		in.MetricDataQueries = append(in.MetricDataQueries, cwtypes.MetricDataQuery{
			Id: aws.String(fmt.Sprintf("m%d", i)),
			MetricStat: &cwtypes.MetricStat{
				Metric: m, Period: aws.Int32(int32(s.period / time.Second)), Stat: aws.String(cmp.Or(s.statistic, "Average")),
			},
		})
	}
	points := map[string]map[time.Time]float64{}
	for page, err := range paging.Pages(ctx, cloudwatch.NewGetMetricDataPaginator(client, in)) {
		if err != nil {
			return nil, false, fmt.Errorf("read CloudWatch's metrics: %w", err)
		}
		for _, r := range page.MetricDataResults {
			id := aws.ToString(r.Id)
			if points[id] == nil {
				points[id] = map[time.Time]float64{}
			}
			for i := range min(len(r.Timestamps), len(r.Values)) {
				points[id][r.Timestamps[i].UTC()] = r.Values[i]
			}
		}
	}
	complete = true
	for i, s := range all {
		own := points[fmt.Sprintf("m%d", i)]
		if s.counted != "" {
			beside := slices.IndexFunc(all, func(o series) bool {
				return o.name == s.counted && maps.Equal(o.dimensions, s.dimensions)
			})
			own = fill(own, points[fmt.Sprintf("m%d", beside)])
		}
		u, full := s.sum(own, from, length)
		complete = complete && full
		if u != nil {
			found = append(found, *u)
		}
	}
	return found, complete, nil
}

// fill is a count that is 0 where it has no point and the metric beside it has one.
func fill(count, beside map[time.Time]float64) map[time.Time]float64 {
	filled := map[time.Time]float64{}
	for at := range beside {
		filled[at] = 0
	}
	maps.Copy(filled, count)
	return filled
}

// sum is the usage over the points whose whole period is inside the time; nil without any. full:
// the last such period has its point.
func (s series) sum(points map[time.Time]float64, from time.Time, length time.Duration) (u *result.Usage, full bool) {
	begin, end := whole(from.UTC(), length, s.period)
	n, total := 0, s.usage
	full = true
	for at := begin; at.Before(end); at = at.Add(s.period) {
		v, ok := points[at]
		if full = ok; !ok {
			continue
		}
		n++
		total.Mean += v * s.scale
		total.Max = max(total.Max, v*s.scale)
	}
	if n == 0 {
		return nil, full
	}
	total.Mean /= float64(n)
	return &total, full
}
