package forecast

import (
	"math"
	"slices"

	"shoplab/lab/cost"
)

// most is how many instances the setting may have.
func (s Setting) most() int {
	n := *s.Config.Instances
	if s.Config.MaxInstances != nil {
		n = max(n, *s.Config.MaxInstances)
	}
	return n
}

// Capacity is the highest rate that keeps the objective with so many instances. Simulated are the instances that
// the stage starts with and the most that it may have; between them its limit counts, and the share of it that the
// worse of the two reaches.
func (s Stage) Capacity(instances int) (float64, error) {
	n, err := s.Setting.with(instances)
	if err != nil {
		return 0, err
	}
	share := s.Answer.Rate.Value / s.Answer.First.Rate
	if instances > s.Answer.Instances {
		share = min(share, s.Scaled.Rate.Value/s.Scaled.First.Rate)
	}
	return n.Limits()[0].Rate * share, nil
}

// CostCurve is what the stage costs a month at volumes of requests, with the instances that its busy hour takes:
// no fewer than it starts with, no more than it may have. A volume that they cannot carry is not carried. faster is
// by how much more than forecast they carry, 1 for the forecast itself.
func (s Stage) CostCurve(volumes []float64, faster float64) ([]cost.Point, error) {
	var capacities []float64 // from the start on
	for i := s.Answer.Instances; i <= s.Setting.most(); i++ {
		c, err := s.Capacity(i)
		if err != nil {
			return nil, err
		}
		capacities = append(capacities, c*faster)
	}
	var all []cost.Point
	for _, v := range volumes {
		more := slices.IndexFunc(capacities, func(c float64) bool { return cost.BusyRate(v) <= c })
		p := cost.Point{Option: s.Measured.Name, Requests: v, Carried: more >= 0, Instances: s.Answer.Instances + more}
		if more < 0 {
			p.Instances = s.Answer.Instances + len(capacities) - 1
		}
		usd, ok := Monthly(s.Measured, v/cost.SecondsPerMonth, p.Instances)
		if !ok {
			return nil, nil
		}
		p.Monthly, p.PerRequest = usd, usd/v
		all = append(all, p)
	}
	return all, nil
}

// Volumes are requests a month from ten thousand to ten billion, so close that a crossing is between two of them.
func Volumes() []float64 {
	const perDecade, decades = 60, 6
	var all []float64
	for i := range perDecade*decades + 1 {
		all = append(all, math.Pow(10, 4+float64(i)/perDecade))
	}
	return all
}

// Crossing is where the totals of two stages cross: beyond it the second is the cheaper, or alone in carrying that.
type Crossing struct {
	From, To string
	// Requests a month, with the interval that the forecasts' give.
	Requests, Low, High float64
	// Ends says that From carries no more, and not that it costs more.
	Ends bool
}

// Crossings are where the cheapest stage changes as traffic grows, by the stages' cost curves with scaling. Only
// stages whose forecast decides, and that have a price, take part.
func Crossings(stages []Stage) ([]Crossing, error) {
	value, err := crossings(stages, func(Stage) float64 { return 1 })
	if err != nil {
		return nil, err
	}
	for _, side := range []func(Stage) float64{
		func(s Stage) float64 { return s.Answer.Rate.Low / s.Answer.Rate.Value },
		func(s Stage) float64 { return s.Answer.Rate.High / s.Answer.Rate.Value },
	} {
		other, err := crossings(stages, side)
		if err != nil {
			return nil, err
		}
		for i := range value {
			for _, o := range other {
				if c := &value[i]; o.From == c.From && o.To == c.To {
					c.Low, c.High = min(c.Low, o.Requests), max(c.High, o.Requests)
				}
			}
		}
	}
	return value, nil
}

func crossings(stages []Stage, faster func(Stage) float64) (all []Crossing, err error) {
	var curves [][]cost.Point
	ends := map[string]float64{} // the most that a stage carries
	for _, s := range stages {
		if !s.Decides() {
			continue
		}
		curve, err := s.CostCurve(Volumes(), faster(s))
		if err != nil {
			return nil, err
		}
		curves = append(curves, curve)
		for _, p := range curve {
			if p.Carried {
				ends[s.Measured.Name] = p.Requests
			}
		}
	}
	best := cost.Cheapest(curves...)
	for i := 1; i < len(best); i++ {
		if a, b := best[i-1], best[i]; a.Option != b.Option {
			v := math.Sqrt(a.Requests * b.Requests)
			all = append(all, Crossing{
				From: a.Option, To: b.Option, Requests: v, Low: v, High: v, Ends: ends[a.Option] <= a.Requests,
			})
		}
	}
	return all, nil
}
