package experiment

import (
	"context"
	"math"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// demandShares are arrival rates as shares of what one user gets who does not think: nothing is used up there, and they
// lie far enough apart to tell the slope of use over throughput.
var demandShares = []float64{.15, .3, .45, .6, .75}

// demands holds arrival rates below saturation, from which a forecast takes what a request costs. Users who do not
// think are no substitute: the second of them uses up a stage with little CPU. A quick run has no time for it.
func (r *stageRun) demands(ctx context.Context) error {
	if r.settings.Quick {
		return nil
	}
	for _, rate := range demandRates(r.st.Steps) {
		if _, err := r.hold(ctx, load.Load{Purpose: result.PurposeDemand, Rate: rate}); err != nil {
			return err
		}
	}
	return nil
}

// demandRates follow from the scaling step of one user; none where nothing was answered.
func demandRates(steps []result.Step) (rates []float64) {
	for _, s := range steps {
		if s.Purpose != result.PurposeScaling || s.Users != 1 || s.Goodput < 10 {
			continue
		}
		for _, share := range demandShares {
			rates = append(rates, math.Round(share*s.Goodput))
		}
		break
	}
	return rates
}
