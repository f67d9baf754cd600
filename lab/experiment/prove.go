package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target"
	"shoplab/lab/verdict"
)

// prove turns the knob of each suspect at its end, the likeliest first, until one has an effect.
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
	tries := 2
	if r.plan.Quick {
		tries = 1
	}
	for _, s := range v.Suspects {
		if tries == 0 || s.Pressure < verdict.Exhausted {
			break
		}
		k, why := verdict.KnobFor(s.Cause, r.site.Stage())
		if why != "" {
			v.NotProved = cmp.Or(v.NotProved, why)
			continue
		}
		tries--
		proof, err := r.turn(ctx, tuner, k)
		if err != nil {
			return fmt.Errorf("prove the verdict: %w", err)
		}
		if proof.Confirmed {
			v.Cause, v.Proof, v.NotProved = s.Cause, proof, ""
			v.Summary = fmt.Sprintf("%s: %s", s.Cause, s.Why)
			return nil
		}
		if v.Proof == nil {
			v.Proof, v.NotProved = proof, ""
		}
	}
	if v.Proof != nil {
		v.Summary += " (not confirmed: turning the knob had no effect)"
	}
	if v.Proof == nil && v.NotProved == "" {
		_, v.NotProved = verdict.KnobFor(result.CauseUnknown, r.site.Stage())
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
func (r *stageRun) fresh(ctx context.Context, at target.Tuner, change stage.Change, users int, why result.Purpose) (step result.Step, err error) {
	s, err := at.UpWith(ctx, r.st.Name, change)
	if err != nil {
		return step, err
	}
	one := NewBench(s, r.settings, r.say)
	one.again = r.again
	defer func() {
		r.again = one.again
		err = errors.Join(err, one.Down(ctx))
	}()
	ctx, cancel := one.Within(ctx)
	defer cancel()
	if err := one.Gather(ctx); err != nil {
		return step, err
	}
	step, err = one.hold(ctx, load.Load{Purpose: why, Users: users})
	step.Series = nil
	return step, err
}

// noise is how far apart the repeats of the breaking point were, as a share.
func (r *stageRun) noise() float64 {
	bp := r.st.BreakingPoint
	if bp == nil || bp.MedianUsers == nil || *bp.MedianUsers == 0 {
		return 0
	}
	return float64(*bp.HighUsers-*bp.LowUsers) / *bp.MedianUsers
}
