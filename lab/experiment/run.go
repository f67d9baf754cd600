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
		WarmUpSeconds: 10, StepSeconds: 20, SearchSeconds: 10, PrecisionRatio: 0.1, MaxUsers: 5000, MaxRate: 10000,
		ThinkMS: float64(p.Think) / float64(time.Millisecond),
	}
	if p.Quick {
		s.WarmUpSeconds, s.StepSeconds, s.SearchSeconds = 2, 3, 2
	}
	return s
}

// Run measures the stages one after another and returns what was measured, also with an error.
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
	clock := newClock(settings, len(p.Stages))
	var errs []error
	for i, name := range p.Stages {
		r := &stageRun{
			plan: p, at: at, Bench: &Bench{
				settings: settings, st: &result.Stage{Name: name, Labels: at.Labels()},
				say: func(text string) {
					p.Say(fmt.Sprintf("[%d/%d %s] %s (%s left)", i+1, len(p.Stages), name, text, clock.left()))
				},
			},
		}
		err := r.run(ctx)
		clock.stageDone()
		if err != nil {
			r.st.Error = err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		res.Stages = append(res.Stages, *r.st)
		res.FinishedAt = time.Now().UTC()
		if p.Save != nil {
			errs = append(errs, p.Save(res))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if ctx.Err() != nil {
		// What the interruption broke off is no news; what it may have left is.
		res.Incomplete = "interrupted"
		errs = slices.DeleteFunc(errs, func(err error) bool { return !errors.Is(err, target.ErrLeft) })
		errs = append([]error{ctx.Err()}, errs...)
	}
	errs = append(errs, at.Finish(context.WithoutCancel(ctx), &res))
	res.FinishedAt = time.Now().UTC()
	return res, errors.Join(errs...)
}

// clock estimates how long a run has left, at first from its settings, then from the stages done.
type clock struct {
	began, stageBegan time.Time
	each              time.Duration
	stages, done      int
}

func newClock(s result.Settings, stages int) *clock {
	const bringUp, search, rates = 8.0, 6, 4 // seconds, and probes that a search usually takes
	settle := settleFor.Seconds()
	if s.Quick {
		settle = settleQuick.Seconds()
	}
	seconds := 2*bringUp + 2*s.WarmUpSeconds + float64(len(s.Users)*s.Repeats)*(s.StepSeconds+settle) +
		float64(s.Repeats*(search+rates)+len(scaling(s)))*(s.SearchSeconds+settle) + 3*(s.SearchSeconds+settle)
	if !s.Quick {
		const fresh = 2*2 + 5 // stages brought up for two proofs, each beside an unchanged one, and for the twins
		seconds += fresh*(2*bringUp+s.WarmUpSeconds+s.SearchSeconds+settle) + 5*search*(s.SearchSeconds+settle)
	}
	return &clock{began: time.Now(), stageBegan: time.Now(), each: time.Duration(seconds * float64(time.Second)), stages: stages}
}

func (c *clock) stageDone() {
	c.done++
	c.each = time.Since(c.began) / time.Duration(c.done)
	c.stageBegan = time.Now()
}

// left is the estimate as text.
func (c *clock) left() string {
	left := max(0, c.each-time.Since(c.stageBegan)) + c.each*time.Duration(max(0, c.stages-c.done-1))
	if left < 10*time.Second {
		return "a few seconds"
	}
	return "about " + left.Round(10*time.Second).String()
}

// scaling are the small numbers of users that the scalability fit needs beside the declared ones.
func scaling(s result.Settings) []int {
	if s.Quick {
		return []int{1, 4, 16}
	}
	return []int{1, 2, 4, 8, 16, 32}
}
