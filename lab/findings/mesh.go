package findings

import (
	"context"
	"fmt"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// meshStage is the stage with a mesh.
const meshStage = "stage4"

// mesh: the same pods on the same node with a gateway and sidecars that speak mutual TLS, and without, behind nginx.
// First as much as 50 users get, then the latency at a rate that both carry with ease.
func (r *runner) mesh(ctx context.Context) (result.Finding, error) {
	const users, rate = 50, 100
	const claimed = 50.0 // ms at least
	before := trial{label: "no mesh: nginx", turn: func(o *stage.Stage) { o.WithoutMesh = true }}
	after := trial{label: "mesh: gateway and sidecars, mutual TLS", turn: func(*stage.Stage) {}}
	fullB, fullA, err := r.both(ctx, meshStage, before, after, load.Load{Users: users})
	if err != nil {
		return result.Finding{}, err
	}
	calmB, calmA, err := r.both(ctx, meshStage, before, after, load.Load{Rate: rate})
	if err != nil {
		return result.Finding{}, err
	}
	at, calm := fmt.Sprintf(" at %d users", users), fmt.Sprintf(" at %d requests a second", rate)
	full := func(measure, unit string, lower bool, of func(result.Step) *float64) result.Comparison {
		return compare(measure+at, unit, lower, before, after, fullB, fullA, of)
	}
	f := result.Finding{
		Claim: "Istio adds 50 to 80 ms to a request.",
		Knob:  "mesh",
		Comparisons: []result.Comparison{
			full("goodput", "1/s", false, goodput),
			full("CPU of the proxies a request", "ms", true, cpuOf(result.ResourceProxyCPU, result.ResourceSidecarCPU)),
			full("CPU of the shop a request", "ms", true, cpuOf(result.ResourceInstanceCPU)),
			compare("p50"+calm, "ms", true, before, after, calmB, calmA,
				latency(func(l result.Latency) float64 { return l.P50MS })),
			compare("p90"+calm, "ms", true, before, after, calmB, calmA,
				latency(func(l result.Latency) float64 { return l.P90MS })),
			compare("p99"+calm, "ms", true, before, after, calmB, calmA,
				latency(func(l result.Latency) float64 { return l.P99MS })),
		},
		Notes: []string{
			"Envoys on this machine stand for Istio's: a gateway, and a sidecar beside each instance, not beside database and " +
				"cache; without Istio's filters and metrics",
			"Istio's own figures for two proxies: 1.7 ms at p90, 2.7 ms at p99 (Istio 1.12, performance and scalability)",
		},
	}
	added := func(c result.Comparison) float64 {
		if c.Before.Median == nil || c.After.Median == nil {
			return 0
		}
		return *c.After.Median - *c.Before.Median
	}
	p50, p90, p99 := added(f.Comparisons[3]), added(f.Comparisons[4]), added(f.Comparisons[5])
	switch {
	case p50 >= claimed:
		f.Status = result.FindingReproduced
	case p99 >= claimed:
		f.Status = result.FindingWeaker
	default:
		f.Status = result.FindingNotReproduced
	}
	f.Conclusion = fmt.Sprintf("The mesh adds %.1f ms at p50, %.1f at p90 and %.1f at p99; claimed were 50 to 80.", p50,
		p90, p99)
	gate(&f, fullB, fullA, calmB, calmA)
	return f, nil
}

// cpuOf is what some parts of a stage used for a request, in ms of a core.
func cpuOf(parts ...result.Resource) func(result.Step) *float64 {
	return func(s result.Step) *float64 {
		if s.Throughput == 0 {
			return nil
		}
		var cores *float64
		for _, u := range s.Usage {
			for _, part := range parts {
				if u.Resource == part {
					cores = result.Ptr(u.Mean + deref(cores))
				}
			}
		}
		if cores == nil {
			return nil
		}
		return result.Ptr(1000 * *cores / s.Throughput)
	}
}

func deref(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// latency is one of a step's percentiles.
func latency(of func(result.Latency) float64) func(result.Step) *float64 {
	return func(s result.Step) *float64 {
		if s.Latency == nil {
			return nil
		}
		return result.Ptr(of(*s.Latency))
	}
}
