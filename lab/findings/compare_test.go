package findings

import (
	"testing"

	"shoplab/lab/result"
)

func TestByRatio(t *testing.T) {
	for _, c := range []struct {
		measured, claimed float64
		want              result.FindingStatus
	}{
		{2.9, 3, result.FindingReproduced},
		{2.0, 3, result.FindingReproduced},
		{1.5, 3, result.FindingWeaker},
		{1.05, 3, result.FindingNotReproduced},
		{.5, 3, result.FindingNotReproduced},
		{.05, .08, result.FindingReproduced},
		{.3, .08, result.FindingWeaker},
		{.95, .08, result.FindingNotReproduced},
	} {
		if got := byRatio(&c.measured, c.claimed); got != c.want {
			t.Errorf("x%g of a claimed x%g: %q, want %q", c.measured, c.claimed, got, c.want)
		}
	}
	if byRatio(nil, 3) != result.FindingNotReproduced {
		t.Error("nothing measured reproduces nothing")
	}
}
