package findings

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"shoplab/lab/cluster"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target"
	"shoplab/lab/verdict"
	"shoplab/lab/watch"
)

// nodeSite is a shop on a node as a target.Site. Its containers are not watched by the second: the kubelet does not.
type nodeSite struct{ url string }

var _ target.Site = nodeSite{}

// URL implements target.Site.
func (s nodeSite) URL() string { return s.url }

// Stage implements target.Site.
func (nodeSite) Stage() stage.Stage { return stage.Stage{} }

// Started implements target.Site.
func (nodeSite) Started() time.Duration { return 0 }

// Probes implements target.Site.
func (nodeSite) Probes() []watch.Probe { return []watch.Probe{watch.Machine()} }

// Describe implements target.Site.
func (nodeSite) Describe(*result.Stage) {}

// Down implements target.Site: it was up before.
func (nodeSite) Down(context.Context) error { return nil }

// gatewayPart is what the gateway's usage is of; a sidecar's is of the app that it stands beside.
const gatewayPart = "gateway"

// has says that a container takes part in the side's requests.
func (s *nodeSide) has(c cluster.Container) bool {
	resource, _ := part(c, s.ingress)
	return resource != "" && slices.Contains([]string{s.namespace, s.ingress}, c.Namespace)
}

// part says what a container is for a request: its resource, and of what; "" for what no request meets.
func part(c cluster.Container, ingress string) (result.Resource, string) {
	app, _, _ := strings.Cut(c.Pod, "-")
	switch {
	case c.Namespace == ingress:
		return result.ResourceProxyCPU, gatewayPart
	case c.Name == cluster.Sidecar:
		return result.ResourceSidecarCPU, app
	case c.Name == cluster.Shop:
		return result.ResourceInstanceCPU, app
	case c.Name == cluster.Database:
		return result.ResourceDBCPU, app
	case c.Name == cluster.Cache:
		return result.ResourceRedisCPU, app
	}
	return "", ""
}

// parts are the CPU seconds of containers, by part, as usages over a step of some seconds. There is one reading for the
// whole step, so the mean is also the greatest.
func (s *nodeSide) parts(used map[cluster.Container]float64, seconds float64) []result.Usage {
	var all []result.Usage
	for c, cpu := range used {
		resource, of := part(c, s.ingress)
		i := slices.IndexFunc(all, func(u result.Usage) bool { return u.Resource == resource && u.Of == of })
		if i < 0 {
			i = len(all)
			all = append(all, result.Usage{Resource: resource, Of: of, Unit: "cores"})
		}
		all[i].Mean += cpu / seconds
		all[i].Max = all[i].Mean
	}
	slices.SortFunc(all, func(a, b result.Usage) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Of, b.Of))
	})
	return all
}

// foreign is what the machine that runs both the node and the generator spent on neither the pods, nor the generator,
// nor interrupts, beyond what it spent before the load; nothing where that was not measured.
func foreign(s result.Step, pods []result.Usage, idle float64, cores int) []result.Usage {
	if s.MachineCPU == nil || s.GeneratorCPU == nil {
		return nil
	}
	rest := *s.MachineCPU*float64(cores) - *s.GeneratorCPU - idle
	for _, u := range s.Usage {
		if u.Resource == result.ResourceInterruptCPU {
			rest -= u.Mean
		}
	}
	for _, u := range pods {
		rest -= u.Mean
	}
	rest = max(0, rest)
	return []result.Usage{{
		Resource: result.ResourceForeignCPU, Unit: "cores", Mean: rest, Max: rest, Limit: result.Ptr(float64(cores)),
	}}
}

// podCPU is what some parts of one resource used for a request, in ms of a core: 0 where the pods were read and there
// is no such part, as the sidecars of a side without mesh. Without names it is all parts of the resource.
func podCPU(resource result.Resource, of ...string) func(result.Step) *float64 {
	return func(s result.Step) *float64 {
		var cores float64
		read := false
		for _, u := range s.Usage {
			read = read || u.Resource == result.ResourceInstanceCPU
			if u.Resource == resource && (len(of) == 0 || slices.Contains(of, u.Of)) {
				cores += u.Mean
			}
		}
		if !read || s.Throughput == 0 {
			return nil
		}
		return result.Ptr(1000 * cores / s.Throughput)
	}
}

