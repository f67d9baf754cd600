package findings

import (
	"math"
	"strings"
	"testing"

	"shoplab/lab/cluster"
	"shoplab/lab/result"
)

// aMesh is a measured comparison: two repeats, in which 1000 requests a second took 0.5 ms CPU of the shop, and with
// mesh 0.2 of the gateway, 0.2 of two sidecars, and 0.05 of each store's.
func aMesh() *nodeRun {
	m := &nodeRun{sides: []*nodeSide{
		{label: "without", namespace: "shop-stage4-plain"},
		{label: "with", namespace: "shop-stage4", ingress: "shop-stage4-ingress"},
	}}
	for i, s := range m.sides {
		used := map[cluster.Container]float64{
			{Namespace: s.namespace, Pod: "shop-a-1", Name: "shop"}:       2,
			{Namespace: s.namespace, Pod: "shop-a-2", Name: "shop"}:       3,
			{Namespace: s.namespace, Pod: "database-0", Name: "database"}: 1,
		}
		if s.ingress != "" {
			for c, cpu := range map[cluster.Container]float64{
				{Namespace: s.ingress, Pod: "istio-gateway-b-1", Name: "istio-proxy"}: 2,
				{Namespace: s.namespace, Pod: "shop-a-1", Name: "istio-proxy"}:        1.5,
				{Namespace: s.namespace, Pod: "shop-a-2", Name: "istio-proxy"}:        .5,
				{Namespace: s.namespace, Pod: "database-0", Name: "istio-proxy"}:      .5,
				{Namespace: s.namespace, Pod: "cache-c-1", Name: "istio-proxy"}:       .5,
			} {
				used[c] = cpu
			}
		}
		ms := float64(2 + 2*i)
		for range 2 {
			s.full = append(s.full, result.Step{
				Purpose: result.PurposeFinding, Requests: 10_000, Seconds: 10, Throughput: 1000, Goodput: float64(2000 / (i + 1)),
				Usage: s.parts(used, 10), Latency: &result.Latency{P95MS: 60},
			})
			s.calm = append(s.calm, result.Step{
				Purpose: result.PurposeFinding, Requests: 1000, Rate: meshRate, TimerLateMS: result.Ptr(1.5),
				Latency: &result.Latency{P50MS: ms, P90MS: 2 * ms, P99MS: 8 * ms},
			})
		}
	}
	return m
}

// TestMeshOnANode adds CPU up by proxy, and holds the latencies against the claim.
func TestMeshOnANode(t *testing.T) {
	f := meshNodeFinding(aMesh())
	if f.Status != result.FindingNotReproduced {
		t.Fatalf("%s: %s", f.Status, f.Conclusion)
	}
	for i, want := range [][2]float64{
		{2000, 1000}, {0, .2}, {0, .2}, {0, .1}, {.5, .5}, {.1, .1}, {2, 4}, {4, 8}, {16, 32}, {1.5, 1.5},
	} {
		c := f.Comparisons[i]
		if c.Before.Median == nil || c.After.Median == nil || math.Abs(*c.Before.Median-want[0]) > 1e-9 ||
			math.Abs(*c.After.Median-want[1]) > 1e-9 || len(c.After.Raw) != 2 {
			t.Errorf("%s: %+v and %+v, want %v", c.Measure, c.Before, c.After, want)
		}
	}
	for _, want := range []string{
		"adds 2.0 ms at p50, 4.0 ms at p90, 16.0 ms at p99", "1000 requests a second, and 2000 without mesh",
		"0.50 ms CPU of the proxies (gateway 0.20, the shop's sidecars 0.20, the database's and the cache's 0.10)",
	} {
		if !strings.Contains(f.Conclusion, want) {
			t.Errorf("%q is not in %q", want, f.Conclusion)
		}
	}
}

