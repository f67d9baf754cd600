package experiment

import (
	"shoplab/lab/cost"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// price says what the stage survives, by its declared resource graph, and estimates what it costs on AWS, and
// what it costs a request at volumes up to the rate that it was measured to carry. Without a graph there is
// neither.
func price(st *result.Stage, root string) {
	graph, err := stage.Graph(root, st.Name)
	if err != nil {
		st.Notes = append(st.Notes, "no cost: there is no resource graph of this stage in platform/graphs")
		return
	}
	for _, f := range stage.Failures(graph) {
		st.Failures = append(st.Failures, result.Failure{
			Of: f.What, Count: f.Count, Survived: f.Survived(),
			Loss: string(f.Loss), Why: f.Why,
		})
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
