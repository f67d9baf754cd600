package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target"
	"shoplab/lab/verdict"
)

// prove turns the knob of every suspect at its end, the likeliest first, and one that should do nothing. The
// first that has an effect is the proof. A quick run turns one.
func (r *stageRun) prove(ctx context.Context) error {
	v := r.st.Verdict
	if v == nil {
		return nil
	}
	tuner, ok := r.at.(target.Tuner)
	if !ok {
		v.NotProved = "a changed stage is brought up on this machine only, not on AWS: it would cost another deployment"
		return nil
	}
	cause, why := v.Cause, v.Summary
	for _, s := range v.Suspects {
		if s.Pressure < verdict.Exhausted || r.plan.Quick && len(v.Trials) > 0 {
			break
		}
		k, none := verdict.KnobFor(s.Cause, r.site.Stage())
		if none != "" {
			v.NotProved = cmp.Or(v.NotProved, none)
			continue
		}
		if slices.ContainsFunc(v.Trials, func(t result.Proof) bool { return t.Knob == k.Name }) {
			continue // it was turned for a likelier suspect
		}
		trial, err := r.turn(ctx, tuner, k)
		if err != nil {
			return fmt.Errorf("prove the verdict: %w", err)
		}
		v.Trials = append(v.Trials, *trial)
		if trial.Confirmed && v.Proof == nil {
			cause, why = s.Cause, fmt.Sprintf("%s: %s", s.Cause, s.Why)
			v.Proof = trial
		}
	}
	v.Cause, v.Summary = cause, why
	switch {
	case v.Proof != nil:
		v.NotProved = ""
		return r.control(ctx, tuner)
	case len(v.Trials) > 0:
		v.NotProved = v.Trials[0].Conclusion
		v.Summary += " (not confirmed by turning a knob)"
	case v.NotProved == "":
		_, v.NotProved = verdict.KnobFor(result.CauseUnknown, r.site.Stage())
	}
	return nil
}

// control turns a knob that should do nothing: where it does something too, the proof is none.
func (r *stageRun) control(ctx context.Context, at target.Tuner) error {
	v := r.st.Verdict
	k, ok := verdict.Control(v.Suspects, r.site.Stage())
	if !ok || r.plan.Quick {
		return nil
	}
	trial, err := r.turn(ctx, at, k)
	if err != nil {
		return fmt.Errorf("control the proof: %w", err)
	}
	trial.Control, trial.Confirmed = true, false
	v.Trials = append(v.Trials, *trial)
	if verdict.Effect(*trial, r.noise()) {
		v.NotProved = "a knob that should do nothing had an effect as well: " + trial.Conclusion
		v.Proof = nil
		v.Summary += " (not confirmed: the control had an effect too)"
	}
	return nil
}

// turn brings the stage up twice more, as it is and with the knob turned, and holds the same load
// on both. Both are fresh and warmed up alike, so that the knob is the only difference. A quick run
// compares with the step that failed instead.
func (r *stageRun) turn(ctx context.Context, at target.Tuner, k verdict.Knob) (*result.Proof, error) {
	r.say(fmt.Sprintf("proving: %s %s instead of %s", k.Name, k.To, k.From))
	before := *r.st.AtFailure
	before.Series = nil
	users := before.Users
	if !r.plan.Quick {
		var err error
		if before, err = r.fresh(ctx, at, nil, users, result.PurposeBaseline); err != nil {
			return nil, err
		}
	}
	after, err := r.fresh(ctx, at, k.Change, users, result.PurposeProof)
	if err != nil {
		return nil, err
	}
	return verdict.Conclude(k, before, after, r.noise()), nil
}

// fresh measures one step on a stage that is brought up for it.
func (r *stageRun) fresh(ctx context.Context, at target.Tuner, change stage.Change, users int,
	why result.Purpose,
) (step result.Step, err error) {
	err = r.onFresh(ctx, at, change, func(ctx context.Context, one *Bench) (err error) {
		step, err = one.hold(ctx, load.Load{Purpose: why, Users: users})
		step.Series = nil
		return err
	})
	return step, err
}

// onFresh brings a changed stage up and warms it for what is to be measured on it, and takes it down.
func (r *stageRun) onFresh(ctx context.Context, at target.Tuner, change stage.Change,
	measure func(context.Context, *Bench) error,
) (err error) {
	s, err := at.UpWith(ctx, r.st.Name, change)
	if err != nil {
		return err
	}
	one := NewBench(s, r.settings, r.say)
	one.from = r.from
	one.again = r.again
	defer func() {
		r.again = one.again
		err = errors.Join(err, one.Down(ctx))
	}()
	ctx, cancel := one.Within(ctx)
	defer cancel()
	if err := one.Gather(ctx); err != nil {
		return err
	}
	return measure(ctx, one)
}

// noise is how far apart the repeats of the breaking point were, as a share.
func (r *stageRun) noise() float64 {
	bp := load.BreakingPoint(r.points, r.settings.Objective)
	if bp == nil || bp.MedianUsers == nil || *bp.MedianUsers == 0 {
		return 0
	}
	return float64(*bp.HighUsers-*bp.LowUsers) / *bp.MedianUsers
}
