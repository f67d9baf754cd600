package platform

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// Watched are the parts of a stage that have metrics; nil where a stage lacks one.
type Watched struct {
	Server   *Server
	Balancer *Balancer
	Fleet    *Fleet
	Tasks    *Tasks
	Database *Database
	Cache    *Cache
	Function *Function
	Gateway  *Gateway
}

// Observability is one CloudWatch dashboard and the few alarms that say shoppers suffer, or soon
// will. They turn red on the dashboard, and write to shoplab:alertEmail, if set.
type Observability struct {
	pulumi.ResourceState
	// URL opens the dashboard.
	URL pulumi.StringOutput
	// Alerts is the topic that writes to shoplab:alertEmail; nil without one.
	Alerts pulumi.StringInput
}

// metric is one line of a dashboard's graph, and what an alarm looks at.
type metric struct {
	namespace, name, stat string
	dimensions            map[string]pulumi.StringInput
}

// graph is one picture of the dashboard.
type graph struct {
	title   string
	metrics []metric
}

// alarm says when a metric is bad: beyond the threshold for so many minutes.
type alarm struct {
	name, about, comparison string
	metric                  metric
	threshold               float64
	minutes                 int
}

const (
	above   = "GreaterThanThreshold"
	atLeast = "GreaterThanOrEqualToThreshold"
	below   = "LessThanThreshold"
)

// ObservabilityArgs are the arguments of NewObservability.
type ObservabilityArgs struct {
	Config  Config
	Watched Watched
}

// NewObservability makes the dashboard and the alarms for what a stage has.
func NewObservability(
	ctx *pulumi.Context, name string, args ObservabilityArgs, opts ...pulumi.ResourceOption,
) (*Observability, error) {
	c, o := args.Config, &Observability{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Observability", name, o, opts...); err != nil {
		return nil, err
	}
	topic, err := alertBy(ctx, name, c, o)
	if err != nil {
		return nil, err
	}
	var actions pulumi.Array
	if o.Alerts = topic; topic != nil {
		actions = pulumi.Array{topic}
	}
	graphs, alarms := args.Watched.watch(c)
	for _, a := range alarms {
		dimensions := pulumi.StringMap{}
		for key, value := range a.metric.dimensions {
			dimensions[key] = value
		}
		if _, err := cloudwatch.NewMetricAlarm(ctx, name+"-"+a.name, &cloudwatch.MetricAlarmArgs{
			AlarmDescription: pulumi.String(a.about), ComparisonOperator: pulumi.String(a.comparison),
			Namespace: pulumi.String(a.metric.namespace), MetricName: pulumi.String(a.metric.name),
			Statistic: pulumi.String(a.metric.stat), Dimensions: dimensions,
			Period: pulumi.Int(60), EvaluationPeriods: pulumi.Int(a.minutes), Threshold: pulumi.Float64(a.threshold),
			TreatMissingData: pulumi.String("notBreaching"),
			AlarmActions:     actions, OkActions: actions,
		}, child(o)...); err != nil {
			return nil, err
		}
	}
	var widgets pulumi.Array
	for i, g := range graphs {
		widgets = append(widgets, g.widget(c.Region, i))
	}
	dashboard, err := cloudwatch.NewDashboard(ctx, name+"-dashboard", &cloudwatch.DashboardArgs{
		DashboardName: pulumi.String("shoplab-" + c.Stack),
		DashboardBody: pulumi.JSONMarshal(pulumi.Map{"widgets": widgets}),
	}, child(o)...)
	if err != nil {
		return nil, err
	}
	o.URL = pulumi.Sprintf("https://%s.console.aws.amazon.com/cloudwatch/home?region=%s#dashboards/dashboard/%s",
		c.Region, c.Region, dashboard.DashboardName)
	return o, ctx.RegisterResourceOutputs(o, pulumi.Map{"url": o.URL})
}

