package findings

import (
	"context"
	"fmt"
	"time"

	"shoplab/contract"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// deepPath reads the database on every check; the shop's own readiness probe does not, on purpose.
const deepPath = "/api/products?q=health&limit=1"

// health: eight instances, deep checks every 5 s against shallow ones every 30 s.
func (r *runner) health(ctx context.Context) (result.Finding, error) {
	const instances, users = 8, 100
	side := func(path string, every time.Duration, what string) trial {
		return trial{label: fmt.Sprintf("%s checks every %s", what, every), turn: func(o *stage.Stage) {
			o.Instances, o.HealthCheckPath, o.HealthCheckInterval = instances, path, every
		}}
	}
	before, after := side(deepPath, 5*time.Second, "deep"), side(contract.LivePath, 30*time.Second, "shallow")
	quietB, quietA, err := r.both(ctx, findingStage, before, after, load.Load{})
	if err != nil {
		return result.Finding{}, err
	}
	b, a, err := r.both(ctx, findingStage, before, after, load.Load{Users: users})
	if err != nil {
		return result.Finding{}, err
	}
	f := result.Finding{
		Claim: "Health checks every 30 s instead of 5 s freed 20% of the connection pool.",
		Knob:  "health check",
		Comparisons: []result.Comparison{
			compare("pool in use without shoppers, 8 instances", "% of the pool", true, before, after, quietB, quietA,
				poolShare),
			compare(fmt.Sprintf("pool in use at %d users", users), "% of the pool", true, before, after, b, a, poolShare),
			compare(fmt.Sprintf("goodput at %d users", users), "1/s", false, before, after, b, a, goodput),
			compare(fmt.Sprintf("p95 at %d users", users), "ms", true, before, after, b, a, p95Of),
		},
		Notes: []string{"one health checker asks here; an ALB asks from a node in each zone"},
	}
	freed := 0.0 // percentage points of the pool
	if c := f.Comparisons[0]; c.Before.Median != nil && c.After.Median != nil {
		freed = *c.Before.Median - *c.After.Median
	}
	switch {
	case freed >= 10:
		f.Status = result.FindingReproduced
	case freed >= 2:
		f.Status = result.FindingWeaker
	default:
		f.Status = result.FindingNotReproduced
	}
	f.Conclusion = fmt.Sprintf("The checks alone held %.1f points of the pool more when deep and frequent; claimed were "+
		"20.", freed)
	gate(&f, quietB, quietA, b, a)
	return f, nil
}

// poolShare is the mean use of all instances' pools in percent.
func poolShare(s result.Step) *float64 {
	used, limit := 0.0, 0.0
	for _, u := range s.Usage {
		if u.Resource == result.ResourcePoolInUse && u.Limit != nil {
			used, limit = used+u.Mean, limit+*u.Limit
		}
	}
	if limit == 0 {
		return nil
	}
	return result.Ptr(100 * used / limit)
}
