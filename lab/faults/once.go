package faults

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
	"shoplab/lab/verdict"
	"shoplab/lab/watch"
)

// once inflicts one fault under load and adds the run to it.
func (b *bench) once(ctx context.Context, f *result.Fault) error {
	kind := all[slices.IndexFunc(all, func(k fault) bool { return k.name == f.Name })]
	var waits clock
	var assumed []string
	var at time.Time
	began := time.Now()
	b.seen.take()
	step, end, err := b.under(ctx, func(ctx context.Context) error {
		if err := b.await(ctx, b.ground.patience()); err != nil {
			return fmt.Errorf("before the fault: %w", err)
		}
		at = time.Now()
		var err error
		if waits, assumed, err = b.ground.inflict(ctx, kind); err != nil {
			return err
		}
		return b.await(ctx, b.ground.patience())
	})
	if at.IsZero() || ctx.Err() != nil {
		return err
	}
	run := judge(b.seen.take(), at, end.Add(-late/2), waits, b.rate, b.plan.objective)
	run.Step, run.Unsteady = &step, verdict.Disturbed(step)
	for _, name := range assumed {
		if !slices.Contains(f.Assumed, name) {
			f.Assumed = append(f.Assumed, name)
		}
	}
	if err == nil {
		var after result.Orders
		if after, err = b.readBack(ctx); err == nil {
			run.Orders, b.orders = increase(b.orders, after), after
		}
	}
	b.steps = append(b.steps, step)
	f.Runs = append(f.Runs, run)
	b.ground.remember(f, began, at, end)
	b.say(fmt.Sprintf("  objective missed for %.1f s, %.0f requests failed", run.MissedSeconds, run.FailedRequests))
	return err
}

// readBack reads the orders back. A shop that has just recovered may refuse once more.
func (b *bench) readBack(ctx context.Context) (result.Orders, error) {
	deadline := time.Now().Add(b.ground.patience())
	for {
		books, err := b.crowd.Orders(ctx)
		if err == nil || time.Now().After(deadline) || !watch.Until(ctx, time.Now().Add(time.Second)) {
			return books, err
		}
	}
}

// increase is what came to the books since.
func increase(before, after result.Orders) result.Orders {
	return result.Orders{
		Acknowledged: after.Acknowledged - before.Acknowledged, Lost: max(0, after.Lost-before.Lost),
		Duplicates: max(0, after.Duplicates-before.Duplicates), Wrong: max(0, after.Wrong-before.Wrong),
	}
}

// settleFor is what a load runs before it counts: the first requests make connections.
const settleFor = time.Second

// longestRun bounds one infliction where every wait is kept in full.
const longestRun = 3 * time.Hour

// under holds the rate while something is done, and watches the machine. It returns when the load ended.
func (b *bench) under(ctx context.Context, do func(context.Context) error) (result.Step, time.Time, error) {
	loading, stop := context.WithCancel(ctx)
	defer stop()
	begin := time.Now()
	lines := make(chan []result.Line, 1)
	go func() {
		lines <- watch.Watch(loading, b.ground.probes(), begin, int(longestRun/time.Second))
	}()
	held := make(chan result.Step, 1)
	var loadErr error
	go func() {
		step, err := b.crowd.Run(loading, load.Load{
			Purpose: result.PurposeFault, Rate: b.rate, Settle: settleFor,
			Duration: longestRun,
		})
		if loading.Err() == nil {
			loadErr = err
		}
		held <- step
	}()
	doing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if mortal, ok := b.site.(target.Mortal); ok {
		go func() { // a part that ended and was not to
			select {
			case <-mortal.Done():
				cancel(mortal.Err())
			case <-doing.Done():
			}
		}()
	}
	err := do(doing)
	if cause := context.Cause(doing); err != nil && cause != nil {
		err = cause
	}
	end := time.Now()
	stop()
	step := <-held
	watched := <-lines
	step.Usage = watch.Usage(append(watched, watch.Derived(watched, 0, runtime.NumCPU())...))
	return step, end, errors.Join(err, loadErr)
}
