package cost

import "math"

// group is billed at its desired capacity: what it scales to is capacity, not the standing cost.
func group(b *bill, r Resource) {
	spec, ok := b.templateOf(r)
	if !ok {
		return
	}
	n, ok := b.size(r)
	if !ok {
		return
	}
	m := machine{of: r, spec: spec, count: n}
	if mixed := r.at("mixedInstancesPolicy"); !mixed.absent() {
		if m.spot, ok = b.spotOf(r, n); !ok {
			return
		}
	} else if market, _ := spec.at("instanceMarketOptions", "marketType").raw.(string); market == "spot" ||
		!spec.at("spotPrice").absent() {
		m.spot = n
	}
	if m.kind, ok = b.kindOf(m); !ok {
		return
	}
	if overrides, v := r.each("mixedInstancesPolicy", "launchTemplate", "overrides"); v.hidden != "" ||
		len(overrides) > 0 {
		b.unpriced(r, "it may start other types than %s, which is what is priced", m.kind)
	}
	servers(b, m)
	disks(b, m)
	if b.hasAddress(r, spec) {
		b.hours(r, "ipv4/hour", n)
	}
}

// templateOf is what a group's machines are made from.
func (b *bill) templateOf(r Resource) (Resource, bool) {
	for _, try := range []struct {
		typ  string
		path []string
	}{
		{launchTemplate, []string{"launchTemplate", "id"}},
		{launchTemplate, []string{"launchTemplate", "name"}},
		{
			launchTemplate, []string{
				"mixedInstancesPolicy", "launchTemplate", "launchTemplateSpecification", "launchTemplateId",
			},
		},
		{
			launchTemplate, []string{
				"mixedInstancesPolicy", "launchTemplate", "launchTemplateSpecification", "launchTemplateName",
			},
		},
		{launchConfig, []string{"launchConfiguration"}},
	} {
		if r.at(try.path[0]).absent() || (len(try.path) > 1 && r.at(try.path...).absent()) {
			continue
		}
		if spec, ok := b.graph.referred(r, try.typ, try.path...); ok {
			return spec, true
		}
	}
	b.unpriced(r, "its launch template is not in the graph")
	return Resource{}, false
}

// size is the group's desired capacity; AWS takes the minimum where none is given.
func (b *bill) size(r Resource) (float64, bool) {
	if !r.at("desiredCapacity").absent() {
		return b.required(r, asNumber, "desiredCapacity")
	}
	return b.required(r, asNumber, "minSize")
}

// spotOf is how many of n machines a mixed instances policy makes Spot instances: of those above the base
// the percentage is On-Demand, rounded up as Auto Scaling does. 100% is AWS's default.
func (b *bill) spotOf(r Resource, n float64) (float64, bool) {
	base, ok1 := b.number(r, 0, "mixedInstancesPolicy", "instancesDistribution", "onDemandBaseCapacity")
	percent, ok2 := b.number(r, 100, "mixedInstancesPolicy", "instancesDistribution",
		"onDemandPercentageAboveBaseCapacity")
	onDemand := min(n, base) + math.Ceil(max(0, n-base)*min(percent, 100)/100)
	return n - min(n, onDemand), ok1 && ok2
}

// monitored tells whether an instance, launch template or launch configuration asks for detailed monitoring:
// a configuration does unless it says otherwise.
func (b *bill) monitored(spec Resource) bool {
	if spec.Type == launchConfig {
		on, ok := b.truth(spec, true, "enableMonitoring")
		return ok && on
	}
	switch spec.at("monitoring").raw.(type) {
	case map[string]any, []any: // a launch template
		return b.is(spec, "monitoring", "enabled")
	}
	return b.is(spec, "monitoring")
}

// hasAddress tells whether a machine has a public IPv4 address that is billed with it. One that is given up
// when an Elastic IP takes its place is billed there.
func (b *bill) hasAddress(r, spec Resource) bool {
	if r.Type == instanceType && b.elastic(r) {
		return false
	}
	if ip := r.output("publicIp"); ip != "" {
		return true
	}
	for _, path := range [][]string{{"associatePublicIpAddress"}, {"networkInterfaces", "associatePublicIpAddress"}} {
		if !spec.at(path...).absent() {
			return b.is(spec, path...)
		}
	}
	if !spec.at("networkInterfaces", "networkInterfaceId").absent() || !spec.at("primaryNetworkInterface").absent() {
		return false // an interface that was made before has at most an Elastic IP
	}
	for _, path := range []string{"subnetId", "vpcZoneIdentifiers", "subnetIds"} {
		if r.at(path).absent() {
			continue
		}
		if s, ok := b.graph.referred(b.firstOf(r, path), subnet, path); ok {
			return b.is(s, "mapPublicIpOnLaunch")
		}
		b.unpriced(r, "whether its subnet gives it a public address is not known")
		return false
	}
	if r.Type == instanceType {
		return true // the default VPC's subnets give public addresses
	}
	b.unpriced(r, "whether it has public addresses is not known")
	return false
}

// firstOf is r with the first element of the list at key in the list's place.
func (b *bill) firstOf(r Resource, key string) Resource {
	list, ok := r.at(key).raw.([]any)
	if !ok || len(list) == 0 {
		return r
	}
	r.Inputs, r.Outputs = map[string]any{key: open(list[0]).raw}, nil
	return r
}

// elastic tells whether an Elastic IP belongs to the instance, or to a network interface of it.
func (b *bill) elastic(r Resource) bool {
	points := func(from Resource, key string) bool {
		if from.at(key).absent() {
			return false
		}
		target, ok := b.graph.referred(from, instanceType, key)
		return ok && target.URN == r.URN && target.Name == r.Name
	}
	owns := func(from Resource, key string) bool {
		if from.at(key).absent() {
			return false
		}
		ni, ok := b.graph.referred(from, netInterface, key)
		if !ok {
			return false
		}
		for _, path := range [][]string{
			{"networkInterfaces", "networkInterfaceId"}, {"primaryNetworkInterface", "networkInterfaceId"},
		} {
			if r.at(path...).absent() {
				continue
			}
			if mine, ok := b.graph.referred(r, netInterface, path...); ok && mine.Name == ni.Name {
				return true
			}
		}
		return false
	}
	for _, a := range b.graph.ofType(association) {
		if points(a, "instanceId") || owns(a, "networkInterfaceId") {
			return true
		}
	}
	for _, a := range b.graph.ofType(eip) {
		if points(a, "instance") || owns(a, "networkInterface") {
			return true
		}
	}
	return false
}
