// Package faults breaks stages on purpose, one fault at a time under a steady load, and measures what shoppers lose.
// The stages are twins on this machine: real processes that are really killed, hung and restarted, and found and
// replaced as the stage's configuration has it.
package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"shoplab/lab/experiment"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
	"shoplab/lab/target/local"
)

// Plan is which faults to inflict on which stages, and how.
type Plan struct {
	Root    string
	Stages  []string
	Faults  []string // of Names; nil means all
	Repeats int
	// Longest is how long a wait that is known beforehand is really kept; 0: in full.
	Longest time.Duration
	// Rate is the load in requests a second; 0: half of the stage's capacity.
	Rate  float64
	Quick bool
	// AWS is where stages are broken; nil means on this machine.
	AWS target.Target
	// NewImage is what a rolling deploy on AWS deploys; "": the service with a change that changes nothing.
	NewImage string
	Say      func(string)
	Abort    <-chan struct{}
	// objective, steady and within are for tests: what has to be kept, for how long before it counts, and how long that
	// may take at first.
	objective      result.Objective
	steady, within time.Duration
	// untilFelt, for tests too, has a fault last until a request failed: how many come meanwhile is chance.
	untilFelt bool
	// Save is called after each stage; nil means nobody wants to know.
	Save func(result.Result) error
}

// fault is one kind.
type fault struct {
	name string
	// perYear is how often it is declared to happen; eachInstance, that every instance has it so often.
	perYear      float64
	eachInstance bool
	// skip says why a stage cannot have it, "" if it can.
	skip func(policy) string
	// what says what is done here.
	what func(policy) string
	// inflict breaks, and replaces as the stage does. It returns when everything is there again.
	inflict func(context.Context, *infliction) error
}

// all are the faults in the order in which they are inflicted.
var all = []fault{killed, hangs, deploy, restarted, crashed, cacheGone, proxyGone, zoneGone, webhooksGone}

// RollingDeploy is the name of that fault.
const RollingDeploy = "rolling deploy"

// Names are the faults that Run knows.
func Names() (names []string) {
	for _, f := range all {
		names = append(names, f.name)
	}
	return names
}

// Check says what of a plan cannot be meant.
func (p Plan) Check() error {
	for _, name := range p.Faults {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("fault %q: want one of %s", name, strings.Join(Names(), ", "))
		}
	}
	switch {
	case p.Repeats < 1 || p.Repeats > 20:
		return fmt.Errorf("%d repeats: want 1 to 20", p.Repeats)
	case p.Longest < 0:
		return fmt.Errorf("waits of at most %s: want 0s, which keeps all in full, or more", p.Longest)
	case !(p.Rate >= 0 && p.Rate <= load.MaxRate):
		return fmt.Errorf("%g requests a second: want up to %d", p.Rate, load.MaxRate)
	}
	return nil
}

// Run inflicts the faults on one stage after the other and returns what was measured, also with an error.
func Run(ctx context.Context, p Plan) (result.Result, error) {
	res := result.Result{
		Version: result.Version, Target: result.TargetLocal,
		StartedAt: time.Now().UTC(), Environment: experiment.Environment(ctx, p.Root),
		Faults: &result.Faults{Assumptions: assumptions, Repeats: p.Repeats, LongestWaitSeconds: p.Longest.Seconds()},
	}
	if p.Quick {
		res.Labels = append(res.Labels, result.LabelQuick)
	}
	if err := p.Check(); err != nil {
		return res, err
	}
	if p.steady == 0 {
		p.objective, p.steady, p.within = load.DefaultObjective, 2*bucket, steadyWithin
		if p.Rate > 0 { // which is not lowered
			p.within = recoverWithin
		}
	}
	at := p.AWS
	if at == nil {
		defer load.ShareMachine()()
		p.Say("building the service")
		here, err := local.New(ctx, p.Root, p.Abort)
		if err != nil {
			return res, err
		}
		at = here
	}
	res.Target, res.Labels = at.Kind(), append(at.Labels(), res.Labels...)
	err := p.inflict(ctx, at, &res)
	err = errors.Join(err, at.Finish(context.WithoutCancel(ctx), &res))
	return res, err
}

// inflict breaks one stage after the other and adds to the result.
func (p Plan) inflict(ctx context.Context, at target.Target, res *result.Result) error {
	var errs []error
	for n, name := range p.Stages {
		b := &bench{
			plan: p, at: at, st: &result.FaultyStage{Name: name, Labels: at.Labels()},
			say: func(text string) { p.Say(fmt.Sprintf("[%d/%d %s] %s", n+1, len(p.Stages), name, text)) },
		}
		err := b.run(ctx)
		if err != nil {
			b.st.Error = err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		res.Faults.Stages = append(res.Faults.Stages, *b.st)
		res.FinishedAt = time.Now().UTC()
		if ctx.Err() != nil {
			res.Incomplete = "interrupted"
			return errors.Join(ctx.Err(), left(err))
		}
		if p.Save != nil {
			errs = append(errs, p.Save(*res))
		}
	}
	return errors.Join(errs...)
}

// left is an error of an interrupted run that has to be told: resources may be left.
func left(err error) error {
	if errors.Is(err, target.ErrLeft) {
		return err
	}
	return nil
}

// ErrBroken is wrapped when a fault broke a promise: an order lost or made twice, or money without an order.
var ErrBroken = errors.New("a promise was broken")

// Broken is an error that wraps ErrBroken where a result shows one.
func Broken(f result.Faults) error {
	var errs []error
	for _, st := range f.Stages {
		for _, one := range st.Faults {
			for _, run := range one.Runs {
				if o := run.Orders; !o.Kept() {
					errs = append(errs, fmt.Errorf("%w: %s, %s: of %d orders %d lost, %d twice, %d wrong; of %d charges %d "+
						"without an order",
						ErrBroken, st.Name, one.Name, o.Acknowledged, o.Lost, o.Duplicates, o.Wrong, o.Charged, o.Unaccounted))
				}
			}
		}
		for _, inv := range st.Invariants {
			if inv.Status == result.InvariantViolated {
				errs = append(errs, fmt.Errorf("%w: %s: %s: %s", ErrBroken, st.Name, inv.Rule, inv.Detail))
			}
		}
	}
	return errors.Join(errs...)
}
