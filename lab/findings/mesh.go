package findings

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// meshStage is the stage with a mesh.
const meshStage = "stage4"

// The loads of the comparison, what the original claims that a mesh adds at least, in ms, and Istio's own figures.
const (
	meshUsers, meshRate = 50, 100
	meshClaimed         = 50.0
	meshByIstio         = "Istio's own figures for two proxies: 1.7 ms at p90, 2.7 ms at p99 (Istio 1.12, performance " +
		"and scalability)"
)

// mesh: the same pods on the same node with a gateway and sidecars that speak mutual TLS, and without, behind nginx.
// First as much as 50 users get, then the latency at a rate that both carry with ease. With a kubeconfig it is a real
// stage 4, see meshnode.go.
func (r *runner) mesh(ctx context.Context) (result.Finding, error) {
	if r.plan.Kubeconfig != "" {
		return r.onNode(ctx, meshOnNode)
	}
	before := trial{label: "no mesh: nginx", turn: func(o *stage.Stage) { o.WithoutMesh = true }}
	after := trial{label: "mesh: gateway and sidecars, mutual TLS", turn: func(*stage.Stage) {}}
	fullB, fullA, err := r.both(ctx, meshStage, before, after, load.Load{Users: meshUsers})
	if err != nil {
		return result.Finding{}, err
	}
	calmB, calmA, err := r.both(ctx, meshStage, before, after, load.Load{Rate: meshRate})
	if err != nil {
		return result.Finding{}, err
	}
	full := func(measure, unit string, lower bool, of func(result.Step) *float64) result.Comparison {
		return compare(atUsers(measure), unit, lower, before, after, fullB, fullA, of)
	}
	f := meshFinding([]result.Comparison{
		full("goodput", "1/s", false, goodput),
		full("CPU of the proxies a request", "ms", true, cpuOf(result.ResourceProxyCPU, result.ResourceSidecarCPU)),
		full("CPU of the shop a request", "ms", true, cpuOf(result.ResourceInstanceCPU)),
	}, meshLatencies(before, after, calmB, calmA))
	f.Notes = append(f.Notes, "Envoys on this machine stand for Istio's: a gateway, and a sidecar beside each instance, "+
		"not beside database and cache; without Istio's filters and metrics")
	gate(&f, fullB, fullA, calmB, calmA)
	return f, nil
}

// atUsers and atRate say under which of the two loads something was measured.
func atUsers(measure string) string { return fmt.Sprintf("%s at %d users", measure, meshUsers) }

func atRate(measure string) string {
	return fmt.Sprintf("%s at %d requests a second", measure, meshRate)
}

// meshLatencies are the comparisons at the fixed rate: p50, p90 and p99.
func meshLatencies(before, after trial, b, a []result.Step) []result.Comparison {
	var all []result.Comparison
	for _, p := range []struct {
		name string
		of   func(result.Latency) float64
	}{
		{"p50", func(l result.Latency) float64 { return l.P50MS }},
		{"p90", func(l result.Latency) float64 { return l.P90MS }},
		{"p99", func(l result.Latency) float64 { return l.P99MS }},
	} {
		all = append(all, compare(atRate(p.name), "ms", true, before, after, b, a, latency(p.of)))
	}
	return all
}

// meshFinding draws the conclusion from the latencies, which come after what else is compared.
func meshFinding(full, latencies []result.Comparison) result.Finding {
	f := result.Finding{
		Claim: "Istio adds 50 to 80 ms to a request.", Knob: "mesh", Comparisons: append(full, latencies...),
		Notes: []string{meshByIstio},
	}
	var added [3]float64
	var told, untold []string
	for i, c := range latencies {
		if c.Before.Median == nil || c.After.Median == nil {
			f.Status, f.Conclusion = result.FindingInvalid, "No latency was measured."
			return f
		}
		percentile, _, _ := strings.Cut(c.Measure, " ")
		if !apart(c) {
			untold = append(untold, percentile)
			continue
		}
		added[i] = *c.After.Median - *c.Before.Median
		told = append(told, fmt.Sprintf("%.1f ms at %s", added[i], percentile))
	}
	switch {
	case added[0] >= meshClaimed:
		f.Status = result.FindingReproduced
	case added[2] >= meshClaimed:
		f.Status = result.FindingWeaker
	default:
		f.Status = result.FindingNotReproduced
	}
	f.Conclusion = fmt.Sprintf("The mesh adds %s; claimed were 50 to 80.", strings.Join(told, ", "))
	if len(told) == 0 {
		f.Conclusion = "Of latencies nothing can be told; claimed were 50 to 80 ms."
	}
	if len(untold) > 0 {
		f.Conclusion += fmt.Sprintf(" What it adds at %s cannot be told: repeats of one side lie among the other's.",
			strings.Join(untold, ", "))
	}
	return f
}

// apart says that all repeats of one side are below all of the other.
func apart(c result.Comparison) bool {
	return slices.Max(c.Before.Raw) < slices.Min(c.After.Raw) || slices.Max(c.After.Raw) < slices.Min(c.Before.Raw)
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
