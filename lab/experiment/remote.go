package experiment

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/verdict"
	"shoplab/lab/watch"
)

// Load holds one load on a shop that somebody else deployed. Of its resources only those of this
// machine can be watched. When ctx ends early, its error comes with what was measured until then, if
// anything was, and the result says that it is incomplete.
func Load(ctx context.Context, o load.Options, l load.Load, say func(string)) (result.Result, error) {
	root, err := os.Getwd()
	if err != nil {
		return result.Result{}, err
	}
	say("preparing shoppers")
	crowd, info, err := load.NewCrowd(ctx, o)
	if err != nil {
		return result.Result{}, err
	}
	defer crowd.Close()
	host := crowd.URL()
	if u, err := url.Parse(host); err == nil {
		host = u.Host
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip.IsLoopback() {
			defer load.ShareMachine()()
		}
	}
	st := result.Stage{Name: host, Topology: info.Topology, URL: crowd.URL()}
	res := result.Result{
		Version: result.Version, Target: result.TargetURL, StartedAt: time.Now().UTC(), Environment: Environment(ctx, root),
	}
	b := &Bench{st: &st, say: say, crowd: crowd, probes: []watch.Probe{watch.Machine()}, settings: result.Settings{Objective: load.DefaultObjective}}
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
	st.Steps = []result.Step{step}
	st.Validity = verdict.Valid(st.Steps, nil, nil)
	b.audit.note(notAudited("only the API of this shop can be reached"))
	if interrupted {
		res.Incomplete = fmt.Sprintf("interrupted after %.1f of %.0f s", step.Seconds, l.Duration.Seconds())
		b.audit.note([]result.Invariant{load.NewInvariant(load.InvariantOrders, result.InvariantNotChecked, "interrupted")})
	} else {
		say("checking the invariants")
		var orders result.Invariant
		if orders, err = crowd.CheckOrders(ctx); err == nil {
			b.audit.note([]result.Invariant{orders})
		}
	}
	st.Invariants = b.audit.found
	res.FinishedAt = time.Now().UTC()
	res.Stages = []result.Stage{st}
	return res, errors.Join(err, b.Violation())
}
