package experiment

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
	"shoplab/lab/verdict"
	"shoplab/lab/watch"
)

// Bench is a stage that is up, with its shoppers: where loads are held.
type Bench struct {
	settings result.Settings
	st       *result.Stage // collects the steps, and notes about them
	say      func(string)

	site   target.Site
	probes []watch.Probe
	from   load.Gatherer // nil: this process
	crowd  load.Generator
	audit  auditLog
	again  int // steps that were measured again
}

// NewBench puts a site that is up on the bench.
func NewBench(s target.Site, settings result.Settings, say func(string)) *Bench {
	b := &Bench{settings: settings, st: &result.Stage{}, say: say}
	b.take(s)
	return b
}

// take puts the site on the bench.
func (b *Bench) take(s target.Site) { b.site, b.probes = s, s.Probes() }

// Measure holds one load and watches; the lengths are the load's own.
func (b *Bench) Measure(ctx context.Context, l load.Load) (result.Step, error) {
	return measure(ctx, b.crowd, b.probes, l)
}

// Idle watches the site without shoppers.
func (b *Bench) Idle(ctx context.Context, l load.Load) result.Step {
	begin := time.Now().Add(l.Settle)
	lines := watch.Watch(ctx, b.probes, begin, int(l.Duration/time.Second))
	return result.Step{
		Purpose: l.Purpose, Repeat: l.Repeat, StartedAt: begin.UTC(), Seconds: l.Duration.Seconds(),
		Usage: watch.Usage(lines),
	}
}

// Check checks the invariants, the shoppers' own orders among them.
func (b *Bench) Check(ctx context.Context) error { return b.audit.check(ctx, b.site, b.crowd) }

// Violation is an error that wraps ErrInvariant when an invariant was found violated.
func (b *Bench) Violation() error { return b.audit.violation() }

// downTimeout bounds a teardown that has nobody waiting for it any more.
const downTimeout = 75 * time.Minute // an RDS instance takes 5 to 10, Lambda's interfaces in a subnet up to 45

// Down takes the site down, even when ctx has ended.
func (b *Bench) Down(ctx context.Context) error {
	if b.crowd != nil {
		b.crowd.Close()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
	defer cancel()
	if err := b.site.Down(ctx); err != nil {
		return fmt.Errorf("take down: %w", err)
	}
	return nil
}

// Within ends the context when the site breaks down.
func (b *Bench) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if s, ok := b.site.(target.Mortal); ok {
		go func() {
			select {
			case <-s.Done():
				cancel(fmt.Errorf("the stage broke down: %w", s.Err()))
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// Gather brings the shoppers and warms the shop up.
func (b *Bench) Gather(ctx context.Context) error {
	b.say("preparing shoppers")
	o := load.Options{URL: b.site.URL(), Objective: b.settings.Objective}
	if d, ok := b.site.(target.Dialer); ok {
		o.Dial = d.Dial
	}
	if err := b.bring(ctx, o); err != nil {
		return err
	}
	_, err := b.hold(ctx, load.Load{Purpose: result.PurposeWarmUp, Users: slices.Min(b.settings.Users)})
	return err
}

// bring brings the shoppers before a shop, and notes how far from it they are.
func (b *Bench) bring(ctx context.Context, o load.Options) error {
	from := b.from
	if from == nil {
		from = load.Here{}
	}
	crowd, info, err := from.Gather(ctx, o)
	if err != nil {
		return err
	}
	b.crowd = crowd
	if b.st.Name == "" { // nobody brought it up
		b.st.Topology = info.Topology
		if u, err := url.Parse(crowd.URL()); err == nil {
			b.st.Name = u.Host
		}
	}
	if info.Sender != "" {
		b.probes = nil // this machine sends nothing
	}
	if own, ok := crowd.(interface{ PIDs() []int }); ok {
		b.probes = append(b.probes, watch.Generators(own.PIDs()))
	}
	if label := sentFrom(info, crowd.URL()); label != "" && !slices.Contains(b.st.Labels, label) {
		b.st.Labels = append(b.st.Labels, label)
	}
	return nil
}

// sentFrom labels a load that came over a network, with how far that was.
func sentFrom(info load.Info, address string) string {
	from := "load sent from outside"
	switch {
	case info.Sender != "":
		from = "load sent by " + info.Sender
	case load.Loopback(address):
		return ""
	}
	if info.RoundTripMS == nil {
		return from
	}
	return fmt.Sprintf("%s, %.1f ms round trip", from, *info.RoundTripMS)
}

// prepare registers the accounts that the load needs.
func (b *Bench) prepare(ctx context.Context, l load.Load) error {
	last := time.Now()
	return b.crowd.PrepareFor(ctx, l, func(done, total int) {
		if time.Since(last) > 2*time.Second {
			last = time.Now()
			b.say(fmt.Sprintf("preparing shoppers: %d of %d accounts", done, total))
		}
	})
}

// hold runs one step: its length follows from its purpose.
func (b *Bench) hold(ctx context.Context, l load.Load) (result.Step, error) {
	seconds := b.settings.SearchSeconds
	switch l.Purpose {
	case result.PurposeLevel:
		seconds = b.settings.StepSeconds
	case result.PurposeWarmUp:
		seconds = b.settings.WarmUpSeconds
	case result.PurposeFailure:
		seconds = failureSeconds
	}
	l.Duration = time.Duration(seconds) * time.Second
	l.Settle, l.Think = settleFor, b.think()
	if b.settings.Quick {
		l.Settle = settleQuick
	}
	if l.Purpose == result.PurposeCalibration {
		l.Duration, l.Settle, l.Think = calibrateFor, calibrateSettle, 0
	}
	if err := b.prepare(ctx, l); err != nil {
		return result.Step{}, err
	}
	b.say(describe(l))
	step, err := b.undisturbed(ctx, func() (result.Step, error) { return b.steady(ctx, l) })
	if err != nil {
		return step, err
	}
	if m, ok := b.site.(target.Meter); ok && l.Purpose == result.PurposeFailure {
		if err := b.lookUp(ctx, m, &step); err != nil {
			return step, err
		}
	}
	brief := step
	brief.Series = nil
	b.st.Steps = append(b.st.Steps, brief)
	b.say("  " + verdict.Symptoms(step) + fmt.Sprintf(", %.0f requests a second", step.Throughput))
	return step, b.calm(ctx)
}

// calm waits until the shop answers quickly again, so that one step's backlog is not the next one's
// latency. It gives up after five seconds: the next step will show it.
func (b *Bench) calm(ctx context.Context) error {
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		began := time.Now()
		err := b.crowd.Ready(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && time.Since(began) < 100*time.Millisecond {
			return nil
		}
		if !watch.Until(ctx, time.Now().Add(100*time.Millisecond)) {
			return ctx.Err()
		}
	}
	return nil
}
