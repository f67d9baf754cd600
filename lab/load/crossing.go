package load

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// resamples is how often the bootstrap draws the probes again.
const resamples = 1000

// crossing is the level at which p95 crosses the objective, interpolated over all probes of all searches,
// with the 95% interval of the bootstrap; nil where no probe is on one of the sides.
func crossing(searches []result.Search, o result.Objective) *result.Interval {
	var probes []result.Probe
	for _, s := range searches {
		probes = append(probes, s.Probes...)
	}
	value, ok := cross(probes, o)
	if !ok {
		return nil
	}
	rng := rand.New(rand.NewPCG(17, 19)) //nolint:gosec // reproducible on purpose
	var draws []float64
	again := make([]result.Probe, len(probes))
	for range resamples {
		for i := range again {
			again[i] = probes[rng.IntN(len(probes))]
		}
		if v, ok := cross(again, o); ok {
			draws = append(draws, v)
		}
	}
	slices.Sort(draws)
	return &result.Interval{
		Value: value, Low: min(value, stats.Percentile(draws, .025)), High: max(value, stats.Percentile(draws, .975)),
	}
}

// cross is where the probes' p95, made to rise with the level, crosses the objective. Levels in between are
// interpolated on the logarithm of p95. A probe that missed the objective by its errors counts as twice as
// slow as it may be.
func cross(probes []result.Probe, o result.Objective) (float64, bool) {
	type point struct{ level, y, n float64 } // y is the logarithm of p95 over the objective
	var all []point
	for _, p := range probes {
		y := math.Ln2
		if p.P95MS != nil && *p.P95MS > 0 {
			y = math.Log(*p.P95MS / o.P95MS)
			if !p.Kept && y <= 0 {
				y = math.Ln2
			}
		}
		all = append(all, point{p.Level, y, 1})
	}
	slices.SortFunc(all, func(a, b point) int { return cmp.Compare(a.level, b.level) })
	// Pool adjacent violators: the least squares that never fall.
	var risen []point
	for _, p := range all {
		risen = append(risen, p)
		for n := len(risen); n > 1 && risen[n-2].y >= risen[n-1].y; n = len(risen) {
			a, b := risen[n-2], risen[n-1]
			sum := a.n + b.n
			risen = append(risen[:n-2], point{(a.level*a.n + b.level*b.n) / sum, (a.y*a.n + b.y*b.n) / sum, sum})
		}
	}
	for i := 1; i < len(risen); i++ {
		a, b := risen[i-1], risen[i]
		if a.y <= 0 && b.y > 0 {
			return a.level + (b.level-a.level)*(0-a.y)/(b.y-a.y), true
		}
	}
	return 0, false
}
