package findings

import (
	"context"
	"fmt"
	"strings"

	"shoplab/lab/cluster"
	"shoplab/lab/result"
)

// bypass: the shop's sidecars pass on what it says to its database and its cache, which are outside of the mesh as RDS
// and ElastiCache are, or the shop reaches them past the sidecars, as stage 4 does.
func (r *runner) bypass(ctx context.Context) (result.Finding, error) {
	if r.plan.Kubeconfig == "" {
		return result.Finding{
			Claim: bypassClaim, Knob: bypassKnob, Status: result.FindingSkipped,
			Skipped: "only measured on a stage 4 that is up on a cluster of yours: lab findings bypass --kubeconfig FILE",
		}, nil
	}
	return r.onNode(ctx, bypassOnNode)
}

const (
	bypassClaim = "A sidecar between the shop and RDS or ElastiCache works for nothing."
	bypassKnob  = "excludeOutboundPorts"
)

// bypassOnNode compares two copies of a stage 4 that is up on a node.
var bypassOnNode = nodeTrial{
	copies: cluster.Mesh.DataOutside,
	sides: func(stage cluster.Mesh, copies []cluster.Place) []*nodeSide {
		return []*nodeSide{
			copied("database and cache through the shop's sidecars", stage, copies[0]),
			copied("past them", stage, copies[1]),
		}
	},
	finding: bypassFinding,
}

// bypassFinding is what came of it: the CPU of the sidecars decides.
func bypassFinding(m *nodeRun) result.Finding {
	latencies, timers := m.compareCalm()
	f := result.Finding{Claim: bypassClaim, Knob: bypassKnob, Comparisons: append([]result.Comparison{
		m.compareFull("goodput", "1/s", false, goodput),
		m.compareCPU("the shop's sidecars", podCPU(result.ResourceSidecarCPU, cluster.Shop)),
		m.compareCPU("the shop", podCPU(result.ResourceInstanceCPU)),
		m.compareCPU("the database", podCPU(result.ResourceDBCPU)),
	}, append(latencies, timers)...)}
	f.Status = result.FindingNotReproduced
	if c := f.Comparisons[1]; c.Ratio != nil && *c.Ratio < 1 && apart(c) {
		f.Status = result.FindingReproduced
	}
	f.Conclusion = "Past the sidecars, and through them: " + differences(f.Comparisons[:2]) + "; " +
		differences(latencies) + "."
	f.Notes = []string{
		"both sides are copies of the shop with a sidecar in each pod, reached at a port of the node: without gateway, and " +
			"without mutual TLS",
		"database and cache are pods without sidecars, whose Services the mesh does not know, on the same node; they speak " +
			"plain text, of which a sidecar reads as little as of TLS",
	}
	m.conclude(&f)
	return f
}

// differences says in words what the medians are after and before, and where the repeats tell nothing.
func differences(all []result.Comparison) string {
	var words []string
	for _, c := range all {
		text := fmt.Sprintf("%s %.2f against %.2f %s", c.Measure, deref(c.After.Median), deref(c.Before.Median), c.Unit)
		if c.Ratio == nil || !apart(c) {
			text += " (which tells nothing: repeats of one side lie among the other's)"
		}
		words = append(words, text)
	}
	return strings.Join(words, ", ")
}
