package findings

import (
	"fmt"

	"shoplab/lab/cluster"
	"shoplab/lab/result"
)

// meshOnNode compares a stage 4 that is up on a node with a copy of it without mesh.
var meshOnNode = nodeTrial{
	copies: func(stage cluster.Mesh) []cluster.Place { return []cluster.Place{stage.Unmeshed()} },
	sides: func(stage cluster.Mesh, copies []cluster.Place) []*nodeSide {
		return []*nodeSide{copied("no mesh: a port of the node", stage, copies[0]), {
			label: "mesh: gateway and sidecars, mutual TLS", url: nodeURL(stage, stage.NodePort), namespace: stage.Namespace,
			ingress: stage.Ingress,
		}}
	},
	finding: meshNodeFinding,
}

// meshNodeFinding is what came of it.
func meshNodeFinding(m *nodeRun) result.Finding {
	latencies, timers := m.compareCalm()
	f := meshFinding([]result.Comparison{
		m.compareFull("goodput", "1/s", false, goodput),
		m.compareCPU("the gateway", podCPU(result.ResourceProxyCPU)),
		m.compareCPU("the shop's sidecars", podCPU(result.ResourceSidecarCPU, cluster.Shop)),
		m.compareCPU("the database's and the cache's sidecars", podCPU(result.ResourceSidecarCPU, cluster.Database,
			cluster.Cache)),
		m.compareCPU("the shop", podCPU(result.ResourceInstanceCPU)),
		m.compareCPU("the database", podCPU(result.ResourceDBCPU)),
	}, latencies)
	f.Comparisons = append(f.Comparisons, timers)
	f.Conclusion += " " + shares(f.Comparisons)
	f.Notes = append(f.Notes, "without mesh the shop is reached at a port of the node, where kube-proxy spreads "+
		"connections; the gateway spreads requests")
	m.conclude(&f)
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
