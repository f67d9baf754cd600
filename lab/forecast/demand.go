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
	// Crowding is how the demand changes with the requests that are in flight.
	Crowding Crowding
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
	disturbing  = 0.2  // cores that neither the stage nor its load used, from which on a step is
	leastSteps  = 4
	draws       = 1000 // of the bootstrap
)

// Measure takes the demands from the steps of a stage, the searches' included.
func Measure(st result.Stage) (Demands, error) {
	var d Demands
	steps := undisturbed(st.Steps)
	free := below(steps)
	if distinct(free) < leastSteps {
		return d, fmt.Errorf("%s: %w: %d, want %d", st.Name, ErrTooFew, distinct(free), leastSteps)
	}
	d.fit(steps)
	if d.Of(PartService).Seconds.Value == 0 {
		return d, fmt.Errorf("%s: %w: the service's CPU was not watched", st.Name, ErrTooFew)
	}
	d.Instances, d.Pause = 1, pause(steps)
	if st.Config.Instances != nil {
		d.Instances = max(1, *st.Config.Instances)
	}
	if x, y := points(calm(free), result.ResourcePoolHeld); len(x) >= leastSteps {
		d.Hold, _ = slope(x, y)
	}
	if x, y := points(free, result.ResourceRoundTrips); len(x) >= leastSteps {
		d.RoundTrips, _ = slope(x, y)
	}
	if x, y := answers(free); len(x) >= leastSteps {
		d.Bytes, _ = slope(x, y)
	}
	d.Classes = classes(steps)
	return d, nil
}

// fit takes the parts' demands from the steps, of which what is used of a part is by the requests that ask it: where
// classes are told apart, one of a step that happened to have many sign-ins counts as more than one.
func (d *Demands) fit(steps []result.Step) {
	d.Parts = nil
	free := below(steps)
	for _, p := range parts {
		asked := func(s result.Step) float64 { return s.Throughput * d.work(s, p.name) }
		var x, y []float64
		for _, s := range free {
			if used, ok := total(s, p.resource); ok {
				x, y = append(x, asked(s)), append(y, used)
			}
		}
		if len(x) < leastSteps {
			continue
		}
		one := Demand{Part: p.name, Steps: len(x)}
		one.Seconds, one.Idle = slope(x, y)
		if one.Seconds.Value > 0 {
			one.Crowding = crowding(steps, p.resource, one, asked)
			d.Parts = append(d.Parts, one)
		}
	}
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
