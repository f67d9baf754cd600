package findings

import (
	"context"
	"fmt"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// findingStage is the stage whose topology the lessons are about: several instances, one database.
const findingStage = "stage2"

// pool: four instances with 25 connections each want more than the database accepts; a derived
// budget stays below it.
func (r *runner) pool(ctx context.Context) (result.Finding, error) {
	const instances, users, reserve = 4, 200, 3
	declared, err := stage.Read(r.plan.Root, findingStage)
	if err != nil {
		return result.Finding{}, err
	}
	budget := (declared.DatabaseConnections - reserve) / (2 * instances) // twice, as during a rolling deploy
	side := func(size int, what string) trial {
		return trial{
			label: fmt.Sprintf("%s: %d connections an instance", what, size),
			turn:  func(o *stage.Stage) { o.Instances, o.PoolPerInstance = instances, size },
		}
	}
	before, after := side(25, "the original's"), side(budget, "derived")
	b, a, err := r.both(ctx, findingStage, before, after, load.Load{Users: users})
	if err != nil {
		return result.Finding{}, err
	}
	at := fmt.Sprintf(" at %d users, %d instances", users, instances)
	f := result.Finding{
		Claim: "Pool exhaustion, not CPU, was the bottleneck: 25 connections an instance against about 87 that the " +
			"database accepts.",
		Knob: "pool per instance",
		Comparisons: []result.Comparison{
			compare("failed requests"+at, "%", true, before, after, b, a, errorShare),
			compare("goodput"+at, "1/s", false, before, after, b, a, goodput),
			compare("p95"+at, "ms", true, before, after, b, a, p95Of),
			compare("database connections"+at, "connections", true, before, after, b, a, peak(result.ResourceDBConns)),
		},
	}
	failedBefore, failedAfter := *f.Comparisons[0].Before.Median, *f.Comparisons[0].After.Median
	const objective = 1.0 // % of failed requests
	switch {
	case failedBefore > objective && failedAfter <= objective:
		f.Status = result.FindingReproduced
		f.Conclusion = fmt.Sprintf("%d x 25 connections overrun the %d of the database and %.1f%% of the requests fail; %d "+
			"an instance fail %.1f%%.",
			instances, declared.DatabaseConnections, failedBefore, budget, failedAfter)
	default:
		f.Status = result.FindingNotReproduced
		f.Conclusion = fmt.Sprintf("Not reproduced: with %d x 25 connections against %d accepted, %.1f%% of the requests "+
			"fail, with %d an instance %.1f%%.",
			instances, declared.DatabaseConnections, failedBefore, budget, failedAfter)
	}
	gate(&f, b, a)
	return f, nil
}

// peak is the highest value of a resource in a step.
func peak(r result.Resource) func(result.Step) *float64 {
	return func(s result.Step) *float64 {
		for _, u := range s.Usage {
			if u.Resource == r {
				return &u.Max
			}
		}
		return nil
	}
}
