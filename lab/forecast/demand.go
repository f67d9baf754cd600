package forecast

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// The parts of a stage that a request takes CPU of.
const (
	PartProxy    = "proxy"
	PartSidecar  = "sidecar"
	PartService  = "service"
	PartDatabase = "database"
	PartCache    = "cache"
)

// parts are the resources whose use, summed over all that there are, is a part's.
var parts = []struct {
	name     string
	resource result.Resource
}{
	{PartProxy, result.ResourceProxyCPU},
	{PartSidecar, result.ResourceSidecarCPU},
	{PartService, result.ResourceInstanceCPU},
	{PartDatabase, result.ResourceDBCPU},
	{PartCache, result.ResourceRedisCPU},
}

// Demand is what a request takes of a part.
type Demand struct {
	Part string
	// Seconds is CPU seconds a request: the slope of use over throughput, where nothing was saturated.
	Seconds result.Interval
	// Idle is the use without requests, in CPUs: the intercept.
	Idle float64
	// Growth is by how much of itself the demand grows where every period is throttled.
	Growth float64
	// Steps is how many steps the slope is of.
	Steps int
}

// Demands are a stage's.
type Demands struct {
	Parts []Demand
	// Instances is how many there were, which share what the service takes at rest.
	Instances int
	// Pause is the seconds between an answer and a user's next request, by Little's law: what shoppers think, and wait
	// between questions whether a payment has arrived.
	Pause float64
	// Hold is the seconds that a request holds a pooled connection, all requests' mean, by Little's law.
	Hold result.Interval
	// RoundTrips is how often a request asks the database, Bytes the length of its answer; 0 where not counted.
	RoundTrips, Bytes result.Interval
	Classes           []Class
	// Flows are the errands by themselves; none where they were not measured.
	Flows []Flow
}

// Of is the demand of a part; the zero value where it was not measured.
func (d Demands) Of(part string) Demand {
	for _, p := range d.Parts {
		if p.Part == part {
			return p
		}
	}
	return Demand{Part: part}
}

// ErrTooFew is wrapped when a stage's steps do not suffice.
var ErrTooFew = errors.New("too few steps below saturation to tell what a request costs")

const (
	unsaturated = 0.85 // use over limit, or share of throttled periods, up to which a step is
	leastSteps  = 4
	draws       = 1000 // of the bootstrap
)

// Measure takes the demands from the steps of a stage, the searches' included.
func Measure(st result.Stage) (Demands, error) {
	var d Demands
	var free []result.Step
	for _, s := range st.Steps {
		if fits(s) && pressure(s) < unsaturated && throttled(s) < unsaturated {
			free = append(free, s)
		}
	}
	if distinct(free) < leastSteps {
		return d, fmt.Errorf("%s: %w: %d, want %d", st.Name, ErrTooFew, distinct(free), leastSteps)
	}
	for _, p := range parts {
		x, y := points(free, p.resource)
		if len(x) < leastSteps {
			continue
		}
		one := Demand{Part: p.name, Steps: len(x)}
		one.Seconds, one.Idle = slope(x, y)
		if one.Seconds.Value > 0 {
			one.Growth = growth(st.Steps, p.resource, one)
			d.Parts = append(d.Parts, one)
		}
	}
	if d.Of(PartService).Seconds.Value == 0 {
		return d, fmt.Errorf("%s: %w: the service's CPU was not watched", st.Name, ErrTooFew)
	}
	d.Instances, d.Pause = 1, pause(st.Steps)
	if st.Config.Instances != nil {
		d.Instances = max(1, *st.Config.Instances)
	}
	if x, y := points(calm(free), result.ResourcePoolInUse); len(x) >= leastSteps {
		d.Hold, _ = slope(x, y)
	}
	if x, y := points(free, result.ResourceRoundTrips); len(x) >= leastSteps {
		d.RoundTrips, _ = slope(x, y)
	}
	if x, y := answers(free); len(x) >= leastSteps {
		d.Bytes, _ = slope(x, y)
	}
	d.Classes = classes(free)
	return d, nil
}

// calm are the steps in which nobody waits for CPU, so that a connection is held for what it is used; all, where they
// are too few.
func calm(free []result.Step) []result.Step {
	var all []result.Step
	for _, s := range free {
		if pressure(s) < unsaturated/2 && throttled(s) < .05 {
			all = append(all, s)
		}
	}
	if distinct(all) < leastSteps {
		return free
	}
	return all
}

