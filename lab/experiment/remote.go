package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/verdict"
	"shoplab/lab/watch"
)

// Load holds one load on a shop that somebody else deployed; from sends it. Of the shop's resources only those
// of this machine can be watched. When ctx ends early, its error comes with what was measured until then, if
// anything was, and the result says that it is incomplete.
func Load(ctx context.Context, from load.Gatherer, o load.Options, l load.Load,
	say func(string),
) (result.Result, error) {
	root, err := os.Getwd()
	if err != nil {
		return result.Result{}, err
	}
	address, err := load.ParseURL(o.URL)
	if err != nil {
		return result.Result{}, err
	}
	if load.Loopback(address) {
		defer load.ShareMachine()()
	}
	res := result.Result{
		Version: result.Version, Target: result.TargetURL, StartedAt: time.Now().UTC(), Environment: Environment(ctx, root),
	}
	b := &Bench{
		st: &result.Stage{URL: address}, say: say, from: from, probes: []watch.Probe{watch.Machine()},
		settings: result.Settings{Objective: load.DefaultObjective},
	}
	say("preparing shoppers")
	if err := b.bring(ctx, o); err != nil {
		return result.Result{}, err
	}
	defer b.crowd.Close()
	if err := b.prepare(ctx, l); err != nil {
		return result.Result{}, err
	}
	say(describe(l))
	step, err := b.Measure(ctx, l)
	interrupted := err != nil && ctx.Err() != nil && step.Requests > 0
	switch {
	case interrupted:
	case ctx.Err() != nil:
		return result.Result{}, fmt.Errorf("interrupted before anything was measured: %w", ctx.Err())
	case err != nil:
		return result.Result{}, err
	}
	b.st.Steps = []result.Step{step}
	b.st.Validity = verdict.Valid(b.st.Steps, nil, nil)
	b.audit.note(notAudited("only the API of this shop can be reached"))
	if interrupted {
		res.Incomplete = fmt.Sprintf("interrupted after %.1f of %.0f s", step.Seconds, l.Duration.Seconds())
		b.audit.note([]result.Invariant{load.NewInvariant(load.InvariantOrders, result.InvariantNotChecked, "interrupted")})
	} else {
		say("checking the invariants")
		var orders result.Invariant
		if orders, err = b.crowd.CheckOrders(ctx); err == nil {
			b.audit.note([]result.Invariant{orders})
		}
	}
	b.st.Invariants = b.audit.found
	res.FinishedAt = time.Now().UTC()
	res.Stages = []result.Stage{*b.st}
	return res, errors.Join(err, b.Violation())
}
