// Package stats has the few statistics that several rooms of the laboratory share.
package stats

import (
	"math"
	"slices"
	"strconv"
)

// Percentile is the nearest-rank percentile q (0 to 1) of sorted values: the smallest value that at
// least that share of all values does not exceed. NaN for none.
func Percentile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(q*float64(len(sorted)) - 1e-9)) // 0.95*20 is 19, not a hair above
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Median is the middle of the values, the mean of the two middle ones for an even count; NaN for
// none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// Range is the median of some figures, with the lowest and the highest where they differ: "12 (10-15)"; "" for none.
func Range(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	show := func(v float64) string {
		if v < 10 && v != math.Trunc(v) {
			return strconv.FormatFloat(v, 'f', 1, 64)
		}
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	median, low, high := show(Median(values)), show(slices.Min(values)), show(slices.Max(values))
	if low == high {
		return median
	}
	return median + " (" + low + "-" + high + ")"
}
