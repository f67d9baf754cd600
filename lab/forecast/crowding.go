package forecast

import (
	"math"

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
// mean latency by Little's law, over all steps of ordinary load, saturated ones too.
func crowding(steps []result.Step, r result.Resource, d Demand) Crowding {
	var ll, le, most float64
	for _, s := range steps {
		used, ok := total(s, r)
		if !ok || !fits(s) || s.Latency == nil {
			continue
		}
		inFlight := s.Throughput * s.Latency.MeanMS / 1000
		l := math.Log(max(1, inFlight))
		excess := (used-d.Idle)/s.Throughput/d.Seconds.Value - 1
		ll, le, most = ll+l*l, le+l*excess, max(most, inFlight)
	}
	if ll == 0 {
		return Crowding{}
	}
	return Crowding{PerFold: le / ll, UpTo: int(most + .5)}
}
