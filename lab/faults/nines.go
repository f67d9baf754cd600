package faults

import (
	"shoplab/lab/cost"
	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// monthly is what a stage costs a month by list price; nil where that is not known.
func monthly(g cost.Graph) *float64 {
	table, err := cost.Prices()
	if err != nil {
		return nil
	}
	estimate := table.Of(g, cost.DefaultUsage())
	if estimate.LowerBound() {
		return nil
	}
	return result.Ptr(estimate.Monthly())
}

// unavailable is how long a year the objective is not kept, by the faults' declared rates; nil unless every fault
// that a stage can have was measured.
func unavailable(faults []result.Fault) *float64 {
	if len(faults) < len(all) {
		return nil
	}
	total := 0.0
	for _, f := range faults {
		if f.Skipped != "" {
			continue
		}
		var missed []float64
		for _, r := range f.Runs {
			missed = append(missed, r.MissedSeconds)
		}
		if len(missed) == 0 {
			return nil
		}
		total += f.RatePerYear * stats.Median(missed)
	}
	return &total
}