// pause is the median over the steps of the search, whose load is the one to forecast; over the scaling steps, where
// nothing was searched.
func pause(steps []result.Step) float64 {
	for _, purpose := range []result.Purpose{result.PurposeSearch, result.PurposeScaling} {
		var all []float64
		for _, s := range steps {
			if s.Purpose == purpose && fits(s) && s.Users > 0 && s.Latency != nil {
				all = append(all, float64(s.Users)/s.Throughput-s.Latency.MeanMS/1000)
			}
		}
		if len(all) > 0 {
			return max(0, stats.Median(all))
		}
	}
	return 0
}

// fits says whether a step is one of ordinary load.
func fits(s result.Step) bool {
	switch s.Purpose {
	case result.PurposeDemand, result.PurposeScaling, result.PurposeLevel, result.PurposeSearch, result.PurposeRate:
		return s.Throughput > 0 && s.ErrorRatio <= 0.01
	}
	return false
}

// pressure is the use of the CPU nearest to its limit.
func pressure(s result.Step) float64 {
	most := 0.0
	for _, u := range s.Usage {
		switch u.Resource {
		case result.ResourceInstanceCPU, result.ResourceServerCPU, result.ResourceStageCPU, result.ResourceDBCPU,
			result.ResourceMachineCPU:
			if u.Limit != nil && *u.Limit > 0 {
				most = max(most, u.Mean / *u.Limit)
			}
		}
	}
	return most
}

// throttled is the share of throttled periods of the group that had most.
func throttled(s result.Step) float64 {
	most := 0.0
	for _, u := range s.Usage {
		if u.Resource == result.ResourceThrottled {
			most = max(most, u.Mean)
		}
	}
	return most
}

func distinct(steps []result.Step) int {
	seen := map[[2]float64]bool{}
	for _, s := range steps {
		seen[[2]float64{float64(s.Users), s.Rate}] = true
	}
	return len(seen)
}

// points are throughput and use of the steps that have both.
func points(steps []result.Step, r result.Resource) (x, y []float64) {
	for _, s := range steps {
		if used, ok := total(s, r); ok {
			x, y = append(x, s.Throughput), append(y, used)
		}
	}
	return x, y
}

// answers are throughput and bytes answered a second of the steps that have both.
func answers(steps []result.Step) (x, y []float64) {
	for _, s := range steps {
		if s.AnswerBytes != nil {
			x, y = append(x, s.Throughput), append(y, *s.AnswerBytes*s.Throughput)
		}
	}
	return x, y
}

func total(s result.Step, r result.Resource) (sum float64, ok bool) {
	for _, u := range s.Usage {
		if u.Resource == r && u.Unit != "ratio" {
			sum, ok = sum+u.Mean, true
		}
	}
	return sum, ok
}

// slope is least squares of y over x with an intercept that is not negative, and the percentile bootstrap
// of the slope by drawing points.
func slope(x, y []float64) (result.Interval, float64) {
	b, a := line(x, y)
	rng := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // reproducible on purpose
	all := make([]float64, 0, draws)
	xs, ys := make([]float64, len(x)), make([]float64, len(x))
	for range draws {
		for i := range xs {
			j := rng.IntN(len(x))
			xs[i], ys[i] = x[j], y[j]
		}
		if again, _ := line(xs, ys); !math.IsNaN(again) {
			all = append(all, again)
		}
	}
	slices.Sort(all)
	tail := (1 - confidence) / 2
	return result.Interval{
		Value: b, Low: min(b, stats.Percentile(all, tail)), High: max(b, stats.Percentile(all, 1-tail)),
	}, a
}

// line is y = a + b x by least squares, a and b at least 0.
func line(x, y []float64) (b, a float64) {
	n, mx, my := float64(len(x)), 0.0, 0.0
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	var xx, xy, zz, zy float64
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - my)
		zz += x[i] * x[i]
		zy += x[i] * y[i]
	}
	if xx > 0 {
		if b = xy / xx; b >= 0 && my-b*mx >= 0 {
			return b, my - b*mx
		}
	}
	return zy / zz, 0 // through the origin
}

// growth is the slope of the demand's excess over the share of throttled periods, over all steps. Where periods are
// throttled a request may cost more than elsewhere, because what runs is stopped with its caches warm, or less, because
// with many under way one wake-up serves several.
func growth(steps []result.Step, r result.Resource, d Demand) float64 {
	var tt, te float64
	for _, s := range steps {
		used, ok := total(s, r)
		t := throttled(s)
		if !ok || !fits(s) && s.Purpose != result.PurposeProof && s.Purpose != result.PurposeBaseline || t == 0 ||
			s.Throughput == 0 {
			continue
		}
		excess := (used-d.Idle)/s.Throughput/d.Seconds.Value - 1
		tt, te = tt+t*t, te+t*excess
	}
	if tt == 0 {
		return 0
	}
	return min(2, max(-.5, te/tt))
}
