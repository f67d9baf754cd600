package cost

import "math"

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
}

// peakFactor is how far a busy hour stands above the month's average; an option must carry the
// busy hour. Assumption: a shop's traffic falls into 8 of 24 hours.
const peakFactor = 3

// Carries tells whether the option keeps its objective in the busy hour of such a month.
func (o Option) Carries(requestsPerMonth float64) bool {
	return o.MaxRate == 0 || requestsPerMonth/(HoursPerMonth*3600)*peakFactor <= o.MaxRate
}

// At prices the option at a monthly volume.
func (o Option) At(t Table, u Usage, requestsPerMonth float64) Point {
	u.Requests = requestsPerMonth
	e := t.Of(o.Graph, u)
	success := o.SuccessRate
	if success == 0 {
		success = 1
	}
	return Point{
		Option: o.Name, Requests: requestsPerMonth, Monthly: e.Monthly(),
		PerRequest: e.PerRequest() / success,
	}
}

// Volumes are the monthly request counts of a crossover: from 10 thousand to 10 billion, three a
// decade.
func Volumes() []float64 {
	var out []float64
	for exp := 4.0; exp <= 10; exp += 1.0 / 3 {
		out = append(out, math.Round(math.Pow(10, exp)))
	}
	return out
}

// Cheapest returns, for each volume, the option with the lowest cost per successful request among
// those that carry it. A volume that nobody carries is left out.
func Cheapest(t Table, u Usage, options []Option, volumes []float64) []Point {
	var out []Point
	for _, v := range volumes {
		var best *Point
		for _, o := range options {
			if !o.Carries(v) {
				continue
			}
			if p := o.At(t, u, v); best == nil || p.PerRequest < best.PerRequest {
				best = &p
			}
		}
		if best != nil {
			out = append(out, *best)
		}
	}
	return out
}