// alertBy is the topic that writes to shoplab:alertEmail, nil without one. The
// address has to confirm the subscription first.
func alertBy(ctx *pulumi.Context, name string, c Config, parent pulumi.Resource) (pulumi.StringInput, error) {
	if c.AlertEmail == "" {
		return nil, nil
	}
	// Not encrypted at rest: CloudWatch may not use the key alias/aws/sns, so that its messages would be
	// lost without a word, and a key of one's own costs $1 a month. They say the name and state of an alarm.
	topic, err := sns.NewTopic(ctx, name+"-alerts", &sns.TopicArgs{}, child(parent)...)
	if err != nil {
		return nil, err
	}
	_, err = sns.NewTopicSubscription(ctx, name+"-mail", &sns.TopicSubscriptionArgs{
		Topic: topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(c.AlertEmail),
	}, child(parent)...)
	return topic.Arn, err
}

// widget lays a graph out, two in a row.
func (g graph) widget(region string, i int) pulumi.Map {
	var lines pulumi.Array
	for _, m := range g.metrics {
		line := pulumi.Array{pulumi.String(m.namespace), pulumi.String(m.name)}
		for _, key := range names(m.dimensions) {
			line = append(line, pulumi.String(key), m.dimensions[key])
		}
		lines = append(lines, append(line, pulumi.Map{"stat": pulumi.String(m.stat)}))
	}
	return pulumi.Map{
		"type": pulumi.String("metric"), "x": pulumi.Int(12 * (i % 2)), "y": pulumi.Int(6 * (i / 2)),
		"width": pulumi.Int(12), "height": pulumi.Int(6),
		"properties": pulumi.Map{
			"title": pulumi.String(g.title), "region": pulumi.String(region), "period": pulumi.Int(60), "metrics": lines,
		},
	}
}

// watch returns the dashboard's graphs and the alarms.
func (w Watched) watch(c Config) (graphs []graph, alarms []alarm) {
	if w.Balancer != nil {
		graphs, alarms = w.Balancer.watch()
	}
	if w.Tasks != nil {
		of := map[string]pulumi.StringInput{"ClusterName": w.Tasks.Cluster.Name, "ServiceName": w.Tasks.Service.Name}
		graphs = append(graphs, graph{
			"Tasks' CPU and memory in percent",
			[]metric{{"AWS/ECS", "CPUUtilization", "Average", of}, {"AWS/ECS", "MemoryUtilization", "Average", of}},
		})
	}
	if w.Function != nil {
		moreGraphs, moreAlarms := w.watchFunction()
		graphs, alarms = append(graphs, moreGraphs...), append(alarms, moreAlarms...)
	}
	if w.Fleet != nil {
		of := map[string]pulumi.StringInput{"AutoScalingGroupName": w.Fleet.Group.Name}
		graphs = append(graphs,
			graph{"Servers' CPU in percent", []metric{{"AWS/EC2", "CPUUtilization", "Average", of}}},
			graph{"Servers' CPU credits", credits("AWS/EC2", of)})
	}
	if w.Server != nil {
		of := map[string]pulumi.StringInput{"InstanceId": w.Server.Instance.ID().ToStringOutput()}
		status := metric{"AWS/EC2", "StatusCheckFailed", "Maximum", of}
		graphs = append(graphs,
			graph{"Server's CPU in percent", []metric{{"AWS/EC2", "CPUUtilization", "Average", of}}},
			graph{"Server's CPU credits and status", append(credits("AWS/EC2", of), status)})
		alarms = append(alarms, alarm{"status", "The server fails EC2's status check", atLeast, status, 1, 3})
	}
	if w.Database != nil {
		of := map[string]pulumi.StringInput{"DBInstanceIdentifier": w.Database.Instance.Identifier}
		rds := func(name, stat string) metric { return metric{"AWS/RDS", name, stat, of} }
		graphs = append(graphs,
			graph{"Database connections", []metric{rds("DatabaseConnections", "Maximum")}},
			graph{
				"Database CPU in percent and credits",
				append([]metric{rds("CPUUtilization", "Average")}, credits("AWS/RDS", of)...),
			})
		alarms = append(alarms,
			alarm{
				"connections", "Nine tenths of the database's connections are taken", above, rds("DatabaseConnections", "Maximum"),
				0.9 * float64(c.DatabaseConnections), 3,
			},
			alarm{
				"storage", "Less than 2 GiB of the database's storage are free", below, rds("FreeStorageSpace", "Minimum"), 2 << 30,
				5,
			})
	}
	if w.Cache != nil {
		of := map[string]pulumi.StringInput{"CacheClusterId": pulumi.Sprintf("%s-001", w.Cache.Group.ReplicationGroupId)}
		graphs = append(graphs, graph{"Cache hits, misses and evictions", []metric{
			{"AWS/ElastiCache", "CacheHits", "Sum", of},
			{"AWS/ElastiCache", "CacheMisses", "Sum", of},
			{"AWS/ElastiCache", "Evictions", "Sum", of},
		}})
	}
	if c.Payments == contract.PaymentsStripe {
		graphs = append(graphs, graph{"Payment alarms in the log", []metric{c.paymentAlarms()}})
		alarms = append(alarms, alarm{
			"payments", "Money is not where it should be: the service's log says \"" + contract.PaymentAlarm +
				"\" and what to do",
			above, c.paymentAlarms(), 0, 1,
		})
	}
	return graphs, alarms
}

