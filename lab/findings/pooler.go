package findings

import (
	"context"
	"errors"
	"fmt"

	"shoplab/lab/backing"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/verdict"
)

// pooler: PgBouncer between shop and database, lending a connection for a session or a transaction.
func (r *runner) pooler(ctx context.Context) (result.Finding, error) {
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
	f.Conclusion = fmt.Sprintf("Goodput in transaction mode is %s that of session mode; claimed was x3.",
		verdict.Times(f.Comparisons[0].Ratio))
	f.Notes = []string{"the original's repository has no pooler; the set-up here is this laboratory's"}
	gate(&f, b, a)
	return f, nil
}
