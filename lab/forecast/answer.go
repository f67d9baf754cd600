package forecast

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sync"

	"shoplab/lab/result"
)

// Answer is what a stage is forecast to carry on AWS within the objective.
type Answer struct {
	Stage, Topology string
	Instances       int
	// Rate is requests a second at the objective, bursting; Sustained is the same with what the hourly
	// price of burstable machines has.
	Rate, Sustained result.Interval
	// Response is the mean seconds of a request at Rate.
	Response float64
	// First is what gives out, Next what would be next: at Behind times the rate.
	First, Next Limit
	Behind      float64
}

// Shoppers is how many users who think between requests send the rate, by Little's law.
func (a Answer) Shoppers(think float64) float64 { return a.Rate.Value * (think + a.Response) }

// simulated is how many requests a simulation answers: enough for a p95 to within some percent.
const simulated = 6000

// HighestRate is the highest rate of arrivals whose p95 keeps to the objective, and the outcome there.
func (n Network) HighestRate(o result.Objective) (float64, Outcome) {
	most := n.bound()
	if most == 0 {
		return 0, Outcome{}
	}
	low, high, best := 0.0, 1.0, Outcome{}
	for range 6 {
		share := (low + high) / 2
		if low == 0 && high == 1 {
			share = .9 // where it mostly is
		}
		if out, ok := n.keeps(Load{Rate: share * most}, simulated, o); ok {
			low, best = share, out
		} else {
			high = share
		}
	}
	return low * most, best
}

// mostUsers is the least number of users in a closed loop without thinking at which p95 misses the
// objective, as the laboratory's searches look for; 0 where more than most keep it. The search begins near a number;
// with 0 by Little's law at as many as are in flight when the mean answer takes a third of the objective.
//
// With it come the requests a second of each number of users that was tried.
func (n Network) mostUsers(o result.Objective, most, near int) (int, curve) {
	var x, y []float64 // users, and by what share p95 misses the objective
	tried, refuses := curve{}, false
	misses := func(users int) bool {
		out := n.Simulate(Load{Users: users}, max(simulated, 4*users))
		x, y = append(x, float64(users)), append(y, out.P95*1000/o.P95MS-1)
		tried[float64(users)] = out.Throughput
		refuses = refuses || out.Refused > o.MaxErrorRatio
		return !out.Keeps(o)
	}
	if limits := n.Limits(); near == 0 && len(limits) > 0 {
		near = int(min(float64(most), limits[0].Rate*o.P95MS/3000))
	}
	good, bad, step := 0, max(1, min(near, n.room(), most)), stepOut
	for ; !misses(bad); step *= step {
		if good = bad; bad >= most {
			return 0, tried
		}
		bad = int(min(math.Ceil(float64(bad)*step), float64(most)))
	}
	for step = stepOut; good == 0 && bad > 1; step *= step {
		if lower := max(1, int(float64(bad)/step)); misses(lower) {
			bad = lower
		} else {
			good = lower
		}
	}
	for bad-good > max(1, good/25) { // what is between is read off the line
		if middle := (good + bad) / 2; misses(middle) {
			bad = middle
		} else {
			good = middle
		}
	}
	if refuses { // which begins at once
		return bad, tried
	}
	return crossing(x, y, bad), tried
}

// curve is a throughput, requests a second, by the number of users.
type curve map[float64]float64

// at reads a number of users off the line between the two next to it; false outside of all.
func (c curve) at(users float64) (float64, bool) {
	levels := slices.Sorted(maps.Keys(c))
	i, found := slices.BinarySearch(levels, users)
	switch {
	case found:
		return c[users], true
	case i == 0 || i == len(levels):
		return 0, false
	}
	low, high := levels[i-1], levels[i]
	return c[low] + (c[high]-c[low])*(users-low)/(high-low), true
}

// stepOut is by what factor a search goes on until it has found both sides; the next step is that factor squared.
const stepOut = 1.2

// room is how many requests the instances handle at once before they refuse any.
func (n Network) room() int {
	all := 0
	for _, i := range n.Instances {
		if i.Concurrency == 0 {
			return math.MaxInt
		}
		all += i.Concurrency
	}
	return all
}

