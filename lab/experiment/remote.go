package experiment

import (
	"context"
	"errors"
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
// machine can be watched.
func Load(ctx context.Context, address string, l load.Load, say func(string)) (result.Result, error) {
	root, err := os.Getwd()
	if err != nil {
		return result.Result{}, err
	}
	say("preparing shoppers")
	crowd, info, err := load.NewCrowd(ctx, load.Options{URL: address})
	if err != nil {
		return result.Result{}, err
	}
	defer crowd.Close()
	host := address
	if u, err := url.Parse(address); err == nil {
		host = u.Host
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip.IsLoopback() {
			defer load.ShareMachine()()
		}
	}
	st := result.Stage{Name: host, Topology: info.Topology, URL: address}
	res := result.Result{
		Version: result.Version, Target: result.TargetURL, StartedAt: time.Now().UTC(), Environment: Environment(ctx, root),
	}
	b := &Bench{st: &st, say: say, crowd: crowd, probes: []watch.Probe{watch.Machine()}, settings: result.Settings{Objective: load.DefaultObjective}}
	if err := b.prepare(ctx, l); err != nil {
		return result.Result{}, err
	}
	say(describe(l))
	step, err := b.Measure(ctx, l)
	if err != nil {
		return result.Result{}, err
	}
	st.Steps = []result.Step{step}
	st.Validity = verdict.Valid(st.Steps, nil, nil)
	say("checking the invariants")
	orders, err := crowd.CheckOrders(ctx)
	b.audit.note(append(notAudited("only the API of this shop can be reached"), orders))
	st.Invariants = b.audit.found
	res.FinishedAt = time.Now().UTC()
	res.Stages = []result.Stage{st}
	return res, errors.Join(err, b.Violation())
}
