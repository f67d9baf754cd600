package forecast

import (
	"slices"

	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// Outcome is what a simulation saw, in seconds.
type Outcome struct {
	Throughput          float64 // requests a second
	Mean, P50, P95, P99 float64
	Utilization         []float64 // of each machine, as a share of its cores or quota
	PoolWait            float64   // mean seconds that a request waited for a connection
	PoolUse             float64   // share of all connections in use, on average
	Throttled           []float64 // share of each machine's periods in which its quota ran out
	Refused             float64   // share of the requests
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
	slices.Sort(s.times)
	out.P50, out.P95, out.P99 = stats.Percentile(s.times, .5), stats.Percentile(s.times, .95),
		stats.Percentile(s.times, .99)
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