// crossing is where the line through the simulations around a number of users crosses zero, which is less a matter of
// chance than where one of them did; the number itself, where too few tell a line.
func crossing(x, y []float64, near int) int {
	const around = 1.4
	var n, mx, my, xx, xy float64
	each := func(do func(x, y float64)) {
		for i := range x {
			if x[i]*around >= float64(near) && x[i] <= around*float64(near) {
				do(x[i], y[i])
			}
		}
	}
	each(func(x, y float64) { n, mx, my = n+1, mx+x, my+y })
	mx, my = mx/n, my/n
	each(func(x, y float64) { xx, xy = xx+(x-mx)*(x-mx), xy+(x-mx)*(y-my) })
	if n < 4 || xy <= 0 {
		return near
	}
	return int(math.Ceil(max(float64(near)/around, min(float64(near)*around, mx-my*xx/xy))))
}

// Answer forecasts the setting.
func (s Setting) Answer(name string, o result.Objective) (Answer, error) {
	a := Answer{Stage: name, Topology: s.Topology}
	n, err := Build(s)
	if err != nil {
		return a, err
	}
	baseline := s
	baseline.Sustained = true
	m, err := Build(baseline)
	if err != nil {
		return a, err
	}
	var sustained float64
	var wg sync.WaitGroup
	wg.Go(func() { sustained, _ = m.HighestRate(o) })
	rate, out := n.HighestRate(o)
	wg.Wait()
	a.Instances, a.Response = len(n.Instances), out.Mean
	limits := n.Limits()
	a.First = limits[0]
	a.Behind = math.Inf(1)
	if a.Next = (Limit{Name: "nothing"}); len(limits) > 1 {
		for _, l := range limits[1:] {
			if kind(l.Name) != kind(a.First.Name) { // another server of the same kind is no other limit
				a.Next, a.Behind = l, l.Rate/a.First.Rate
				break
			}
		}
	}
	a.Rate = s.interval(rate, a.First.Rate)
	// Where nothing is burstable both are the same, but for what a search leaves open.
	a.Sustained = baseline.interval(min(sustained, rate), m.Limits()[0].Rate)
	return a, nil
}

// kind is a machine's name without its number.
func kind(name string) string {
	for i, r := range name {
		if r == '-' && i+1 < len(name) && name[i+1] >= '0' && name[i+1] <= '9' {
			return name[:i]
		}
	}
	return name
}

// interval carries the intervals of the demands and of a core's speed to the rate, which is inverse to
// them as its limit is.
func (s Setting) interval(rate, limit float64) result.Interval {
	at := func(speed float64, pick func(result.Interval) float64) float64 {
		t := s
		t.Speed = speed
		t.Demands.Parts = nil
		for _, d := range s.Demands.Parts {
			d.Seconds.Value = pick(d.Seconds)
			t.Demands.Parts = append(t.Demands.Parts, d)
		}
		t.Demands.Hold.Value = pick(s.Demands.Hold)
		n, err := Build(t)
		if err != nil || limit == 0 {
			return rate
		}
		return rate * n.Limits()[0].Rate / limit
	}
	speed := cmp.Or(s.Speed, 1)
	low, high := speed, speed
	if s.Host == nil {
		low, high = speed*CoreSpeed.Value.Low/CoreSpeed.Value.Value, speed*CoreSpeed.Value.High/CoreSpeed.Value.Value
	}
	return result.Interval{
		Value: rate,
		Low:   min(rate, at(low, func(i result.Interval) float64 { return i.High })),
		High:  max(rate, at(high, func(i result.Interval) float64 { return cmp.Or(i.Low, i.Value) })),
	}
}

// InstancesFor is the fewest instances, up to the most that the stage may have, that keep the objective at
// the rate; 0 where none do, and then what bounds it with the most.
func (s Setting) InstancesFor(rate float64, o result.Objective) (int, Limit, error) {
	var bound Limit
	for i := 1; i <= s.most(); i++ {
		n, err := s.with(i)
		if err != nil {
			return 0, bound, err
		}
		bound = n.Limits()[0]
		if n.bound() <= rate {
			continue
		}
		if _, ok := n.keeps(Load{Rate: rate}, simulated, o); ok {
			return i, bound, nil
		}
	}
	return 0, bound, nil
}

// with is the network with so many instances, whose pools the database's connections bound.
func (s Setting) with(instances int) (Network, error) {
	s.Config.Instances = &instances
	if c := s.Config.DatabaseConnections; c != nil && s.Config.PoolPerInstance != nil {
		pool := max(1, min(*s.Config.PoolPerInstance, *c/instances))
		s.Config.PoolPerInstance = &pool
	}
	return Build(s)
}
