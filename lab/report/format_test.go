package report

import (
	"testing"

	"shoplab/lab/result"
)

// A repeat in which the generator was late before the stage gave out is a lower bound. It is one of all where no other
// found more; where another did, the interpolation over them says it.
func TestRateOfACensoredRepeat(t *testing.T) {
	at := func(rate float64) *float64 { return &rate }
	o := result.OpenLoop{
		RatePerSecond: at(2000), NotReachedUpTo: at(1500),
		Interpolated: &result.Interval{Value: 2100, Low: 1900, High: 2300},
		Searches:     []result.Search{{LastGood: at(2000), FirstBad: at(2200)}, {LastGood: at(1500)}},
	}
	s := result.Stage{OpenLoop: &o, Validity: &result.Validity{Valid: true}}
	if got := rate(s).Text; got != "2,100/s (1,900-2,300)" {
		t.Errorf("%q with a repeat that found 2,000", got)
	}
	o.Searches = o.Searches[1:]
	if got := rate(s).Text; got != "over 1,500/s" {
		t.Errorf("%q where nothing gave out", got)
	}
}
