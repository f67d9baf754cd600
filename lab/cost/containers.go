package cost

import (
	"math"
	"slices"
	"strings"
)

// service is an ECS service. On EC2 its tasks cost nothing beside the instances; on Fargate they are billed
// by what the task definition asks for.
func service(b *bill, r Resource) {
	task, found := b.graph.referred(r, taskDefinition, "taskDefinition")
	plan, ok := b.placement(r, task)
	if !ok || (!plan.fargate && !plan.elsewhere) {
		return
	}
	if plan.elsewhere {
		b.unpriced(r, "tasks on ECS Anywhere are not priced")
		return
	}
	if !found {
		b.unpriced(r, "its task definition is not in the graph")
		return
	}
	n, ok := b.tasks(r)
	if !ok {
		return
	}
	task.Type, task.Name, task.Region = r.Type, r.Name, r.Region
	spot := plan.spotOf(n)
	b.fargate(r, task, "fargate/", n-spot)
	if spot > 0 {
		b.fargate(r, task, "fargate/spot/", spot)
	}
	if b.is(r, "networkConfiguration", "assignPublicIp") {
		b.hours(r, "ipv4/hour", n)
	}
}

// fargate charges n tasks.
func (b *bill) fargate(r, task Resource, prefix string, n float64) {
	arch, ok := b.text(task, "X86_64", "runtimePlatform", "cpuArchitecture")
	family, known := b.text(task, "LINUX", "runtimePlatform", "operatingSystemFamily")
	if !ok || !known {
		return
	}
	if family != "LINUX" {
		b.unpriced(r, "only Linux tasks are priced")
		return
	}
	item := prefix + "x86/"
	if arch == "ARM64" {
		item = prefix + "arm/"
	}
	if cpu, ok := b.required(task, asVCPU, "cpu"); ok {
		b.hours(r, item+"vcpu", n*cpu)
	}
	if memory, ok := b.required(task, asGB, "memory"); ok {
		b.hours(r, item+"gb", n*memory)
	}
	const included = 20 // GB of ephemeral storage; Source: AWS Fargate pricing
	if disk, ok := b.number(task, included, "ephemeralStorage", "sizeInGib"); ok && disk > included {
		b.hours(r, "fargate/storage", n*(disk-included))
	}
}

// tasks is how many tasks run. A service without a number of its own starts with none, and what scales it
// gives it its least.
func (b *bill) tasks(r Resource) (float64, bool) {
	if r.at("desiredCount").absent() {
		for _, t := range b.graph.ofType("aws:appautoscaling/target:Target") {
			if id, _ := t.at("resourceId").raw.(string); strings.HasSuffix(id, "/"+r.Name) || (r.input("name") != "" &&
				strings.HasSuffix(id, "/"+r.input("name"))) {
				return b.number(t, 0, "minCapacity")
			}
		}
	}
	return b.required(r, asNumber, "desiredCount")
}

// plan says where a service's tasks run.
type plan struct {
	fargate, elsewhere   bool
	base, onDemand, spot float64 // of the capacity provider strategy: base is On-Demand, the others are weights
}

// spotOf is how many of n tasks are Spot: those above the base by the strategy's weights, to the nearest whole
// task, and at a half in favour of On-Demand.
func (p plan) spotOf(n float64) float64 {
	if p.spot == 0 {
		return 0
	}
	return math.Ceil(max(0, n-p.base)*p.spot/(p.spot+p.onDemand) - 0.5)
}

func (b *bill) placement(r, task Resource) (plan, bool) {
	strategies, v := r.each("capacityProviderStrategies")
	launch, ok := b.text(r, "", "launchType")
	if v.hidden != "" {
		b.unpriced(r, "its capacity provider strategy %s", v.hidden)
	}
	if !ok || v.hidden != "" {
		return plan{}, false
	}
	if len(strategies) == 0 && launch == "" {
		if strategies, ok = b.defaultStrategy(r); !ok {
			return plan{}, false
		}
	}
	if len(strategies) > 0 {
		return b.strategy(r, strategies)
	}
	if compatible := task.at("requiresCompatibilities"); launch == "" { // then it is EC2, unless the task cannot run there
		if compatible.hidden != "" {
			b.unpriced(r, "where its tasks run %s", compatible.hidden)
			return plan{}, false
		}
		if list, _ := compatible.raw.([]any); len(list) == 1 {
			launch, _ = list[0].(string)
		}
	}
	switch launch {
	case "FARGATE":
		return plan{fargate: true}, true
	case "EC2", "":
		return plan{}, true
	case "EXTERNAL":
		return plan{elsewhere: true}, true
	}
	b.unpriced(r, "its launch type %s is not known", launch)
	return plan{}, false
}

// defaultStrategy is the strategy of the service's cluster, which counts where the service has none. It is not
// known where the service's cluster is not: tasks on EC2 would cost nothing, so that no guess is made.
func (b *bill) defaultStrategy(r Resource) ([]Resource, bool) {
	all := b.graph.ofType("aws:ecs/clusterCapacityProviders:ClusterCapacityProviders")
	for _, c := range all {
		if b.sameCluster(r, c) {
			strategies, _ := c.each("defaultCapacityProviderStrategies")
			return strategies, true
		}
	}
	if cluster := r.at("cluster"); len(all) > 0 && cluster.hidden != "" {
		if _, found := b.graph.referred(r, clusterType, "cluster"); !found {
			b.unpriced(r, "its cluster %s, and with it the capacity provider strategy", cluster.hidden)
			return nil, false
		}
	}
	return nil, true
}

