package cost

import (
	"maps"
	"math"
	"slices"
)

// Option is a stage as the crossover sees it: a graph, and how much it was measured to carry.
type Option struct {
	Name  string
	Graph Graph
	// MaxRate is the highest arrival rate in requests a second that kept the objective; 0 if that
	// was not measured, and then no volume is too much for it.
	MaxRate float64
	// SuccessRate is the share of requests that succeeded, 0..1; 0 if not measured.
	SuccessRate float64
}

// Point is what one option costs at one volume.
type Point struct {
	Option     string  `json:"option"`
	Requests   float64 `json:"requests"` // a month
	Monthly    float64 `json:"monthly_usd"`
	PerRequest float64 `json:"per_request_usd"` // per successful request
	// Carried tells whether the option keeps its objective in the busy hour of such a month.
	Carried bool `json:"carried"`
	// Instances is how many the option has at that volume, where it scales; 0 where it was priced as it is.
	Instances int `json:"instances,omitempty"`
}

// PeakFactor is how far a busy hour stands above the month's average; an option must carry the
// busy hour. Assumption: a shop's traffic falls into 8 of 24 hours.
const PeakFactor = 3

// Carries tells whether the option keeps its objective in the busy hour of such a month.
func (o Option) Carries(requestsPerMonth float64) bool {
	return o.MaxRate == 0 || BusyRate(requestsPerMonth) <= o.MaxRate
}

// SecondsPerMonth is HoursPerMonth in seconds.
const SecondsPerMonth = HoursPerMonth * 3600

// BusyRate is the requests a second of a busy hour of a month with so many requests.
func BusyRate(requestsPerMonth float64) float64 {
	return requestsPerMonth / SecondsPerMonth * PeakFactor
}

// Curve prices the option at each monthly volume.
func (t Table) Curve(o Option, u Usage, volumes []float64) []Point {
	success := o.SuccessRate
	if success == 0 {
		success = 1
	}
	var out []Point
	for _, v := range volumes {
		u.Requests = v
		e := t.Of(o.Graph, u)
		out = append(out, Point{
			Option: o.Name, Requests: v, Monthly: e.Monthly(),
			PerRequest: e.PerRequest() / success, Carried: o.Carries(v),
		})
	}
	return out
}

// Volumes are the monthly request counts of a crossover: from 10 thousand to 10 billion, three a
// decade.
func Volumes() []float64 {
	var out []float64
	for i := range 19 {
		out = append(out, math.Round(math.Pow(10, 4+float64(i)/3)))
	}
	return out
}

// Cheapest returns, for each volume in ascending order, the point with the lowest cost per
// successful request among those that are carried. A volume that nobody carries is left out.
func Cheapest(curves ...[]Point) []Point {
	best := map[float64]Point{}
	for _, curve := range curves {
		for _, p := range curve {
			if b, ok := best[p.Requests]; p.Carried && (!ok || p.PerRequest < b.PerRequest) {
				best[p.Requests] = p
			}
		}
	}
	var out []Point
	for _, v := range slices.Sorted(maps.Keys(best)) {
		out = append(out, best[v])
	}
	return out
}
