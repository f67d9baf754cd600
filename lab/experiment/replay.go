package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoplab/lab/backing"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// findingStage is the stage whose topology the lessons are about: several instances, one database.
const findingStage = "stage2"

// pool: four instances with 25 connections each want more than the database accepts; a derived
// budget stays below it.
func (r *replay) pool(ctx context.Context) (result.Finding, error) {
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
		Claim: "Pool exhaustion, not CPU, was the bottleneck: 25 connections an instance against about 87 that the database accepts.",
		Knob:  "pool per instance",
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
		f.Conclusion = fmt.Sprintf("%d x 25 connections overrun the %d of the database and %.1f%% of the requests fail; %d an instance fail %.1f%%.",
			instances, declared.DatabaseConnections, failedBefore, budget, failedAfter)
	default:
		f.Status = result.FindingNotReproduced
		f.Conclusion = fmt.Sprintf("Not reproduced: with %d x 25 connections against %d accepted, %.1f%% of the requests fail, with %d an instance %.1f%%.",
			instances, declared.DatabaseConnections, failedBefore, budget, failedAfter)
	}
	gate(&f, b, a)
	return f, nil
}

// pooler: PgBouncer between shop and database, lending a connection for a session or a transaction.
func (r *replay) pooler(ctx context.Context) (result.Finding, error) {
	const instances, clients, servers, users = 4, 25, 20, 200
	f := result.Finding{
		Claim: "PgBouncer in transaction mode instead of session mode: three times the throughput.",
		Knob:  "pool_mode",
	}
	side := func(mode string) trial {
		return trial{label: mode + " mode", turn: func(o *stage.Stage) {
			o.Instances, o.PoolPerInstance, o.Pooler, o.PoolerSize = instances, clients, mode, servers
		}}
	}
	before, after := side("session"), side("transaction")
	b, a, err := r.both(ctx, findingStage, before, after, load.Load{Users: users})
	if errors.Is(err, backing.ErrNoPgBouncer) {
		f.Status, f.Skipped = result.FindingSkipped, err.Error()
		return f, nil
	}
	if err != nil {
		return f, err
	}
	at := fmt.Sprintf(" at %d users, %d client connections on %d server connections", users, instances*clients, servers)
	f.Comparisons = []result.Comparison{
		compare("goodput"+at, "1/s", false, before, after, b, a, goodput),
		compare("failed requests"+at, "%", true, before, after, b, a, errorShare),
		compare("p95"+at, "ms", true, before, after, b, a, p95Of),
	}
	f.Comparisons[0].ClaimedRatio = result.Ptr(3.0)
	f.Status = byRatio(f.Comparisons[0].Ratio, 3)
	f.Conclusion = fmt.Sprintf("Goodput in transaction mode is %s that of session mode; claimed was x3.", times(f.Comparisons[0].Ratio))
	f.Notes = []string{"the original's repository has no pooler; the set-up here is this laboratory's"}
	gate(&f, b, a)
	return f, nil
}

// deepPath reads the database on every check; the shop's own readiness probe does not, on purpose.
const deepPath = "/api/products?q=health&limit=1"

// health: eight instances, deep checks every 5 s against shallow ones every 30 s.
func (r *replay) health(ctx context.Context) (result.Finding, error) {
	const instances, users = 8, 100
	side := func(path string, every time.Duration, what string) trial {
		return trial{label: fmt.Sprintf("%s checks every %s", what, every), turn: func(o *stage.Stage) {
			o.Instances, o.HealthCheckPath, o.HealthCheckInterval = instances, path, every
		}}
	}
	before, after := side(deepPath, 5*time.Second, "deep"), side("/livez", 30*time.Second, "shallow")
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
			compare("pool in use without shoppers, 8 instances", "% of the pool", true, before, after, quietB, quietA, poolShare),
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
	f.Conclusion = fmt.Sprintf("The checks alone held %.1f points of the pool more when deep and frequent; claimed were 20.", freed)
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
