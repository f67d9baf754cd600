package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// stageRun is one stage being measured.
type stageRun struct {
	plan     Plan
	settings result.Settings
	at       place
	st       *result.Stage
	say      func(string)

	site  *site
	crowd *load.Crowd
	audit auditLog
	again int // steps that were measured again
}

// downTimeout bounds a teardown that has nobody waiting for it any more.
const downTimeout = 45 * time.Minute // an RDS instance takes 5 to 10

// run measures the stage, and takes it down whatever happens.
func (r *stageRun) run(ctx context.Context) error {
	r.say("bringing up")
	var err error
	if r.site, err = r.at.up(ctx, r.st.Name, nil); err != nil {
		return fmt.Errorf("bring up: %w", err)
	}
	r.st.BringUpSeconds = result.Ptr(r.site.seconds)
	r.site.describe(r.st)
	r.st.Complexity = complexity(r.plan.Root, r.st.Name, r.st.Topology, r.at.target())
	measured := r.measure(ctx)
	r.say("taking down")
	began := time.Now()
	down := r.takeDown(ctx)
	if down == nil {
		r.st.TearDownSeconds = result.Ptr(time.Since(began).Seconds())
	}
	if measured == nil && down == nil {
		measured = r.prove(ctx)
	}
	r.sumUp()
	return errors.Join(measured, down, r.audit.violation())
}

