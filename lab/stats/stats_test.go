package stats

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPercentileIsNearestRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1000), 1, 200).Draw(t, "values")
		q := float64(rapid.IntRange(1, 100).Draw(t, "q")) / 100
		slices.Sort(values)
		got := Percentile(values, q)
		var below, upTo int
		for _, v := range values {
			if v < got {
				below++
			}
			if v <= got {
				upTo++
			}
		}
		need := q * float64(len(values))
		if float64(upTo) < need-1e-6 || float64(below) >= need {
			t.Fatalf("P%g of %v = %g", q*100, values, got)
		}
	})
}
