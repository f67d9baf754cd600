package forecast

import (
	"cmp"
	"math"
	"slices"

	"shoplab/lab/result"
)

// Crowding is how a demand changes with the requests in flight: less where one wake-up of an event loop, or one write
// to a log, serves several of them, more where they push each other's data out of a core's caches.
type Crowding struct {
	// PerFold is by what share of itself, each time that e times as many are in flight.
	PerFold float64
	// UpTo is the most that it was measured with; with more it stays what it is with those.
	UpTo int
}

// leastTimes is what is left of a demand at least, whatever a line through a few steps says.
const leastTimes = 0.1

// Times is the demand with n requests in flight, over that with one.
func (c Crowding) Times(n int) float64 {
	if c.PerFold == 0 {
		return 1
	}
	return max(leastTimes, 1+c.PerFold*logarithm(min(n, c.UpTo)))
}

// logarithms are the natural ones of the first numbers, which a simulation asks for at every step of a request.
var logarithms = func() (all [512]float64) {
	for i := range all {
		all[i] = math.Log(float64(max(1, i)))
	}
	return all
}()

// logarithm is that of a number from one on; 0 of less.
func logarithm(n int) float64 {
	if n < len(logarithms) {
		return logarithms[max(0, n)]
	}
	return math.Log(float64(n))
}

// crowding is the slope of the demand's excess over the logarithm of the requests in flight, which are throughput times
// mean latency by Little's law, over all steps of ordinary load, saturated ones too. A request counts as asked says.
// The slope has the least absolute errors, which makes it the median of the steps' own, each weighted by its logarithm:
// a step in which the whole machine was slow does not turn it.
func crowding(steps []result.Step, r result.Resource, d Demand, asked func(result.Step) float64) Crowding {
	type slope struct{ perFold, weight float64 }
	var all []slope
	var weights, most float64
	for _, s := range steps {
		used, ok := total(s, r)
		if !ok || !fits(s) || s.Latency == nil {
			continue
		}
		inFlight := s.Throughput * s.Latency.MeanMS / 1000
		l := math.Log(max(1, inFlight))
		if l == 0 {
			continue
		}
		excess := (used-d.Idle)/asked(s)/d.Seconds.Value - 1
		all = append(all, slope{excess / l, l})
		weights, most = weights+l, max(most, inFlight)
	}
	slices.SortFunc(all, func(a, b slope) int { return cmp.Compare(a.perFold, b.perFold) })
	below := 0.0
	for _, s := range all {
		if below += s.weight; below >= weights/2 {
			return Crowding{PerFold: s.perFold, UpTo: int(most + .5)}
		}
	}
	return Crowding{}
}
