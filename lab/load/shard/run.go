package shard

import (
	"context"
	"errors"
	"sync"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// overdue is how long after its end a step's answer may come: those of the shop take 10 s at most, and shards
// have to write theirs down.
const overdue = 2 * time.Minute

// Run implements load.Generator: all shards begin at one time, and what they counted is one step. A shard that
// dies meanwhile ends it early, leaves its mark in the step, and an error for whatever is asked next.
func (f *Fleet) Run(ctx context.Context, l load.Load) (result.Step, error) {
	for _, m := range f.shards {
		if err := m.isGone(); err != nil {
			return result.Step{}, err
		}
	}
	if l.StartAt.IsZero() {
		l.StartAt = time.Now().Add(f.place.Lead)
	}
	until := time.Until(l.StartAt) + l.Settle + l.Duration + overdue
	l.StartAt = l.StartAt.Add(f.place.Ahead).Round(0) // their clock, without this process's monotonic one
	asking, cancel := context.WithTimeout(ctx, until)
	defer cancel()
	answers, failed := f.each(asking, func(i int) Order { return Order{Do: doRun, Load: f.part(l, i)} })
	total := &load.Tally{Operations: map[string]*load.Outcome{}}
	shards := make([]result.Generator, len(answers))
	counted := 0
	for i, a := range answers {
		if a.Tally != nil {
			total.Merge(*a.Tally)
			shards[i] = a.Tally.Generator
			counted++
		}
		if failed[i] != nil {
			shards[i].Error = failed[i].Error()
		}
		shards[i].Shard = f.shards[i].name
	}
	switch {
	case counted == 0:
		return result.Step{}, cause(ctx, errors.Join(failed...))
	case ctx.Err() == nil && !lostOne(failed):
		if err := errors.Join(failed...); err != nil {
			return result.Step{}, err // no shard died: the load cannot be held
		}
	}
	total.Generator = f.together(shards)
	step := total.Step(l, f.objective)
	step.Shards = shards
	return step, ctx.Err()
}

// lostOne says that a shard is gone.
func lostOne(errs []error) bool {
	for _, err := range errs {
		if errors.Is(err, ErrGone) {
			return true
		}
	}
	return false
}

// each is as all, but keeps what the others had done when one shard fails, and stops them: half a load is not
// worth its time.
func (f *Fleet) each(ctx context.Context, order func(i int) Order) ([]Answer, []error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	answers, failed := make([]Answer, len(f.shards)), make([]error, len(f.shards))
	var wg sync.WaitGroup
	for i, m := range f.shards {
		wg.Go(func() {
			if answers[i], failed[i] = m.ask(ctx, order(i)); failed[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	return answers, failed
}

// together is how the generator did as a whole: what adds up added up, and of the rest the worst shard.
func (f *Fleet) together(shards []result.Generator) (all result.Generator) {
	sum := func(to **float64, value *float64) {
		if value != nil {
			if *to == nil {
				*to = new(float64)
			}
			**to += *value
		}
	}
	worst := func(to **float64, value *float64) {
		if value != nil && (*to == nil || *value > **to) {
			*to = result.Ptr(*value)
		}
	}
	for _, s := range shards {
		all.Requests += s.Requests
		sum(&all.CPU, s.CPU)
		sum(&all.Allowance, s.Allowance)
		worst(&all.TimerLateMS, s.TimerLateMS)
		worst(&all.MachineCPU, s.MachineCPU)
		worst(&all.Steal, s.Steal)
		if all.FrequencyMHz == nil || s.FrequencyMHz != nil && *s.FrequencyMHz < *all.FrequencyMHz {
			all.FrequencyMHz = s.FrequencyMHz
		}
		if f.place.OneMachine {
			sum(&all.MachineShare, s.MachineShare)
		} else {
			worst(&all.MachineShare, s.MachineShare)
		}
	}
	if all.MachineShare != nil {
		*all.MachineShare = min(1, *all.MachineShare)
	}
	return all
}
