package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoplab/lab/complexity"
	"shoplab/lab/forecast"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stats"
	"shoplab/lab/target"
	"shoplab/lab/verdict"
)

// stageRun is one stage being measured, over all its visits.
type stageRun struct {
	plan Plan
	at   target.Target
	*Bench
	held          map[int][]result.Step // at the declared numbers of users
	points, rates []result.Search       // for the breaking point and the highest rate, one a repeat
	best          *result.Step          // at the highest rate that kept the objective
	ups, downs    []float64             // seconds
	soldOut       int
	accountless   int
}

func newStageRun(p Plan, at target.Target, name string) *stageRun {
	return &stageRun{
		plan: p, at: at, held: map[int][]result.Step{},
		Bench: &Bench{settings: p.Settings(), st: &result.Stage{Name: name, Labels: at.Labels()}, say: p.Say, from: p.From},
	}
}

// visit brings the stage up, measures what the visit is for, and takes it down whatever happens.
func (r *stageRun) visit(ctx context.Context, v visit) error {
	r.say("bringing up")
	s, err := r.at.Up(ctx, r.st.Name)
	if err != nil {
		return fmt.Errorf("bring up: %w", err)
	}
	r.take(s)
	r.ups = append(r.ups, s.Started().Seconds())
	if v.first {
		s.Describe(r.st)
		r.st.Complexity = complexity.Count(r.plan.Root, r.st.Name, r.st.Topology, r.at.Kind())
	}
	err = r.measure(ctx, v)
	if r.crowd != nil {
		r.soldOut += r.crowd.SoldOut()
		r.accountless += r.crowd.Accountless()
	}
	r.say("taking down")
	began := time.Now()
	down := r.Down(ctx)
	if down == nil {
		r.downs = append(r.downs, time.Since(began).Seconds())
	}
	if err == nil && down == nil && v.last {
		err = r.conclude(ctx)
	}
	return errors.Join(err, down, r.audit.violation())
}

// conclude is what follows from all repeats, on stages that are brought up for it.
func (r *stageRun) conclude(ctx context.Context) error {
	if r.st.AtFailure != nil {
		r.st.Verdict = verdict.Judge(*r.st.AtFailure)
	}
	if err := r.prove(ctx); err != nil {
		return err
	}
	return r.twins(ctx)
}

// measure is everything between up and down.
func (r *stageRun) measure(ctx context.Context, v visit) error {
	ctx, cancel := r.Within(ctx)
	defer cancel()
	err := r.steps(ctx, v)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause // why the context ended says more than that it did
	}
	return err
}

func (r *stageRun) steps(ctx context.Context, v visit) error {
	if err := r.Gather(ctx); err != nil {
		return err
	}
	if v.first {
		for _, users := range scaling(r.settings) {
			if _, err := r.hold(ctx, load.Load{Purpose: result.PurposeScaling, Users: users}); err != nil {
				return err
			}
		}
		if err := r.demands(ctx); err != nil {
			return err
		}
		if err := r.calibrate(ctx); err != nil {
			return err
		}
	}
	for _, users := range r.settings.Users {
		for _, n := range v.repeats {
			if err := r.level(ctx, users, n); err != nil {
				return err
			}
		}
	}
	for _, n := range v.repeats {
		if err := r.breakingPoint(ctx, n); err != nil {
			return err
		}
	}
	if err := r.fail(ctx); err != nil {
		return err
	}
	for _, n := range v.repeats {
		if err := r.highestRate(ctx, n); err != nil {
			return err
		}
	}
	r.say("checking the invariants")
	return r.Check(ctx)
}

// sum is the stage with what follows from the steps so far.
func (r *stageRun) sum() result.Stage {
	st := *r.st
	st.BringUpSeconds, st.TearDownSeconds = median(r.ups), median(r.downs)
	st.Levels = r.levels()
	st.BreakingPoint = load.BreakingPoint(r.points, r.settings.Objective)
	if st.OpenLoop = load.HighestRate(r.rates, r.settings.Objective); st.OpenLoop != nil {
		st.OpenLoop.AtRate = r.best
	}
	if st.Verdict == nil && st.AtFailure != nil {
		st.Verdict = verdict.Judge(*st.AtFailure)
	}
	var points []result.USLPoint
	for _, s := range st.Steps {
		switch s.Purpose {
		case result.PurposeScaling, result.PurposeLevel, result.PurposeSearch:
			if s.ErrorRatio <= r.settings.Objective.MaxErrorRatio {
				points = append(points, result.USLPoint{Users: s.Users, Throughput: s.Goodput})
			}
		}
	}
	st.USL = forecast.FitUSL(points)
	if len(st.Steps) > 0 {
		st.Validity = verdict.Valid(st.Steps, st.BreakingPoint, st.Levels)
	}
	st.Invariants = r.audit.found
	st.Notes = slices.Clone(st.Notes)
	note := func(n int, format string) {
		if n > 0 {
			st.Notes = append(st.Notes, fmt.Sprintf(format, n))
		}
	}
	price(&st, r.plan.Root)
	note(r.soldOut, "%d orders were refused because a product was sold out; they count as answered")
	note(r.again, "%d steps were measured again, because other processes had taken the machine")
	note(r.accountless, "%d purchases became visits, because every prepared account was in use")
	return st
}

// median of some seconds; nil for none.
func median(seconds []float64) *float64 {
	if len(seconds) == 0 {
		return nil
	}
	return result.Ptr(stats.Median(seconds))
}