// TestLatenciesThatOverlap: a percentile whose repeats of one side lie among the other's has no difference.
func TestLatenciesThatOverlap(t *testing.T) {
	m := aMesh()
	m.sides[0].calm[0].Latency.P99MS = 40
	if f := meshNodeFinding(m); !strings.Contains(f.Conclusion, "adds 2.0 ms at p50, 4.0 ms at p90; claimed") ||
		!strings.Contains(f.Conclusion, "What it adds at p99 cannot be told") {
		t.Error(f.Conclusion)
	}
}

// TestMeshIsInvalid where the generator, or the machine, was not good enough for it.
func TestMeshIsInvalid(t *testing.T) {
	for name, c := range map[string]struct {
		change func(without, with *nodeSide)
		want   string
	}{
		"timers": {func(_, with *nodeSide) { with.calm[1].TimerLateMS = result.Ptr(5.5) }, "timers were 5.5 ms late"},
		"generator": {func(without, _ *nodeSide) {
			without.full[0].GeneratorCPU, without.full[0].GeneratorAllowance = result.Ptr(.95), result.Ptr(1.0)
		}, "load generator used 95%"},
		"late requests": {func(without, _ *nodeSide) { without.calm[0].MissedSends = result.Ptr(20) }, "left late"},
		"repeats":       {func(_, with *nodeSide) { with.full[1].Latency.P95MS = 120 }, "p95 at 50 users differs"},
		"others": {func(_, with *nodeSide) {
			s := &with.full[0]
			s.MachineCPU, s.GeneratorCPU = result.Ptr(1.0), result.Ptr(.3)
			s.Usage = append(s.Usage, foreign(*s, s.Usage, .1, 2)...)
		}, "not part of the run took 25%"},
	} {
		m := aMesh()
		c.change(m.sides[0], m.sides[1])
		if f := meshNodeFinding(m); f.Status != result.FindingInvalid || !strings.Contains(f.Conclusion, c.want) {
			t.Errorf("%s: %s, %s", name, f.Status, f.Conclusion)
		}
	}
}

// TestPodsThatServeARequest are told by namespace, pod and container; another container is nobody's.
func TestPodsThatServeARequest(t *testing.T) {
	with := aMesh().sides[1]
	for c, want := range map[cluster.Container]bool{
		{Namespace: "shop-stage4", Pod: "cache-1", Name: "cache"}:               true,
		{Namespace: "shop-stage4-ingress", Pod: "any", Name: "istio-proxy"}:     true,
		{Namespace: "shop-stage4", Pod: "shop-1", Name: "istio-init"}:           false,
		{Namespace: "shop-stage4-plain", Pod: "shop-1", Name: "shop"}:           false,
		{Namespace: "istio-system", Pod: "istiod-1", Name: "discovery"}:         false,
		{Namespace: "shop-stage4-plain", Pod: "database-0", Name: "istio-init"}: false,
	} {
		if with.has(c) != want {
			t.Errorf("%s: %t", c, !want)
		}
	}
}

// TestBypassOnANode: the CPU of the sidecars decides, and percentiles that overlap tell nothing.
func TestBypassOnANode(t *testing.T) {
	m := aMesh()
	m.sides[0], m.sides[1] = m.sides[1], m.sides[0] // through the sidecars, which cost 0.2 ms, and without any
	m.sides[1].calm[0].Latency.P99MS = 40
	f := bypassFinding(m)
	if f.Status != result.FindingReproduced {
		t.Fatalf("%s: %s", f.Status, f.Conclusion)
	}
	for _, want := range []string{
		"goodput at 50 users 2000.00 against 1000.00 1/s",
		"CPU of the shop's sidecars a request at 50 users 0.00 against 0.20 ms",
		"p50 at 100 requests a second 2.00 against 4.00 ms,",
		"p99 at 100 requests a second 28.00 against 32.00 ms (which tells",
	} {
		if !strings.Contains(f.Conclusion, want) {
			t.Errorf("%q is not in %q", want, f.Conclusion)
		}
	}
	for i := range m.sides[1].full {
		m.sides[1].full[i].Usage = m.sides[0].full[i].Usage
	}
	if f := bypassFinding(m); f.Status != result.FindingNotReproduced {
		t.Errorf("the same CPU on both sides: %s", f.Status)
	}
}
