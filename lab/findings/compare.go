package findings

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoplab/lab/experiment"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/stats"
	"shoplab/lab/twin"
	"shoplab/lab/verdict"
)

// trial is one side of an experiment on a stage.
type trial struct {
	label string
	turn  stage.Change
}

// both measures the same load before and after, alternately, each on a fresh stage, so that what
// changes on the machine meanwhile falls on both sides.
func (r *runner) both(ctx context.Context, name string, before, after trial,
	l load.Load,
) (b, a []result.Step, err error) {
	for n := range r.plan.Repeats {
		l.Repeat = n + 1
		for _, side := range []struct {
			trial
			steps *[]result.Step
		}{{before, &b}, {after, &a}} {
			r.plan.Say(fmt.Sprintf("%s, repeat %d of %d", side.label, n+1, r.plan.Repeats))
			step, err := r.once(ctx, name, side.turn, l)
			if err != nil {
				return b, a, err
			}
			*side.steps = append(*side.steps, step)
		}
	}
	return b, a, nil
}

// once brings a stage up, warms it, holds one load and takes the stage down. A load without users
// and rate only watches.
func (r *runner) once(ctx context.Context, name string, turn stage.Change, l load.Load) (step result.Step, err error) {
	err = r.visit(ctx, name, turn, l.Users, func(ctx context.Context, v visit) error {
		l.Purpose, l.Settle, l.Duration = result.PurposeFinding, time.Second, time.Duration(r.plan.Seconds)*time.Second
		if l.Users == 0 && l.Rate == 0 {
			step = v.bench.Idle(ctx, l)
			return ctx.Err()
		}
		if err := v.bench.Gather(ctx); err != nil {
			return err
		}
		if step, err = v.bench.Measure(ctx, l); err != nil {
			return err
		}
		step.Series = nil
		return v.bench.Check(ctx)
	})
	return step, err
}

// visit is a stage that is up.
type visit struct {
	twin  *twin.Twin
	bench *experiment.Bench
}

// visit brings a stage up, has something done with it, and takes it down. Its bench warms it with so many users.
func (r *runner) visit(
	ctx context.Context, name string, turn stage.Change, users int, do func(context.Context, visit) error,
) (err error) {
	s, t, err := r.at.UpTwin(ctx, name, turn, twin.Options{})
	if err != nil {
		return err
	}
	bench := experiment.NewBench(s, result.Settings{
		Objective: load.DefaultObjective, Users: []int{max(1, users)}, WarmUpSeconds: 3,
	}, func(string) {})
	defer func() { err = errors.Join(err, bench.Down(ctx), bench.Violation()) }()
	ctx, cancel := bench.Within(ctx)
	defer cancel()
	return do(ctx, visit{t, bench})
}

// compare makes a comparison of steps by one measure; steps without it are left out.
func compare(measure, unit string, lower bool, before, after trial, b, a []result.Step,
	of func(result.Step) *float64,
) result.Comparison {
	side := func(t trial, steps []result.Step) result.Case {
		c := result.Case{Label: t.label, Raw: []float64{}}
		for _, s := range steps {
			if v := of(s); v != nil {
				c.Raw = append(c.Raw, *v)
			}
		}
		if len(c.Raw) > 0 {
			c.Median = result.Ptr(stats.Median(c.Raw))
		}
		return c
	}
	c := result.Comparison{
		Measure: measure, Unit: unit, LowerIsBetter: lower, Before: side(before, b),
		After: side(after, a),
	}
	c.Ratio = ratio(c.Before, c.After)
	return c
}

// ratio is after over before; nil where it cannot be said.
func ratio(before, after result.Case) *float64 {
	if before.Median == nil || after.Median == nil || *before.Median == 0 {
		return nil
	}
	return result.Ptr(*after.Median / *before.Median)
}

// The measures of a step.
func goodput(s result.Step) *float64    { return &s.Goodput }
func errorShare(s result.Step) *float64 { return result.Ptr(100 * s.ErrorRatio) }
func p95Of(s result.Step) *float64 {
	if s.Latency == nil {
		return nil
	}
	return &s.Latency.P95MS
}

// gate marks a finding INVALID when its steps do not pass the validity gate.
func gate(f *result.Finding, steps ...[]result.Step) {
	for _, list := range steps {
		f.Steps = append(f.Steps, list...)
	}
	invalid(f, verdict.Valid(f.Steps, nil, nil).Reasons)
}

// invalid marks a finding INVALID where there are reasons.
func invalid(f *result.Finding, reasons []string) {
	if len(reasons) == 0 {
		return
	}
	f.Notes = append(f.Notes, reasons...)
	f.Conclusion = fmt.Sprintf("INVALID on this machine (%s). What was seen: %s", reasons[0], f.Conclusion)
	f.Status = result.FindingInvalid
}

// byRatio says what became of a claimed ratio, lower being better or not: reproduced with at least
// half of the claimed effect, weaker with a visible one, not reproduced otherwise.
func byRatio(measured *float64, claimed float64) result.FindingStatus {
	if measured == nil {
		return result.FindingNotReproduced
	}
	m := *measured
	if claimed < 1 {
		if m <= 0 {
			return result.FindingReproduced
		}
		m, claimed = 1/m, 1/claimed
	}
	switch {
	case m >= 1+(claimed-1)/2:
		return result.FindingReproduced
	case m >= 1+verdict.LeastEffect:
		return result.FindingWeaker
	default:
		return result.FindingNotReproduced
	}
}