// takeDown ends the site even when ctx has ended.
func (r *stageRun) takeDown(ctx context.Context) error {
	if r.crowd != nil {
		r.crowd.Close()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
	defer cancel()
	if err := r.site.down(ctx); err != nil {
		return fmt.Errorf("take down: %w", err)
	}
	return nil
}

// measure is everything between up and down.
func (r *stageRun) measure(ctx context.Context) error {
	ctx, cancel := withSite(ctx, r.site)
	defer cancel()
	err := r.steps(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause // why the context ended says more than that it did
	}
	return err
}

// withSite ends the context when the site breaks down.
func withSite(ctx context.Context, s *site) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if s.done != nil {
		go func() {
			select {
			case <-s.done:
				cancel(fmt.Errorf("the stage broke down: %w", s.err()))
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

func (r *stageRun) steps(ctx context.Context) error {
	if err := r.gather(ctx); err != nil {
		return err
	}
	for _, users := range scaling(r.settings) {
		if _, err := r.hold(ctx, load.Load{Purpose: result.PurposeScaling, Users: users}); err != nil {
			return err
		}
	}
	if err := r.levels(ctx); err != nil {
		return err
	}
	if err := r.breakingPoint(ctx); err != nil {
		return err
	}
	if err := r.highestRate(ctx); err != nil {
		return err
	}
	r.say("checking the invariants")
	return r.audit.check(ctx, r.site, r.crowd)
}

// gather brings the shoppers and warms the shop up.
func (r *stageRun) gather(ctx context.Context) error {
	r.say("preparing shoppers")
	var err error
	if r.crowd, _, err = load.NewCrowd(ctx, load.Options{URL: r.site.url, Objective: r.settings.Objective, Dial: r.site.dial}); err != nil {
		return err
	}
	_, err = r.hold(ctx, load.Load{Purpose: result.PurposeWarmUp, Users: slices.Min(r.settings.Users)})
	return err
}

// prepare registers the accounts that the load needs.
func (r *stageRun) prepare(ctx context.Context, l load.Load) error {
	last := time.Now()
	return r.crowd.Prepare(ctx, load.AccountsFor(l), func(done, total int) {
		if time.Since(last) > 2*time.Second {
			last = time.Now()
			r.say(fmt.Sprintf("preparing shoppers: %d of %d accounts", done, total))
		}
	})
}

// hold runs one step: its length follows from its purpose.
func (r *stageRun) hold(ctx context.Context, l load.Load) (result.Step, error) {
	seconds := r.settings.SearchSeconds
	switch l.Purpose {
	case result.PurposeLevel:
		seconds = r.settings.StepSeconds
	case result.PurposeWarmUp:
		seconds = r.settings.WarmUpSeconds
	case result.PurposeFailure:
		seconds = failureSeconds
	}
	l.Duration = time.Duration(seconds) * time.Second
	l.Settle = time.Second
	if r.settings.Quick {
		l.Settle /= 2
	}
	if err := r.prepare(ctx, l); err != nil {
		return result.Step{}, err
	}
	r.say(describe(l))
	step, err := r.undisturbed(ctx, func() (result.Step, error) { return measure(ctx, r.crowd, r.site.probes, l) })
	if err != nil {
		return step, err
	}
	if l.Purpose == result.PurposeFailure {
		if err := r.lookUp(ctx, &step); err != nil {
			return step, err
		}
	}
	brief := step
	brief.Series = nil
	r.st.Steps = append(r.st.Steps, brief)
	r.say("  " + symptoms(step) + fmt.Sprintf(", %.0f requests a second", step.Throughput))
	return step, r.calm(ctx)
}

// maxAgain is how many steps of a stage may be measured again. On a machine that is never left alone a run
// is to end, and to be INVALID.
const maxAgain = 6

// undisturbed measures a step, and again where other processes took the machine. Whose CPU was used decides
// that, and not how the shop did, so that no figure is chosen by its size.
func (r *stageRun) undisturbed(ctx context.Context, measure func() (result.Step, error)) (result.Step, error) {
	for {
		step, err := measure()
		if err != nil || !load.Disturbed(step) || r.again == maxAgain {
			return step, err
		}
		r.again++
		r.say("  other processes took the machine, so this is measured again")
		if err := r.calm(ctx); err != nil {
			return step, err
		}
	}
}

func describe(l load.Load) string {
	what := fmt.Sprintf("%d users", l.Users)
	if l.Rate > 0 {
		what = fmt.Sprintf("%.0f requests a second", l.Rate)
	}
	repeat := ""
	if l.Repeat > 0 {
		repeat = fmt.Sprintf(", repeat %d", l.Repeat)
	}
	return fmt.Sprintf("%s: %s for %.0f s%s", l.Purpose, what, l.Duration.Seconds(), repeat)
}

// calm waits until the shop answers quickly again, so that one step's backlog is not the next one's
// latency. It gives up after five seconds: the next step will show it.
func (r *stageRun) calm(ctx context.Context) error {
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		began := time.Now()
		err := r.crowd.Ready(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && time.Since(began) < 100*time.Millisecond {
			return nil
		}
		if !until(ctx, time.Now().Add(100*time.Millisecond)) {
			return ctx.Err()
		}
	}
	return nil
}

// sumUp computes what follows from the steps.
func (r *stageRun) sumUp() {
	var points []result.USLPoint
	for _, s := range r.st.Steps {
		switch s.Purpose {
		case result.PurposeScaling, result.PurposeLevel, result.PurposeSearch:
			if s.ErrorRatio <= r.settings.Objective.MaxErrorRatio {
				points = append(points, result.USLPoint{Users: s.Users, Throughput: s.Goodput})
			}
		}
	}
	r.st.USL = load.FitUSL(points)
	if len(r.st.Steps) > 0 {
		r.st.Validity = load.Judge(r.st.Steps, r.st.BreakingPoint, r.st.Levels)
	}
	r.st.Invariants = r.audit.found
	r.price()
	if r.crowd != nil && r.crowd.SoldOut() > 0 {
		r.st.Notes = append(r.st.Notes, fmt.Sprintf("%d orders were refused because a product was sold out; they count as answered", r.crowd.SoldOut()))
	}
	if r.again > 0 {
		r.st.Notes = append(r.st.Notes, fmt.Sprintf("%d steps were measured again, because other processes had taken the machine", r.again))
	}
	if r.crowd != nil && r.crowd.Accountless() > 0 {
		r.st.Notes = append(r.st.Notes, fmt.Sprintf("%d purchases became visits, because every prepared account was in use", r.crowd.Accountless()))
	}
}
