package experiment

import (
	"shoplab/lab/cost"
	"shoplab/lab/stage"
)

// price estimates what the stage costs on AWS from its declared resource graph, and what it costs a
// request at volumes up to the rate that it was measured to carry. Without a graph there is no
// price.
func (r *stageRun) price() {
	graph, err := stage.Graph(r.plan.Root, r.st.Name)
	if err != nil {
		r.st.Notes = append(r.st.Notes, "no cost: there is no resource graph of this stage in platform/graphs")
		return
	}
	table, err := cost.Prices()
	if err != nil {
		r.st.Notes = append(r.st.Notes, "no cost: "+err.Error())
		return
	}
	usage := cost.DefaultUsage()
	estimate := table.Of(graph, usage)
	r.st.Cost = &estimate
	r.st.CostCurve = table.Curve(r.st.CostOption(graph), usage, cost.Volumes())
}
