package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stripe"
	"shoplab/lab/twin"
	"shoplab/lab/watch"
)

// infliction is one fault while it is inflicted.
type infliction struct {
	policy  policy
	twin    *twin.Twin
	bank    *stripe.Stripe
	longest time.Duration // of a wait; 0: in full
	felt    func() bool   // nil, or what waits last until
	clock   clock
	assumed []string
}

// short is how long a wait is really kept.
func (i *infliction) short(d time.Duration) time.Duration { return short(d, i.longest) }

func short(d, longest time.Duration) time.Duration {
	if longest == 0 || d <= longest {
		return d
	}
	return longest
}

// during does something that stands for more time than it takes: factor times.
func (i *infliction) during(what string, factor float64, do func() error) error {
	from := time.Now()
	err := do()
	if to := time.Now(); factor != 1 {
		i.stretch(what, from, to, time.Duration(float64(to.Sub(from))*factor))
	}
	return err
}

// leadAtMost is how long the beginning of a wait may be.
const leadAtMost = 1500 * time.Millisecond

// stretch notes a time that stands for a longer one. Its beginning, half of it at most, counts as itself: what the
// change before it has stirred up comes once, and only what is left then goes on for as long as the wait does.
func (i *infliction) stretch(what string, from, to time.Time, stands time.Duration) {
	lead := min(to.Sub(from)/2, leadAtMost)
	if from = from.Add(lead); to.After(from) {
		i.clock = append(i.clock, stretch{what: what, from: from, to: to, stands: stands - lead})
	}
}

// wait waits, or for a part of it that stands for all.
func (i *infliction) wait(ctx context.Context, what string, d time.Duration) error {
	from := time.Now()
	if d <= 0 {
		return ctx.Err()
	}
	if !watch.Until(ctx, from.Add(i.short(d))) {
		return ctx.Err()
	}
	for i.felt != nil && !i.felt() {
		if !watch.Until(ctx, time.Now().Add(50*time.Millisecond)) {
			return ctx.Err()
		}
	}
	if i.short(d) < d {
		i.stretch(what, from, time.Now(), d)
	}
	return nil
}

// assume waits for what was not measured but declared.
func (i *infliction) assume(ctx context.Context, name string) error {
	i.rely(name)
	return i.wait(ctx, name, assumed(name))
}

func (i *infliction) rely(name string) {
	if !slices.Contains(i.assumed, name) {
		i.assumed = append(i.assumed, name)
	}
}

// leastDrain is what a drain that is cut short keeps at least: longer than it takes until nobody sends anything to who
// drains, which is what it is for.
const leastDrain = 3 * time.Second

// shortDrain is how long a drain is really kept.
func shortDrain(d, longest time.Duration) time.Duration {
	if longest == 0 {
		return d
	}
	return short(d, max(longest, leastDrain))
}

// detect does something that waits for health checks, whose interval may be shorter here.
func (i *infliction) detect(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*i.policy.check.Interval+time.Minute)
	defer cancel()
	factor := float64(i.policy.check.Interval) / float64(i.short(i.policy.check.Interval))
	return i.during("health checks", factor, func() error { return do(ctx) })
}

// shortened is a check with an interval that is kept. Its timeout is as much shorter, but a third of the interval at
// least: a busy machine is late.
func shortened(c twin.Check, longest time.Duration) twin.Check {
	interval := short(c.Interval, longest)
	if interval < c.Interval {
		c.Timeout = max(interval/3, time.Duration(float64(c.Timeout)*float64(interval)/float64(c.Interval)))
	}
	c.Interval = interval
	return c
}

// replaceInstance has another instance take the place of one that is gone, as a group or ECS does.
func (i *infliction) replaceInstance(ctx context.Context, gone *twin.Instance, boot time.Duration,
	assumption string,
) error {
	i.rely(assumption)
	if err := i.wait(ctx, assumption, boot); err != nil {
		return err
	}
	fresh, err := i.twin.Launch(ctx)
	if err != nil {
		return err
	}
	i.twin.Leave(gone)
	return i.detect(ctx, func(ctx context.Context) error { return i.twin.Join(ctx, fresh) })
}

// boot is what an instance of the stage takes to start, and the assumption's name.
func (i *infliction) boot() (time.Duration, string) {
	if i.policy.keeper == ecs {
		return assumed(bootTask), bootTask
	}
	return assumed(bootServer), bootServer
}

// watcher keeps what shoppers saw.
type watcher struct {
	mu  sync.Mutex
	all []load.Seen
}

func (w *watcher) note(o load.Seen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, o)
}

// take returns all and forgets them.
func (w *watcher) take() []load.Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.all
	w.all = nil
	return all
}

// failedSince says whether a request has.
func (w *watcher) failedSince(since time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.all, func(o load.Seen) bool {
		bad, _ := failed(o)
		return bad && o.End.After(since)
	})
}

// steady says whether the objective was kept lately, for so long, by nearly all that were due.
func (w *watcher) steady(now time.Time, long time.Duration, rate float64, o result.Objective) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	to := now.Add(-late / 2)
	var due []load.Seen
	for n := len(w.all) - 1; n >= 0 && w.all[n].End.After(to.Add(-long)); n-- {
		if d := w.all[n].Due; d.Before(to) && !d.Before(to.Add(-long)) {
			due = append(due, w.all[n])
		}
	}
	expected := rate * long.Seconds()
	return float64(len(due)) >= 0.95*expected && kept(due, expected, o)
}

// errUnsteady says that the objective was not kept.
var errUnsteady = errors.New("the objective was not kept")

// await waits until the objective is kept for long enough, from now on: what was before says nothing of what comes.
func (b *bench) await(ctx context.Context, within time.Duration) error {
	from := time.Now()
	deadline := from.Add(within)
	for now := from; now.Before(from.Add(b.plan.steady+late/2)) ||
		!b.seen.steady(now, b.plan.steady, b.rate, b.plan.objective); now = time.Now() {
		if time.Now().After(deadline) {
			return fmt.Errorf("%w within %s at %.0f requests a second", errUnsteady, within, b.rate)
		}
		if !watch.Until(ctx, time.Now().Add(100*time.Millisecond)) {
			return ctx.Err()
		}
	}
	return nil
}
