package faults

import (
	"testing"

	"shoplab/lab/load"
)

func TestWarmed(t *testing.T) {
	for _, test := range []struct {
		name     string
		goodputs []float64
		best     float64
		runs     int
	}{
		{"agrees at once", []float64{1000, 950}, 1000, 2},
		{"disturbed at first", []float64{120, 1000, 1040}, 1040, 3},
		{"disturbed later", []float64{1000, 300, 980}, 1000, 3},
		{"never agrees", []float64{100, 200, 400, 800, 1600}, 1600, mostWarmUps},
		{"does nothing", []float64{0, 0, 0, 0, 0}, 0, mostWarmUps},
	} {
		runs := 0
		best, err := warmed(load.Load{Users: 50}, func(load.Load) (float64, error) {
			runs++
			return test.goodputs[runs-1], nil
		})
		if err != nil || best != test.best || runs != test.runs {
			t.Errorf("%s: %v after %d runs (%v), want %v after %d", test.name, best, runs, err, test.best, test.runs)
		}
	}
	if _, err := warmed(load.Load{Rate: 20}, func(load.Load) (float64, error) { return 20, nil }); err != nil {
		t.Error(err)
	}
}
