package findings

import (
	"context"
	"fmt"

	"shoplab/contract"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/verdict"
)

// cache: four instances that keep answers of the catalog each by itself, and with the cache that they share as well.
func (r *runner) cache(ctx context.Context) (result.Finding, error) {
	const instances, rate = 4, 200
	side := func(what string, env ...string) trial {
		return trial{label: what, turn: func(o *stage.Stage) {
			o.Instances, o.Env = instances, append(o.Env, env...)
		}}
	}
	before, after := side("each instance's alone", contract.EnvRedisURL+"="), side("and one that they share")
	b, a, err := r.both(ctx, findingStage, before, after, load.Load{Rate: rate})
	if err != nil {
		return result.Finding{}, err
	}
	at := fmt.Sprintf(" at %d requests a second, %d instances", rate, instances)
	f := result.Finding{
		Claim: "The cache that instances share, which is paid for from stage 2 on, spares the database.",
		Knob:  "shared cache",
		Comparisons: []result.Comparison{
			compare("database CPU a request"+at, "ms", true, before, after, b, a, perRequest(result.ResourceDBCPU)),
			compare("p95"+at, "ms", true, before, after, b, a, p95Of),
		},
		Notes: []string{"the original has one from stage 2 on, and published no figure of it"},
	}
	f.Status = result.FindingNotReproduced
	if spared := f.Comparisons[0].Ratio; spared != nil && *spared <= 1/(1+verdict.LeastEffect) {
		f.Status = result.FindingReproduced
	}
	f.Conclusion = fmt.Sprintf("With the shared cache a request takes %s the database's CPU of one without, p95 is %s.",
		verdict.Times(f.Comparisons[0].Ratio), verdict.Times(f.Comparisons[1].Ratio))
	gate(&f, b, a)
	return f, nil
}

// perRequest is how many milliseconds of a CPU a request took of a resource, on average.
func perRequest(r result.Resource) func(result.Step) *float64 {
	return func(s result.Step) *float64 {
		for _, u := range s.Usage {
			if u.Resource == r && s.Throughput > 0 {
				return result.Ptr(1000 * u.Mean / s.Throughput)
			}
		}
		return nil
	}
}