// finding is what came of it.
func (m *nodeMesh) finding() result.Finding {
	without, with := m.sides[0], m.sides[1]
	before, after := trial{label: without.label}, trial{label: with.label}
	full := func(measure, unit string, lower bool, of func(result.Step) *float64) result.Comparison {
		return compare(atUsers(measure), unit, lower, before, after, without.full, with.full, of)
	}
	cpu := func(what string, of func(result.Step) *float64) result.Comparison {
		return full("CPU of "+what+" a request", "ms", true, of)
	}
	f := meshFinding([]result.Comparison{
		full("goodput", "1/s", false, goodput),
		cpu("the gateway", podCPU(result.ResourceProxyCPU)),
		cpu("the shop's sidecars", podCPU(result.ResourceSidecarCPU, cluster.Shop)),
		cpu("the database's and the cache's sidecars", podCPU(result.ResourceSidecarCPU, cluster.Database, cluster.Cache)),
		cpu("the shop", podCPU(result.ResourceInstanceCPU)),
		cpu("the database", podCPU(result.ResourceDBCPU)),
	}, meshLatencies(before, after, without.calm, with.calm))
	f.Comparisons = append(f.Comparisons, compare(atRate("the generator's own timers late, p99,"), "ms", true, before,
		after, without.calm, with.calm, func(s result.Step) *float64 { return s.TimerLateMS }))
	f.Conclusion += " " + shares(f.Comparisons)
	f.Notes = append(f.Notes, m.notes()...)
	f.Steps = slices.Concat(without.full, with.full, without.calm, with.calm)
	levels := []result.Level{level(without.full), level(with.full)}
	invalid(&f, append(verdict.Valid(f.Steps, nil, levels).Reasons, lateTimers(without.calm, with.calm)...))
	return f
}

// shares says in a sentence what a request costs.
func shares(c []result.Comparison) string {
	at := func(s result.Case) float64 { return deref(s.Median) }
	return fmt.Sprintf("%d users got %.0f requests a second, and %.0f without mesh. A request took %.2f ms CPU of the "+
		"proxies (gateway %.2f, the shop's sidecars %.2f, the database's and the cache's %.2f) and %.2f ms of the shop "+
		"(%.2f without).",
		meshUsers, at(c[0].After), at(c[0].Before), at(c[1].After)+at(c[2].After)+at(c[3].After), at(c[1].After),
		at(c[2].After), at(c[3].After), at(c[4].After), at(c[4].Before))
}

// notes say how it was measured, and on what.
func (m *nodeMesh) notes() []string {
	all := []string{
		"CPU is the kubelet's count for each container (Summary API), before and after each load, less what the container " +
			"uses without load",
		"without mesh the shop is reached at a port of the node, where kube-proxy spreads connections; the gateway spreads " +
			"requests",
		fmt.Sprintf("kubelet %s; Envoy %s", m.stage.Kubelet, m.stage.Envoy),
	}
	if len(m.stage.Reduced) > 0 {
		all = append(all, "istiod runs with "+strings.Join(m.stage.Reduced, " and ")+
			": its proxies do less than Istio's usual ones")
	}
	if m.here {
		all = append(all, fmt.Sprintf("the load was sent by the machine that runs the node; without load it used %.2f cores",
			m.idleCores))
	}
	return all
}

// level is one side's steps at 50 users, for the gate on the noise between repeats.
func level(steps []result.Step) result.Level {
	l := result.Level{Users: meshUsers}
	for _, s := range steps {
		if p95 := p95Of(s); p95 != nil {
			l.AllP95MS = append(l.AllP95MS, *p95)
		}
	}
	return l
}

// latestTimer is how late the generator's timers may be at the fixed rate, in ms: a tenth of the claim. The gate's own
// limit is for an objective of 500 ms.
const latestTimer = meshClaimed / 10

// lateTimers says that the generator had not the CPU to see what it is to measure.
func lateTimers(steps ...[]result.Step) []string {
	var worst float64
	for _, s := range slices.Concat(steps...) {
		worst = max(worst, deref(s.TimerLateMS))
	}
	if worst <= latestTimer {
		return nil
	}
	return []string{fmt.Sprintf("at %d requests a second the load generator's own timers were %.1f ms late (p99, limit "+
		"%.0f ms), and so are all latencies", meshRate, worst, latestTimer)}
}