// sameCluster tells whether a service is in the cluster whose capacity providers c names. A service that names
// none is in the cluster "default". Source: Amazon ECS API Reference, CreateService.
func (b *bill) sameCluster(service, c Resource) bool {
	own, found := b.graph.referred(service, clusterType, "cluster")
	of, known := b.graph.referred(c, clusterType, "clusterName")
	if found && known {
		return own.Name == of.Name
	}
	name, _ := c.at("clusterName").raw.(string)
	cluster, _ := service.at("cluster").raw.(string)
	if service.at("cluster").absent() {
		cluster = "default"
	}
	return name != "" && cluster[strings.LastIndex(cluster, "/")+1:] == name
}

// strategy reads a capacity provider strategy: Fargate's two providers, or groups of EC2 instances, which are
// billed by themselves.
func (b *bill) strategy(r Resource, strategies []Resource) (plan, bool) {
	var p plan
	groups := 0
	for _, s := range strategies {
		s = named(s, r)
		provider, ok1 := b.given(s, "capacityProvider")
		weight, ok2 := b.number(s, 0, "weight")
		base, ok3 := b.number(s, 0, "base")
		if !ok1 || !ok2 || !ok3 {
			return p, false
		}
		switch provider {
		case "FARGATE":
			p.fargate, p.onDemand, p.base = true, weight, base
		case "FARGATE_SPOT":
			p.fargate, p.spot = true, weight
			if base > 0 {
				b.unpriced(r, "a base of Spot tasks is not priced")
				return p, false
			}
		default:
			groups++
		}
	}
	if p.fargate && groups > 0 {
		b.unpriced(r, "tasks on Fargate and on instances at once are not priced")
		return p, false
	}
	if p.spot+p.onDemand == 0 {
		p.onDemand = 1
	}
	return p, true
}

// cluster costs something only where its tasks' metrics are collected.
func cluster(b *bill, r Resource) {
	settings, v := r.each("settings")
	if v.hidden != "" {
		b.unpriced(r, "its settings %s", v.hidden)
		return
	}
	for _, s := range settings {
		name, _ := s.at("name").raw.(string)
		on, _ := s.at("value").raw.(string)
		if name == "containerInsights" && slices.Contains([]string{"enabled", "enhanced"}, on) {
			b.unpriced(r, "Container Insights is billed by the metrics and logs that it writes")
		}
	}
}

func repository(b *bill, r Resource) {
	stored, ok := b.usage.amount(r, "storage_gb")
	if !ok {
		stored = b.usage.ImageGB
	}
	b.used(r, "ecr/gb", stored)
}

// kubernetes is an EKS cluster's control plane.
func kubernetes(b *bill, r Resource) {
	b.hours(r, "eks/hour", 1)
	if !r.at("computeConfig").absent() && b.is(r, "computeConfig", "enabled") {
		b.unpriced(r, "what EKS Auto Mode starts is not in the graph")
	}
	b.noteOldVersion(r)
}

// noteOldVersion notes a version of Kubernetes that may be in extended support, at six times the price. Source:
// Amazon EKS User Guide, "Kubernetes release calendar": 1.33 left standard support on 2026-07-29.
func (b *bill) noteOldVersion(r Resource) {
	const oldest = 1.34
	version, ok := b.text(r, "", "version")
	if n, isNumber := decimal(version); ok && isNumber && n < oldest && len(version) == len("1.34") {
		b.unpriced(r, "Kubernetes %s may be in extended support, which costs more", version)
	}
}

// nodeGroup is a managed group of EKS: instances with a volume of 20 GB where none is given.
func nodeGroup(b *bill, r Resource) {
	n, ok := b.required(r, asNumber, "scalingConfig", "desiredSize")
	if !ok {
		return
	}
	if !r.at("launchTemplate").absent() {
		b.unpriced(r, "node groups with a launch template are not priced")
		return
	}
	v := r.at("instanceTypes")
	kinds, _ := v.raw.([]any)
	if v.hidden != "" {
		b.unpriced(r, "its instance types %s", v.hidden)
		return
	}
	kind := "t3.medium" // EKS's default
	if len(kinds) > 0 {
		kind, _ = kinds[0].(string)
	}
	if capacity, ok := b.text(r, "ON_DEMAND", "capacityType"); !ok || capacity != "ON_DEMAND" {
		b.unpriced(r, "its %g machines are Spot instances, whose price moves", n)
	} else {
		b.hours(r, "ec2/"+kind, n)
	}
	if family, _, _ := strings.Cut(kind, "."); defaultCredits(family) == "unlimited" {
		credits(b, r, "ec2", kind, n, b.usage.CPUSeconds/b.sharing(serverTypes...))
	}
	if b.hasAddress(r, r) {
		b.hours(r, "ipv4/hour", n)
	}
	if size, ok := b.number(r, 20, "diskSize"); ok {
		b.charge(r, "ebs/gp3", n*size)
	}
}
