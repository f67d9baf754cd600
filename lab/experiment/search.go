package experiment

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// levels holds the declared numbers of users, each repeated, and audits the shop under that load.
func (r *stageRun) levels(ctx context.Context) error {
	for _, users := range r.settings.Users {
		var repeats []result.Step
		for n := range r.settings.Repeats {
			if err := r.prepare(ctx, users); err != nil {
				return err
			}
			audited := r.audit.during(ctx, r.site, time.Duration(r.settings.StepSeconds/2*float64(time.Second)))
			step, err := r.hold(ctx, load.Load{Purpose: result.PurposeLevel, Users: users, Repeat: n + 1})
			if err = errors.Join(err, audited()); err != nil {
				return err
			}
			repeats = append(repeats, step)
		}
		r.st.Levels = append(r.st.Levels, level(users, repeats))
	}
	return nil
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
func (r *stageRun) breakingPoint(ctx context.Context) error {
	start := float64(slices.Min(r.settings.Users))
	for _, l := range r.st.Levels {
		if l.Median.ObjectiveKept {
			start = max(start, float64(l.Users))
		}
	}
	bounds := load.Bounds{Start: start, Min: 1, Max: float64(r.settings.MaxUsers), Precision: r.settings.PrecisionRatio, Whole: true}
	var searches []result.Search
	for n := range r.settings.Repeats {
		tried := map[float64]result.Step{}
		found, err := load.Find(ctx, bounds, func(ctx context.Context, users float64) (result.Step, error) {
			step, err := r.hold(ctx, load.Load{Purpose: result.PurposeSearch, Users: int(users), Repeat: n + 1})
			tried[users] = step
			return step, err
		})
		if err != nil {
			return err
		}
		searches = append(searches, found)
		if found.FirstBad != nil {
			if r.st.AtFailure == nil {
				r.st.AtFailure = result.Ptr(tried[*found.FirstBad])
			}
			bounds.Start = max(1, math.Round(*found.FirstBad/2)) // a bracket of its own, found sooner
		}
	}
	r.st.BreakingPoint = load.BreakingPoint(searches)
	if r.st.AtFailure != nil {
		r.st.Verdict = judge(*r.st.AtFailure)
	}
	return nil
}

// highestRate searches the highest arrival rate that keeps the objective.
func (r *stageRun) highestRate(ctx context.Context) error {
	start := 10.0
	for _, s := range r.st.Steps {
		if s.ObjectiveKept {
			start = max(start, math.Round(s.Goodput*0.7))
		}
	}
	bounds := load.Bounds{Start: start, Min: 1, Max: r.settings.MaxRate, Precision: r.settings.PrecisionRatio}
	var searches []result.Search
	var best *result.Step
	for n := range r.settings.Repeats {
		found, err := load.Find(ctx, bounds, func(ctx context.Context, perSecond float64) (result.Step, error) {
			step, err := r.hold(ctx, load.Load{Purpose: result.PurposeRate, Rate: perSecond, Repeat: n + 1})
			if step.ObjectiveKept && (best == nil || step.Rate > best.Rate) {
				brief := step
				brief.Series = nil
				best = &brief
			}
			return step, err
		})
		if err != nil {
			return err
		}
		searches = append(searches, found)
		if found.LastGood != nil {
			bounds.Start = math.Round(*found.LastGood * 0.75)
		}
	}
	r.st.OpenLoop = load.HighestRate(searches)
	r.st.OpenLoop.AtRate = best
	return nil
}
