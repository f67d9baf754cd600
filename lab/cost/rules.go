package cost

import "strings"

const (
	launchTemplate = "aws:ec2/launchTemplate:LaunchTemplate"
	taskDefinition = "aws:ecs/taskDefinition:TaskDefinition"
	association    = "aws:ec2/eipAssociation:EipAssociation"
	eip            = "aws:ec2/eip:Eip"
)

// rules holds a rule for every billable type that the platform uses, or might.
var rules = map[string]func(*bill, Resource){
	"aws:ec2/instance:Instance":        instance,
	eip:                                func(b *bill, r Resource) { b.hours(r, "ipv4/hour", 1) },
	"aws:ebs/volume:Volume":            func(b *bill, r Resource) { b.charge(r, "ebs/"+orElse(r.text("type"), "gp2"), r.number("size")) },
	"aws:autoscaling/group:Group":      group,
	"aws:lb/loadBalancer:LoadBalancer": loadBalancer,
	"aws:ecs/service:Service":          fargate,
	"aws:rds/instance:Instance":        database,
	"aws:elasticache/replicationGroup:ReplicationGroup": cache,
	"aws:secretsmanager/secret:Secret":                  func(b *bill, r Resource) { b.charge(r, "secret/month", 1) },
	"aws:ecr/repository:Repository":                     func(b *bill, r Resource) { b.line(r, "ecr/gb", b.usage.ImageGB, true) },
	"aws:cloudwatch/logGroup:LogGroup": func(b *bill, _ Resource) {
		// What is logged is logged once, whichever of the groups it goes to.
		b.flows["logs/gb"] = b.usage.Requests * b.usage.LogBytes / 1e9
	},
	"aws:cloudwatch/metricAlarm:MetricAlarm": func(b *bill, _ Resource) { b.flows["cloudwatch/alarm"]++ },
	"aws:cloudwatch/dashboard:Dashboard":     func(b *bill, _ Resource) { b.flows["cloudwatch/dashboard"]++ },
	"aws:ssm/parameter:Parameter": func(b *bill, r Resource) {
		if tier := r.text("tier"); tier != "" && tier != "Standard" {
			b.dunno(r, "only standard parameters are free")
		}
	},
	"kubernetes:core/v1:Service": func(b *bill, r Resource) {
		if r.text("spec", "type") == "LoadBalancer" {
			b.dunno(r, "a Service of type LoadBalancer creates one")
		}
	},
	"kubernetes:core/v1:PersistentVolumeClaim": func(b *bill, r Resource) { b.dunno(r, "its volume depends on the storage class") },
	"aws:s3/bucket:Bucket":                     func(b *bill, r Resource) { b.dunno(r, "depends on what is stored") },
	"aws:s3/bucketV2:BucketV2":                 func(b *bill, r Resource) { b.dunno(r, "depends on what is stored") },
}

// freeTypes cost nothing by themselves.
var freeTypes = map[string]bool{
	"aws:lb/listener:Listener": true, "aws:lb/listenerRule:ListenerRule": true, "aws:lb/targetGroup:TargetGroup": true,
	"aws:ecs/cluster:Cluster": true, "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": true, taskDefinition: true,
	"aws:cloudfront/distribution:Distribution": true, // its requests and bytes are priced as traffic
	"aws:budgets/budget:Budget":                true,
	launchTemplate:                             true, association: true,
}

// freePrefixes cost nothing by themselves, whatever follows.
var freePrefixes = []string{
	"pulumi:", "shoplab:", "random:", "tls:", "kubernetes:",
	"aws:ec2/vpc:", "aws:ec2/subnet:", "aws:ec2/route", "aws:ec2/internetGateway:", "aws:ec2/securityGroup",
	"aws:ec2/default", "aws:ec2/networkAcl", "aws:vpc/", "aws:iam/", "aws:appautoscaling/", "aws:autoscaling/policy:",
	"aws:rds/subnetGroup:", "aws:rds/parameterGroup:", "aws:elasticache/subnetGroup:", "aws:elasticache/parameterGroup:",
	"aws:ecr/lifecyclePolicy:", "aws:ecr/repositoryPolicy:", "aws:secretsmanager/secretVersion:", "aws:secretsmanager/secretPolicy:",
	"aws:acm/", "aws:cloudfront/", "aws:s3/bucketPublicAccessBlock:", "aws:s3/bucketServerSide", "aws:s3/bucketLifecycle",
	"aws:route53/record:", "aws:cloudwatch/logMetricFilter:",
	"aws:sns/", // the first 1,000 e-mails a month are free
}

