package forecast

import (
	"math"

	"shoplab/lab/result"
)

// Outcome is what a simulation saw, in seconds.
type Outcome struct {
	Throughput  float64 // requests a second
	Mean, P95   float64
	Utilization []float64 // of each machine, as a share of its cores or quota
	PoolWait    float64   // mean seconds that a request waited for a connection
	PoolUse     float64   // share of all connections in use, on average
	Throttled   []float64 // share of each machine's periods in which its quota ran out
	Refused     float64   // share of the requests
}

// Keeps says whether the objective is kept.
func (o Outcome) Keeps(g result.Objective) bool {
	return o.P95*1000 <= g.P95MS && o.Refused <= g.MaxErrorRatio
}

func (s *simulation) outcome() Outcome {
	out := Outcome{Utilization: make([]float64, len(s.cores)), Throttled: make([]float64, len(s.cores))}
	seconds := s.now - s.began
	if len(s.times) == 0 || seconds <= 0 {
		return out
	}
	out.Throughput = float64(len(s.times)) / seconds
	for _, t := range s.times {
		out.Mean += t / float64(len(s.times))
	}
	out.P95 = percentile(s.times, .95)
	for m, c := range s.cores {
		out.Utilization[m] = c.used / seconds / min(float64(s.net.Machines[m].Cores), s.net.Machines[m].CPUs)
		if c.periods > 0 {
			out.Throttled[m] = c.stopped / c.periods
		}
	}
	connections := 0
	for i, p := range s.pools {
		out.PoolUse += p.used / seconds
		out.PoolWait += (p.waited + s.locks[i].waited) / float64(len(s.times))
		connections += s.net.Instances[i].Pool
	}
	if connections > 0 {
		out.PoolUse /= float64(connections)
	}
	out.Refused = float64(s.turnedAway) / float64(len(s.times))
	return out
}

// percentile is the nearest rank of a share of the values, as stats.Percentile has it of sorted ones. It puts them in
// order around that rank only, as C. Hoare's FIND does, which takes a tenth of the time of sorting them all.
func percentile(values []float64, q float64) float64 {
	rank := min(max(int(math.Ceil(q*float64(len(values))-1e-9)), 1), len(values)) - 1
	for low, high := 0, len(values)-1; low < high; {
		pivot, i, j := values[(low+high)/2], low, high
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case rank <= j:
			high = j
		case rank >= i:
			low = i
		default:
			return values[rank]
		}
	}
	return values[rank]
}
