package forecast

import (
	"cmp"
	"math"
	"slices"
)

// Station is a queue with servers that are alike. Servers of 0 is a delay: nobody waits.
type Station struct {
	Demand  float64 // seconds of one server that a request takes
	Servers int
}

// Mean are the mean values of a closed network.
type Mean struct {
	Throughput float64   // requests a second
	Response   float64   // seconds, without the think time
	Queue      []float64 // requests at each station, those being served included
}

// MVA is exact mean value analysis of a closed network of stations with users who think between requests
// (M. Reiser, S. Lavenberg, Mean-Value Analysis of Closed Multichain Queuing Networks, 1980; stations of
// several servers as in E. Lazowska and others, Quantitative System Performance, 1984, ch. 20). Service
// times are exponential, or the servers are shared.
func MVA(stations []Station, think float64, users int) Mean {
	queue := make([]float64, len(stations))
	idle := make([][]float64, len(stations)) // idle[k][j]: the probability of j requests, for j < servers
	for k, s := range stations {
		if s.Servers > 1 {
			idle[k] = make([]float64, s.Servers)
			idle[k][0] = 1
		}
	}
	mean := Mean{Queue: queue}
	for n := 1; n <= users; n++ {
		response, at := 0.0, make([]float64, len(stations))
		for k, s := range stations {
			at[k] = s.residence(queue[k], idle[k])
			response += at[k]
		}
		x := float64(n) / (think + response)
		for k, s := range stations {
			queue[k] = x * at[k]
			s.occupy(x, idle[k])
		}
		mean.Throughput, mean.Response = x, response
	}
	return mean
}

// residence is the time that an arriving request spends at the station, which it finds as it would be
// with one user less.
func (s Station) residence(queue float64, idle []float64) float64 {
	switch s.Servers {
	case 0:
		return s.Demand
	case 1:
		return s.Demand * (1 + queue)
	}
	wait := 1 + queue
	for j := range s.Servers - 1 {
		wait += float64(s.Servers-1-j) * idle[j]
	}
	return s.Demand / float64(s.Servers) * wait
}

// occupy carries the probabilities of few requests on to one user more.
func (s Station) occupy(x float64, idle []float64) {
	if s.Servers < 2 {
		return
	}
	busy := s.Demand * x
	before := slices.Clone(idle)
	rest := busy
	for j := 1; j < s.Servers; j++ {
		idle[j] = busy / float64(j) * before[j-1]
		rest += float64(s.Servers-j) * idle[j]
	}
	idle[0] = max(0, 1-rest/float64(s.Servers))
}

// stations are the machines as a closed network without quotas in periods: a machine of 1.5 CPUs is one
// server that is half as fast again. What is within another machine counts there.
func (n Network) stations() []Station {
	all := []Station{{Demand: n.Delay + n.Instances[0].HeldDelay}}
	demands := n.demands(1)
	for m, d := range demands {
		if n.Machines[m].Within >= 0 || d == 0 {
			continue
		}
		limit := n.limit(m)
		servers := max(1, int(math.Floor(limit)))
		all = append(all, Station{Demand: d * float64(servers) / limit, Servers: servers})
	}
	return all
}

// Mean is the network with users in a closed loop, by mean value analysis: without pools, quotas in
// periods and demand that changes with the load, which only a simulation has.
func (n Network) Mean(users int, think float64) Mean { return MVA(n.stations(), think, users) }

func sortLimits(all []Limit) {
	slices.SortStableFunc(all, func(a, b Limit) int { return cmp.Compare(a.Rate, b.Rate) })
}
