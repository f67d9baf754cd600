package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoplab/lab/complexity"
	"shoplab/lab/forecast"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
	"shoplab/lab/verdict"
)

// stageRun is one stage being measured.
type stageRun struct {
	plan Plan
	at   target.Target
	*Bench
}

// run measures the stage, and takes it down whatever happens.
func (r *stageRun) run(ctx context.Context) error {
	r.say("bringing up")
	s, err := r.at.Up(ctx, r.st.Name)
	if err != nil {
		return fmt.Errorf("bring up: %w", err)
	}
	r.take(s)
	r.st.BringUpSeconds = result.Ptr(s.Started().Seconds())
	s.Describe(r.st)
	r.st.Complexity = complexity.Count(r.plan.Root, r.st.Name, r.st.Topology, r.at.Kind())
	measured := r.measure(ctx)
	r.say("taking down")
	began := time.Now()
	down := r.Down(ctx)
	if down == nil {
		r.st.TearDownSeconds = result.Ptr(time.Since(began).Seconds())
	}
	if measured == nil && down == nil {
		measured = r.prove(ctx)
	}
	if measured == nil && down == nil {
		measured = r.twins(ctx)
	}
	r.sumUp()
	return errors.Join(measured, down, r.audit.violation())
}

// measure is everything between up and down.
func (r *stageRun) measure(ctx context.Context) error {
	ctx, cancel := r.Within(ctx)
	defer cancel()
	err := r.steps(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause // why the context ended says more than that it did
	}
	return err
}

func (r *stageRun) steps(ctx context.Context) error {
	if err := r.Gather(ctx); err != nil {
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
	return r.Check(ctx)
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
	r.st.USL = forecast.FitUSL(points)
	if len(r.st.Steps) > 0 {
		r.st.Validity = verdict.Valid(r.st.Steps, r.st.BreakingPoint, r.st.Levels)
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
