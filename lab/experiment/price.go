package experiment

import (
	"shoplab/lab/cost"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// price estimates what the stage costs on AWS from its declared resource graph, and what it costs a
// request at volumes up to the rate that it was measured to carry. Without a graph there is no
// price.
func price(st *result.Stage, root string) {
	graph, err := stage.Graph(root, st.Name)
	if err != nil {
		st.Notes = append(st.Notes, "no cost: there is no resource graph of this stage in platform/graphs")
		return
	}
	table, err := cost.Prices()
	if err != nil {
		st.Notes = append(st.Notes, "no cost: "+err.Error())
		return
	}
	usage := cost.DefaultUsage()
	estimate := table.Of(graph, usage)
	st.Cost = &estimate
	st.CostCurve = table.Curve(st.CostOption(graph), usage, cost.Volumes())
}