func free(typ string) bool {
	if freeTypes[typ] {
		return true
	}
	for _, p := range freePrefixes {
		if strings.HasPrefix(typ, p) {
			return true
		}
	}
	return false
}

func instance(b *bill, r Resource) {
	servers(b, r, r, 1)
	disk(b, r, 1, r.text("rootBlockDevice", "volumeType"), r.number("rootBlockDevice", "volumeSize"))
	// An address of its own is given up when an Elastic IP takes its place, and that is billed there.
	if r.truth("associatePublicIpAddress") && len(b.graph.ofType(association)) == 0 && len(b.graph.ofType(eip)) == 0 {
		b.hours(r, "ipv4/hour", 1)
	}
}

// servers charges n instances of r as spec, an instance or a launch template, describes them.
func servers(b *bill, r, spec Resource, n float64) {
	kind := spec.text("instanceType")
	b.hours(r, "ec2/"+kind, n)
	if spec.text("creditSpecification", "cpuCredits") == "unlimited" {
		credits(b, r, "ec2", kind, n, b.usage.CPUSeconds)
	}
}

func disk(b *bill, r Resource, count float64, kind string, gigabytes float64) {
	if gigabytes == 0 {
		b.dunno(r, "its root volume's size is the machine image's")
		return
	}
	b.charge(r, "ebs/"+orElse(kind, "gp2"), count*gigabytes)
}

// group is billed at its desired capacity: what it scales to is capacity, not the standing cost.
func group(b *bill, r Resource) {
	lt, ok := b.graph.referred(launchTemplate, r.text("launchTemplate", "id"))
	if !ok {
		b.dunno(r, "its launch template is not in the graph")
		return
	}
	n := r.number("desiredCapacity")
	if n == 0 {
		n = r.number("minSize")
	}
	servers(b, r, lt, n)
	disk(b, r, n, lt.text("blockDeviceMappings", "ebs", "volumeType"), lt.number("blockDeviceMappings", "ebs", "volumeSize"))
	if lt.truth("networkInterfaces", "associatePublicIpAddress") {
		b.hours(r, "ipv4/hour", n)
	}
}

// lcuPerRequestRate is how many requests a second one load-balancer capacity unit carries, by its
// tightest dimension for small requests: 25 new connections a second, with keep-alive off.
// Source: Elastic Load Balancing pricing, "LCU details".
const lcuPerRequestRate = 25

func loadBalancer(b *bill, r Resource) {
	if kind := r.text("loadBalancerType"); kind != "" && kind != "application" {
		b.dunno(r, "only application load balancers are priced")
		return
	}
	b.hours(r, "alb/hour", 1)
	perSecond := b.usage.Requests / (HoursPerMonth * 3600)
	b.line(r, "alb/lcu", perSecond/lcuPerRequestRate*HoursPerMonth, true)
	if !r.truth("internal") {
		b.hours(r, "ipv4/hour", float64(max(2, r.length("subnets")))) // one address a zone, two zones at least
	}
}

func fargate(b *bill, r Resource) {
	task, ok := b.graph.referred(taskDefinition, r.text("taskDefinition"))
	if !ok {
		b.dunno(r, "its task definition is not in the graph")
		return
	}
	arch := "x86"
	if task.text("runtimePlatform", "cpuArchitecture") == "ARM64" {
		arch = "arm"
	}
	n := r.number("desiredCount")
	b.hours(r, "fargate/"+arch+"/vcpu", n*task.number("cpu")/1024)
	b.hours(r, "fargate/"+arch+"/gb", n*task.number("memory")/1024)
	if r.truth("networkConfiguration", "assignPublicIp") {
		b.hours(r, "ipv4/hour", n)
	}
}

func database(b *bill, r Resource) {
	if r.truth("multiAz") {
		b.dunno(r, "only Single-AZ is priced")
		return
	}
	b.hours(r, "rds/"+r.text("instanceClass"), 1)
	b.charge(r, "rds/"+orElse(r.text("storageType"), "gp2"), r.number("allocatedStorage"))
	credits(b, r, "rds", r.text("instanceClass"), 1, b.usage.DatabaseCPUSeconds) // RDS has no other mode
}

func cache(b *bill, r Resource) {
	nodes := max(1, r.number("numCacheClusters"))
	b.hours(r, "elasticache/"+orElse(r.text("engine"), "redis")+"/"+r.text("nodeType"), nodes)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
