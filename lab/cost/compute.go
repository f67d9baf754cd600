package cost

import (
	"slices"
	"strings"
)

// machine describes the servers that a resource starts: an instance, or a launch template's copies.
type machine struct {
	of    Resource // whose bill they are on
	spec  Resource // an instance, a launch template or a launch configuration
	kind  string   // "t4g.small"
	count float64
	spot  float64 // how many of count are Spot instances
}

func instance(b *bill, r Resource) {
	m := machine{of: r, spec: r, count: 1}
	if !r.at("launchTemplate").absent() {
		lt, ok := b.graph.referred(r, launchTemplate, "launchTemplate", "id")
		if !ok {
			lt, ok = b.graph.referred(r, launchTemplate, "launchTemplate", "name")
		}
		if !ok {
			b.unpriced(r, "its launch template is not in the graph")
			return
		}
		m.spec = overlay(lt, r)
	}
	if kind, ok := b.text(r, "", "instanceType"); !ok {
		return
	} else if m.kind = kind; kind == "" {
		if m.kind, ok = b.kindOf(m); !ok {
			return
		}
	}
	if market, _ := m.spec.at("instanceMarketOptions", "marketType").raw.(string); market == "spot" {
		m.spot = 1
	}
	servers(b, m)
	disks(b, m)
	if b.hasAddress(r, m.spec) {
		b.hours(r, "ipv4/hour", 1)
	}
}

// overlay is a launch template with what an instance says itself on top.
func overlay(template, r Resource) Resource {
	merged := map[string]any{}
	for _, inputs := range []map[string]any{template.Inputs, r.Inputs} {
		for k, v := range inputs {
			merged[k] = v
		}
	}
	template.Inputs = merged
	return template
}

func (b *bill) kindOf(m machine) (string, bool) {
	v := m.spec.at("instanceType")
	if kind, ok := v.raw.(string); ok && kind != "" {
		return kind, true
	}
	b.unpriced(m.of, "its instance type %s", orElse(v.hidden, "is not given"))
	return "", false
}

// servers charges the machines by the hour, and what they do beside.
func servers(b *bill, m machine) {
	if tenancy, ok := b.text(m.spec, "default", "tenancy"); !ok || tenancy != "default" {
		b.unpriced(m.of, "only shared tenancy is priced")
		return
	}
	if b.is(m.spec, "getPasswordData") {
		b.unpriced(m.of, "it is a Windows machine; only Linux is priced")
		return
	}
	family, _, _ := strings.Cut(m.kind, ".")
	if slices.Contains([]string{"c1", "c3", "g2", "i2", "m1", "m2", "m3", "r3"}, family) && b.is(m.spec, "ebsOptimized") {
		b.unpriced(m.of, "EBS optimisation of an old family is not priced")
	}
	b.hours(m.of, "ec2/"+m.kind, m.count-m.spot)
	if m.spot > 0 {
		b.unpriced(m.of, "%g of its %g machines are Spot instances, whose price moves", m.spot, m.count)
	}
	if mode, ok := b.text(m.spec, defaultCredits(family), "creditSpecification", "cpuCredits"); ok && mode == "unlimited" {
		credits(b, m.of, "ec2", m.kind, m.count, b.usage.CPUSeconds/b.sharing(serverTypes...))
	}
	if b.monitored(m.spec) {
		b.charge(m.of, "cloudwatch/metric", m.count*metricsPerInstance)
	}
}

// metricsPerInstance are the metrics that detailed monitoring sends each minute, billed like custom ones.
const metricsPerInstance = 7

// serverTypes start servers, which share the stack's requests.
var serverTypes = []string{instanceType, groupType, nodeGroupType}

// sharing is among how many resources of some types the stack's requests are divided: the graph does not
// say who serves what.
func (b *bill) sharing(types ...string) float64 {
	return float64(max(1, len(b.graph.ofType(types...))))
}

// disks charges the volumes of the machines.
func disks(b *bill, m machine) {
	rooted := false
	if root, v := m.spec.each("rootBlockDevice"); v.hidden != "" {
		b.unpriced(m.of, "its root volume %s", v.hidden)
		rooted = true
	} else {
		for _, d := range root {
			rooted = true
			d.Type, d.Name, d.Region = m.of.Type, m.of.Name, m.of.Region
			volume(b, d, m.count, "volumeSize", "volumeType", "")
		}
	}
	for _, list := range []string{"ebsBlockDevices", "blockDeviceMappings"} {
		devices, v := m.spec.each(list)
		if v.hidden != "" {
			b.unpriced(m.of, "what its %s are %s", list, v.hidden)
			rooted = true
		}
		for _, d := range devices {
			root := list == "blockDeviceMappings" && (isRoot(d) || len(devices) == 1)
			if root && rooted {
				continue // the instance says itself what its root is, over the template
			}
			rooted = rooted || root
			if nested, _ := d.each("ebs"); len(nested) > 0 {
				d = nested[0]
			} else if list == "blockDeviceMappings" {
				continue // an instance store, or none
			}
			d.Type, d.Name, d.Region = m.of.Type, m.of.Name, m.of.Region
			fallback := "gp2" // EC2's own default for a volume that is no image's
			if root {
				fallback = ""
			}
			volume(b, d, m.count, "volumeSize", "volumeType", fallback)
		}
	}
	if !rooted && m.count > 0 {
		b.unpriced(m.of, "its root volume's size is the machine image's")
	}
}

func isRoot(device Resource) bool {
	name, _ := device.at("deviceName").raw.(string)
	return name == "/dev/xvda" || name == "/dev/sda1" || name == "/dev/sda"
}

// Included in the price of a gp3 volume. Source: Amazon EBS User Guide, "General Purpose SSD volumes".
const (
	gp3IOPS       = 3000
	gp3Throughput = 125 // MiB/s
)

// volume charges count EBS volumes as d describes them. Without a type of their own they have fallback, or
// the machine image's when that is "".
func volume(b *bill, d Resource, count float64, size, kind, fallback string) {
	typ, ok := b.text(d, fallback, kind)
	if ok && typ == "" {
		b.unpriced(d, "the volume's type is the machine image's")
		ok = false
	}
	gigabytes, sized := b.number(d, 0, size)
	if sized && gigabytes == 0 {
		b.unpriced(d, "the volume's size is the machine image's or snapshot's")
		sized = false
	}
	if !ok || !sized {
		return
	}
	b.charge(d, "ebs/"+typ, count*gigabytes)
	switch typ {
	case "gp3":
		if iops, ok := b.number(d, gp3IOPS, "iops"); ok && iops > gp3IOPS {
			b.charge(d, "ebs/iops/gp3", count*(iops-gp3IOPS))
		}
		if speed, ok := b.number(d, gp3Throughput, "throughput"); ok && speed > gp3Throughput {
			b.charge(d, "ebs/throughput/gp3", count*(speed-gp3Throughput))
		}
	case "io1", "io2":
		if iops, ok := b.required(d, asNumber, "iops"); ok {
			if typ == "io2" && iops > 32_000 {
				b.unpriced(d, "io2 beyond 32,000 IOPS has lower prices, which are not known")
				return
			}
			b.charge(d, "ebs/iops/"+typ, count*iops)
		}
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
