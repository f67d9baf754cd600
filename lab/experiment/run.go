// Package experiment runs the laboratory's experiments: it has a target bring stages up, has package load
// send shoppers while package watch reads every resource, has package verdict name what gave out, proves it
// by turning one knob, and takes everything down again.
package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
)

// Plan is what a run should do.
type Plan struct {
	Root    string // the repository
	Stages  []string
	Users   []int // the declared load levels
	Repeats int
	Quick   bool
	Think   time.Duration // between an answer and a user's next request
	// From sends the load; nil: this process.
	From load.Gatherer
	// Say is told what is being done and how long is left.
	Say func(string)
	// Save is called with the result so far after each stage; nil is allowed.
	Save func(result.Result) error
}

// ErrInvariant is wrapped when an invariant of the shop was violated under load.
var ErrInvariant = errors.New("an invariant was violated under load")

// Settings are the plan's settings as they are declared in the result.
func (p Plan) Settings() result.Settings {
	s := result.Settings{
		Quick: p.Quick, Users: p.Users, Repeats: p.Repeats, Objective: load.DefaultObjective, Mix: load.Mix(),
		WarmUpSeconds: 5, StepSeconds: 20, SearchSeconds: 6, PrecisionRatio: 0.1, MaxUsers: 5000, MaxRate: 10000,
		ThinkMS: float64(p.Think) / float64(time.Millisecond),
	}
	if p.Quick {
		s.WarmUpSeconds, s.StepSeconds, s.SearchSeconds = 2, 3, 2
	}
	return s
}

// Run measures the stages and returns what was measured, also with an error. Where bringing a stage up takes
// seconds, the repeats of all stages take turns, so that what changes on the machine meanwhile falls on all of
// them alike.
func Run(ctx context.Context, p Plan, at target.Target) (result.Result, error) {
	if at.Kind() == result.TargetLocal {
		defer load.ShareMachine()()
	}
	settings := p.Settings()
	res := result.Result{
		Version: result.Version, Target: at.Kind(), Labels: at.Labels(), StartedAt: time.Now().UTC(),
		Environment: Environment(ctx, p.Root), Settings: &settings,
	}
	if p.Quick {
		res.Labels = append(res.Labels, result.LabelQuick)
	}
	visits := p.visits(at.Kind() == result.TargetLocal)
	clock := newClock(settings, visits)
	runs := make([]*stageRun, len(p.Stages))
	var errs []error
	for _, v := range visits {
		r := runs[v.stage]
		if r == nil {
			r = newStageRun(p, at, p.Stages[v.stage])
			runs[v.stage] = r
		}
		if r.st.Error != "" {
			clock.skip() // it was given up
			continue
		}
		r.say = func(text string) { p.Say(fmt.Sprintf("[%s] %s (%s left)", v.name(p), text, clock.left())) }
		err := r.visit(ctx, v)
		clock.done(v)
		if err != nil {
			r.st.Error = err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", r.st.Name, err))
		}
		res.Stages, res.FinishedAt = measured(runs), time.Now().UTC()
		if p.Save != nil {
			errs = append(errs, p.Save(res))
		}
		if ctx.Err() != nil {
			break
		}
	}
	res.Stages = measured(runs)
	if ctx.Err() != nil {
		// Errors of steps that the interruption broke off say nothing new. Resources that may be left have to be told.
		res.Incomplete = "interrupted"
		errs = slices.DeleteFunc(errs, func(err error) bool { return !errors.Is(err, target.ErrLeft) })
		errs = append([]error{ctx.Err()}, errs...)
	}
	errs = append(errs, at.Finish(context.WithoutCancel(ctx), &res))
	res.FinishedAt = time.Now().UTC()
	return res, errors.Join(errs...)
}

// measured are the stages that were begun, as far as they are measured.
func measured(runs []*stageRun) []result.Stage {
	var stages []result.Stage
	for _, r := range runs {
		if r != nil {
			stages = append(stages, r.sum())
		}
	}
	return stages
}

// scaling are the small numbers of users that the scalability fit needs beside the declared ones.
func scaling(s result.Settings) []int {
	if s.Quick {
		return []int{1, 4, 16}
	}
	return []int{1, 2, 4, 8, 16, 32}
}
