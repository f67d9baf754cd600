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

// compareFull compares the sides at 50 users.
func (m *nodeRun) compareFull(measure, unit string, lower bool, of func(result.Step) *float64) result.Comparison {
	before, after := m.sides[0], m.sides[1]
	return compare(atUsers(measure), unit, lower, trial{label: before.label}, trial{label: after.label}, before.full,
		after.full, of)
}

// compareCPU compares what some containers use for a request.
func (m *nodeRun) compareCPU(what string, of func(result.Step) *float64) result.Comparison {
	return m.compareFull("CPU of "+what+" a request", "ms", true, of)
}

// compareCalm compares the latencies at the fixed rate, and says how well they were measured.
func (m *nodeRun) compareCalm() (latencies []result.Comparison, timers result.Comparison) {
	before, after := m.sides[0], m.sides[1]
	b, a := trial{label: before.label}, trial{label: after.label}
	timers = compare(atRate("the generator's own timers late, p99,"), "ms", true, b, a, before.calm, after.calm,
		func(s result.Step) *float64 { return s.TimerLateMS })
	return meshLatencies(b, a, before.calm, after.calm), timers
}

// conclude adds to a finding what it rests on, and holds it against the gates.
func (m *nodeRun) conclude(f *result.Finding) {
	before, after := m.sides[0], m.sides[1]
	f.Notes = append(f.Notes, m.notes()...)
	f.Steps = slices.Concat(before.full, after.full, before.calm, after.calm)
	levels := []result.Level{level(before.full), level(after.full)}
	invalid(f, append(verdict.Valid(f.Steps, nil, levels).Reasons, lateTimers(before.calm, after.calm)...))
}

// notes say how it was measured, and on what.
func (m *nodeRun) notes() []string {
	all := []string{
		"CPU is the kubelet's count for each container (Summary API), before and after each load, less what the container " +
			"uses without load",
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
