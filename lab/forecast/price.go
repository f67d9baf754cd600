package forecast

import (
	"strings"

	"shoplab/contract"
	"shoplab/lab/cost"
	"shoplab/lab/result"
)

// Monthly is what a stage costs a month at a rate that is kept up all of it, with so many instances; false
// where the result has no price. The cost curve of the result has the instances that the stage starts with;
// one more adds its machine, disk and address.
func Monthly(st result.Stage, rate float64, instances int) (float64, bool) {
	base, ok := onCurve(st.CostCurve, rate*cost.HoursPerMonth*3600)
	if !ok || st.Config.Instances == nil {
		return 0, false
	}
	return base + float64(instances-*st.Config.Instances)*perInstance(st), true
}

// perInstance is what one instance adds to the fixed cost; 0 where instances share one machine.
func perInstance(st result.Stage) float64 {
	if st.Cost == nil || *st.Config.Instances == 0 || st.Topology == contract.Single || st.Topology == contract.Mesh {
		return 0
	}
	scaled := map[string]bool{}
	for _, l := range st.Cost.Lines {
		if !l.Usage && (strings.HasPrefix(l.Item, "ec2/") || strings.HasPrefix(l.Item, "fargate/")) {
			scaled[l.Resource] = true
		}
	}
	var own cost.Estimate
	for _, l := range st.Cost.Lines {
		if scaled[l.Resource] && !l.Usage {
			own.Lines = append(own.Lines, l)
		}
	}
	return own.Monthly() / float64(*st.Config.Instances)
}

// onCurve reads the curve at a volume, straight between its points and beyond its ends.
func onCurve(curve []cost.Point, requests float64) (float64, bool) {
	if len(curve) < 2 {
		return 0, false
	}
	i := 1
	for i < len(curve)-1 && curve[i].Requests < requests {
		i++
	}
	a, b := curve[i-1], curve[i]
	return a.Monthly + (b.Monthly-a.Monthly)*(requests-a.Requests)/(b.Requests-a.Requests), true
}

// PerMillion is the dollars of a million requests at a rate that is kept up.
func PerMillion(st result.Stage, rate float64, instances int) (float64, bool) {
	monthly, ok := Monthly(st, rate, instances)
	if !ok || rate == 0 {
		return 0, false
	}
	return monthly / (rate * cost.HoursPerMonth * 3600) * 1e6, true
}
