package result

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shoplab/lab/stats"
)

// Whatever is recorded, in one histogram or in two that are merged and read back from JSON: a percentile is within
// 0.1% of the exact one.
func TestMergedHistogramsHaveTheExactPercentiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.SliceOfN(rapid.Int64Range(0, HistogramMax.Microseconds()), 1, 300).Draw(t, "microseconds")
		parts := []*Histogram{NewHistogram(3), NewHistogram(3)}
		var exact []float64
		for i, us := range micros {
			parts[i%2].Record(time.Duration(us) * time.Microsecond)
			exact = append(exact, float64(us)/1000)
		}
		slices.Sort(exact)
		data, err := json.Marshal(parts)
		if err != nil {
			t.Fatal(err)
		}
		var read []*Histogram
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		all := NewHistogram(3)
		for _, h := range read {
			all.Merge(h)
		}
		all.Merge(nil)
		if all.Count() != len(micros) {
			t.Fatalf("%d of %d", all.Count(), len(micros))
		}
		for _, q := range []float64{.5, .9, .95, .99, 1} {
			want, got := stats.Percentile(exact, q), all.Percentile(q)
			if math.Abs(got-want) > want/1000 {
				t.Fatalf("p%g is %g, want %g", q*100, got, want)
			}
		}
		sum := 0
		for _, b := range all.Buckets() {
			sum += b.Count
		}
		if sum != len(micros) {
			t.Fatalf("the buckets hold %d of %d", sum, len(micros))
		}
		if l := all.Latency(); l.MaxMS < l.P99MS || l.Histogram != all {
			t.Fatalf("%+v", l)
		}
	})
}

func TestHistogramsOfBadText(t *testing.T) {
	for _, text := range []string{`"x"`, `"AAAA"`, `""`} {
		var h Histogram
		if err := json.Unmarshal([]byte(text), &h); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
	if l := NewHistogram(2).Latency(); l != nil || !math.IsNaN(NewHistogram(2).Percentile(.5)) {
		t.Errorf("of nothing: %+v", l)
	}
	h := NewHistogram(2)
	h.Record(-time.Second)
	h.Record(24 * time.Hour)
	if h.Count() != 2 || h.Percentile(.5) != 0 || h.Percentile(1) < .99*float64(HistogramMax.Milliseconds()) {
		t.Errorf("out of bounds: %v", h.Buckets())
	}
}

// What takes exactly as long as an objective allows keeps it.
func TestAPercentileIsNoLongerThanWhatWasRecorded(t *testing.T) {
	for _, digits := range []int{2, 3} {
		for _, us := range []int64{1, 999, 2047, 2048, 100_000, 500_000, 2_000_000} {
			h := NewHistogram(digits)
			d := time.Duration(us) * time.Microsecond
			h.Record(d)
			exact := float64(us) / 1000
			if got := h.Percentile(.95); got > exact || got < exact*(1-math.Pow10(-digits)) {
				t.Errorf("%d digits: %s is given as %g ms", digits, d, got)
			}
		}
	}
}
