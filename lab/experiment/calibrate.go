package experiment

import (
	"context"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
)

// How each errand is measured by itself: with so few users that nothing is used up, and for no longer than it
// takes to know the CPU of a request.
const (
	calibrateUsers  = 4
	calibrateFor    = 5 * time.Second
	calibrateSettle = 2 * time.Second
)

// calibrate holds each errand by itself, where its CPU can be watched by the second, so that a forecast can mix
// them anew. A quick run has no time for it, and says so.
func (r *stageRun) calibrate(ctx context.Context) error {
	if _, ok := r.at.(target.Tuner); !ok {
		return nil
	}
	if r.settings.Quick {
		r.st.Notes = append(r.st.Notes, "a quick run measures no errand by itself: `lab forecast --mix` needs a full one")
		return nil
	}
	for _, flow := range load.Flows() {
		l := load.Load{Purpose: result.PurposeCalibration, Users: calibrateUsers, Flow: flow}
		if _, err := r.hold(ctx, l); err != nil {
			return err
		}
	}
	return nil
}
