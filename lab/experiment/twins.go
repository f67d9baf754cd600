package experiment

import (
	"context"
	"fmt"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
	"shoplab/lab/verdict"
)

// twins measures changed stages for the forecast to be held against: each at the load at which the stage
// failed, and searched for its own breaking point. None of it is fitted. A quick run has no time for it.
func (r *stageRun) twins(ctx context.Context) error {
	tuner, ok := r.at.(target.Tuner)
	if !ok || r.plan.Quick || r.st.AtFailure == nil {
		return nil
	}
	for _, k := range verdict.Twins(r.site.Stage()) {
		r.say(fmt.Sprintf("a twin for the forecast: %s %s instead of %s", k.Name, k.To, k.From))
		t := result.Twin{Knob: k.Name, From: k.From, To: k.To}
		err := r.onFresh(ctx, tuner, k.Change, func(ctx context.Context, one *Bench) error {
			return one.twin(ctx, &t, r.st.AtFailure.Users)
		})
		if err != nil {
			return fmt.Errorf("measure a twin for the forecast: %w", err)
		}
		r.st.Twins = append(r.st.Twins, t)
	}
	return nil
}

// twin measures one.
func (b *Bench) twin(ctx context.Context, t *result.Twin, users int) error {
	described := result.Stage{}
	b.site.Describe(&described)
	t.Config = described.Config
	if units := b.site.Stage().DatabaseCPU; units > 0 {
		t.DatabaseCPUs = result.Ptr(float64(units) / 1024)
	}
	bounds := load.Bounds{
		Start: float64(users), Min: 1, Max: float64(b.settings.MaxUsers), Precision: b.settings.PrecisionRatio, Whole: true,
	}
	first := true
	found, err := load.Find(ctx, bounds, func(ctx context.Context, users float64) (result.Step, error) {
		step, err := b.hold(ctx, load.Load{Purpose: result.PurposeTwin, Users: int(users)})
		if first {
			first, t.Step, t.Step.Series = false, step, nil
		}
		return step, err
	})
	t.Search = &found
	return err
}