// watch is Watched.watch for a load balancer.
func (b *Balancer) watch() ([]graph, []alarm) {
	of := map[string]pulumi.StringInput{"LoadBalancer": b.LoadBalancer.ArnSuffix}
	targets := map[string]pulumi.StringInput{
		"LoadBalancer": b.LoadBalancer.ArnSuffix, "TargetGroup": b.TargetGroup.ArnSuffix,
	}
	alb := func(name, stat string) metric { return metric{"AWS/ApplicationELB", name, stat, of} }
	unhealthy := metric{"AWS/ApplicationELB", "UnHealthyHostCount", "Maximum", targets}
	graphs := []graph{
		{
			"Requests and errors",
			[]metric{alb("RequestCount", "Sum"), alb("HTTPCode_Target_5XX_Count", "Sum"), alb("HTTPCode_ELB_5XX_Count", "Sum")},
		},
		{
			"Response time in seconds",
			[]metric{alb("TargetResponseTime", "p50"), alb("TargetResponseTime", "p95"), alb("TargetResponseTime", "p99")},
		},
		{
			"Healthy and unhealthy targets",
			[]metric{{"AWS/ApplicationELB", "HealthyHostCount", "Minimum", targets}, unhealthy},
		},
	}
	alarms := []alarm{
		{"errors", "More than 10 answers with a 5xx status a minute", above, alb("HTTPCode_Target_5XX_Count", "Sum"), 10, 3},
		{"unhealthy", "A target fails its health check", above, unhealthy, 0, 3},
	}
	return graphs, alarms
}

// watchFunction is watch for a function and the API before it.
func (w Watched) watchFunction() ([]graph, []alarm) {
	function := map[string]pulumi.StringInput{"FunctionName": w.Function.Function.Name}
	api := map[string]pulumi.StringInput{"ApiId": w.Gateway.API.ID().ToStringOutput()}
	lambda := func(name, stat string) metric { return metric{"AWS/Lambda", name, stat, function} }
	gateway := func(name, stat string) metric { return metric{"AWS/ApiGateway", name, stat, api} }
	graphs := []graph{
		{"Requests and errors", []metric{gateway("Count", "Sum"), gateway("4xx", "Sum"), gateway("5xx", "Sum")}},
		{
			"Response time in milliseconds",
			[]metric{gateway("Latency", "p50"), gateway("Latency", "p95"), gateway("Latency", "p99")},
		},
		{
			"Events, errors and throttles",
			[]metric{lambda("Invocations", "Sum"), lambda("Errors", "Sum"), lambda("Throttles", "Sum")},
		},
		{"Execution environments in use", []metric{lambda("ConcurrentExecutions", "Maximum")}},
	}
	alarms := []alarm{
		{"errors", "More than 10 answers with a 5xx status a minute", above, gateway("5xx", "Sum"), 10, 3},
		{
			"throttles", "Requests are refused: the function's reserved concurrency is in use", above,
			lambda("Throttles", "Sum"), 10, 3,
		},
		{
			"failures", "Events fail, those of the background included: orders may not expire", above, lambda("Errors", "Sum"),
			0, 3,
		},
		{
			"duration", "An event takes the function more than a second on average", above, lambda("Duration", "Average"), 1000,
			3,
		},
	}
	return graphs, alarms
}

// credits are the CPU credits that burstable machines have left, and those that were billed.
func credits(namespace string, of map[string]pulumi.StringInput) []metric {
	return []metric{{namespace, "CPUCreditBalance", "Minimum", of}, {namespace, "CPUSurplusCreditsCharged", "Sum", of}}
}
