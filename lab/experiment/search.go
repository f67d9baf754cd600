package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
)

// level holds a declared number of users, and audits the shop under that load.
func (r *stageRun) level(ctx context.Context, users, repeat int) error {
	l := load.Load{Purpose: result.PurposeLevel, Users: users, Repeat: repeat}
	if err := r.prepare(ctx, l); err != nil {
		return err
	}
	audited := r.audit.during(ctx, r.site, time.Duration(r.settings.StepSeconds/2*float64(time.Second)))
	step, err := r.hold(ctx, l)
	if err = errors.Join(err, audited()); err != nil {
		return err
	}
	r.held[users] = append(r.held[users], step)
	return nil
}

// levels sums the repeats of each declared number of users up.
func (r *stageRun) levels() []result.Level {
	var all []result.Level
	for _, users := range r.settings.Users {
		if repeats := r.held[users]; len(repeats) > 0 {
			all = append(all, level(users, slices.Clone(repeats)))
		}
	}
	return all
}

// level sums the repeats of a number of users up.
func level(users int, repeats []result.Step) result.Level {
	l := result.Level{Users: users}
	slices.SortFunc(repeats, func(a, b result.Step) int { return cmp.Compare(p95(a), p95(b)) })
	for _, s := range repeats {
		if s.Latency != nil {
			l.AllP95MS = append(l.AllP95MS, s.Latency.P95MS)
		}
	}
	l.Median = repeats[(len(repeats)-1)/2]
	return l
}

// p95 of a step; infinite when nothing was answered.
func p95(s result.Step) float64 {
	if s.Latency == nil {
		return math.Inf(1)
	}
	return s.Latency.P95MS
}

// breakingPoint searches the number of users, and keeps the step at which the first search found it.
func (r *stageRun) breakingPoint(ctx context.Context, repeat int) error {
	start := float64(slices.Min(r.settings.Users))
	for _, l := range r.levels() {
		if l.Median.ObjectiveKept {
			start = max(start, float64(l.Users))
		}
	}
	if n := len(r.points); n > 0 && r.points[n-1].FirstBad != nil {
		start = max(1, math.Round(*r.points[n-1].FirstBad*elsewhere(n-1))) // a bracket of its own
	}
	bounds := load.Bounds{
		Start: start, Min: 1, Max: float64(r.settings.MaxUsers), Precision: r.settings.PrecisionRatio,
		Whole: true,
	}
	tried := map[float64]result.Step{}
	found, err := load.Find(ctx, bounds, func(ctx context.Context, users float64) (result.Step, error) {
		step, err := r.hold(ctx, load.Load{Purpose: result.PurposeSearch, Users: int(users), Repeat: repeat})
		tried[users] = step
		return step, err
	})
	if err != nil {
		return err
	}
	r.points = append(r.points, found)
	if found.FirstBad != nil && r.st.AtFailure == nil {
		r.st.AtFailure = result.Ptr(tried[*found.FirstBad])
	}
	return nil
}

// elsewhere is where the search after repeat n begins, as a share of the last one's answer: each on levels of
// its own, so that repeats do not agree because they tried the same ones.
func elsewhere(n int) float64 { return []float64{.5, .62, .43, .55}[n%4] }

// failureSeconds is long enough for a whole minute of CloudWatch's to lie within, whenever it begins.
const failureSeconds = 125

// fail holds the load at which the stage failed again, where its resources are watched by the
// provider, minute by minute. A quick run does without.
func (r *stageRun) fail(ctx context.Context) error {
	_, metered := r.site.(target.Meter)
	if !metered || r.st.AtFailure == nil || r.st.AtFailure.Purpose == result.PurposeFailure {
		return nil
	}
	if r.settings.Quick {
		r.st.Notes = append(r.st.Notes, "a quick run is too short for CloudWatch: of the stage's own resources nothing is "+
			"known")
		return nil
	}
	step, err := r.hold(ctx, load.Load{Purpose: result.PurposeFailure, Users: r.st.AtFailure.Users})
	if err != nil {
		return err
	}
	r.st.AtFailure = &step
	return nil
}

// lookUp adds what the provider measured in the step's seconds.
func (b *Bench) lookUp(ctx context.Context, m target.Meter, step *result.Step) error {
	b.say("asking CloudWatch for those minutes")
	found, err := m.Usage(ctx, step.StartedAt, time.Duration(step.Seconds*float64(time.Second)))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && len(found) == 0 {
		err = errors.New("CloudWatch had nothing to say of those minutes")
	}
	if err != nil {
		// The load was measured all the same.
		b.st.Notes = append(b.st.Notes, fmt.Sprintf("the stage's own resources are not known: %v", err))
	}
	step.Usage = append(step.Usage, found...)
	return nil
}

// rateStep is from one rate of the search to the next: what the closed loop reached is close to the
// answer, and doubling it would only drown the shop.
const rateStep = 1.25

// highestRate searches the highest arrival rate that keeps the objective.
func (r *stageRun) highestRate(ctx context.Context, repeat int) error {
	start := 10.0
	for _, s := range r.st.Steps {
		if s.ObjectiveKept && s.Flow == "" { // single errands may be served much faster than the mix
			start = max(start, math.Round(s.Goodput*0.7))
		}
	}
	if n := len(r.rates); n > 0 && r.rates[n-1].LastGood != nil {
		start = max(1, math.Round(*r.rates[n-1].LastGood*(.5+elsewhere(n-1))))
	}
	bounds := load.Bounds{
		Start: start, Min: 1, Max: r.settings.MaxRate, Step: rateStep,
		Precision: r.settings.PrecisionRatio,
	}
	if r.settings.Quick {
		bounds.Precision = rateStep - 1 // the first bracket will do
	}
	tried := map[float64]result.Step{}
	found, err := load.Find(ctx, bounds, func(ctx context.Context, perSecond float64) (result.Step, error) {
		step, err := r.hold(ctx, load.Load{Purpose: result.PurposeRate, Rate: perSecond, Repeat: repeat})
		tried[perSecond] = step
		if step.ObjectiveKept && (r.best == nil || step.Rate > r.best.Rate) {
			brief := step
			brief.Series = nil
			r.best = &brief
		}
		return step, err
	})
	if err != nil {
		return err
	}
	late := func(perSecond float64) bool { return load.Unknown(tried[perSecond], r.settings.Objective) }
	found.Probes = slices.DeleteFunc(found.Probes, func(p result.Probe) bool { return !p.Kept && late(p.Level) })
	if found.FirstBad != nil && late(*found.FirstBad) {
		found.FirstBad = nil // what gave out there is the generator
		r.st.Notes = append(r.st.Notes, fmt.Sprintf("the highest arrival rate of repeat %d is a lower bound: above it the "+
			"generator was late, not the stage", repeat))
	}
	r.rates = append(r.rates, found)
	return nil
}
