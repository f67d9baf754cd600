package faults

import (
	"time"

	"shoplab/lab/result"
	"shoplab/lab/twin"
)

// Names of the assumptions.
const (
	bootServer   = "boot of a server"
	bootTask     = "start of a Fargate task"
	noticeTask   = "ECS replaces a task that ended"
	noticePod    = "Kubernetes takes a container that ended out of the endpoints"
	rebootCache  = "reboot of the cache"
	person       = "a person notices"
	placement    = "Lambda places an execution environment"
	zoneAway     = "a zone is gone"
	webhooksAway = "webhooks do not arrive"
)

// assumptions is what was not measured. What AWS takes is declared here and nowhere else.
var assumptions = []result.Assumption{
	{
		Name: bootServer, Value: 120, Unit: "s",
		Source: "29 s until SSH answers (ec2-boot-bench, c5.xlarge: " +
			"daemonology.net/blog/2021-08-12-EC2-boot-time-benchmarking.html), 10 to 50 s of " +
			"cloud-init with its packages installed before (measured in a container, docs/deploy.md); the rest, for the " +
			"packages, is nobody's measurement",
	},
	{
		Name: bootTask, Value: 60, Unit: "s",
		Source: "53 to 62 s for an image of 413 MB, ten times " +
			"(elasticscale.com/blog/reduce-aws-fargate-pull-times-with-soci, 2024); the shop's is smaller",
	},
	{Name: noticeTask, Value: 5, Unit: "s", Source: "declared: ECS' agent reports a container's end as an event, of " +
		"which AWS publishes no time"},
	{Name: noticePod, Value: 1, Unit: "s", Source: "the kubelet lists containers every second " +
		"(genericPlegRelistPeriod, kubernetes/kubernetes pkg/kubelet/kubelet.go)"},
	{Name: rebootCache, Value: 120, Unit: "s", Source: "declared: AWS calls it \"a momentary outage\" (ElastiCache " +
		"API, RebootCacheCluster)"},
	{
		Name: placement, Value: twin.Placement.Seconds(), Unit: "s",
		Source: "at least: start-up times \"as low as 50ms\" (Brooker and others, On-demand Container Loading in AWS " +
			"Lambda, 2023); the process's own start is real",
	},
	{Name: person, Value: 1800, Unit: "s", Source: "declared: half an hour; no alarm watches whether the one server " +
		"answers"},
	{
		Name: zoneAway, Value: 3840, Unit: "s",
		Source: "64 minutes without power in use1-az4 on 2021-12-22, 04:35 to 05:39 PST " +
			"(theregister.com/2021/12/22/aws_outage)",
	},
	{Name: webhooksAway, Value: 60, Unit: "s", Source: "declared: the fault's own length"},
}

// seconds is what is assumed under a name.
func assumed(name string) time.Duration {
	for _, a := range assumptions {
		if a.Name == name {
			return time.Duration(a.Value * float64(time.Second))
		}
	}
	panic("no assumption: " + name) // a constant of this package
}
