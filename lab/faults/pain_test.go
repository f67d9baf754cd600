package faults

import (
	"math"
	"slices"
	"testing"
	"time"

	"shoplab/lab/load"
)

// A stage that answers ten requests a second, of which some fail: what one second of a wait stands for counts as often.
func TestJudge(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	moment := func(seconds float64) time.Time { return at.Add(time.Duration(seconds * float64(time.Second))) }
	var seen []load.Seen
	for n := range 100 {
		due := moment(float64(n)/10 - 2) // two seconds before the fault, eight after
		o := load.Seen{Operation: "list", Due: due, End: due.Add(5 * time.Millisecond)}
		switch since := due.Sub(at).Seconds(); {
		case since >= 1 && since < 3:
			o.Error = "502"
		case since >= 4 && since < 5:
			o.End = due.Add(time.Second) // answered, and late
		}
		seen = append(seen, o)
	}
	c := clock{{what: "boot", from: moment(2), to: moment(3), stands: 60 * time.Second}}
	run := judge(seen, at, moment(8), c, 10, load.DefaultObjective)
	if want := 1.0 + 60 + 1; math.Abs(run.MissedSeconds-want) > 1e-6 {
		t.Errorf("missed for %v s, want %v", run.MissedSeconds, want)
	}
	if want := 2.0 + 60 + 2; math.Abs(run.RecoverySeconds-want) > 1e-6 {
		t.Errorf("kept again after %v s, want %v", run.RecoverySeconds, want)
	}
	if want := 10.0 + 600; math.Abs(run.FailedRequests-want) > 1e-6 || run.Errors["502"] != 20 {
		t.Errorf("%v requests failed and %v were seen to, want %v and 20", run.FailedRequests, run.Errors, want)
	}
	if !run.Unavailable {
		t.Error("nothing was answered for two seconds, and yet it was available")
	}
	if len(run.Waits) != 1 || run.Waits[0].Seconds != 1 || run.Waits[0].Stands != 60 {
		t.Errorf("waits %+v", run.Waits)
	}
}

// What the end of a load broke off failed if it had waited for long, and says nothing otherwise.
func TestWhatTheEndBrokeOff(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old := load.Seen{Error: "canceled", Due: at, End: at.Add(3 * time.Second)}
	young := load.Seen{Error: "canceled", Due: at.Add(2900 * time.Millisecond), End: at.Add(3 * time.Second)}
	run := judge([]load.Seen{old, young}, at, at.Add(3*time.Second), nil, 1, load.DefaultObjective)
	if run.FailedRequests != 1 || run.Errors["no answer"] != 1 {
		t.Errorf("%v failed, %v; want the old one alone", run.FailedRequests, run.Errors)
	}
}

// What was under way when the fault came, and failed by it, counts; what had failed before does not.
func TestWhatWasUnderWay(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := load.Seen{Error: "502", Due: at.Add(-time.Second), End: at.Add(-time.Millisecond)}
	underWay := load.Seen{Error: "502", Due: at.Add(-time.Second), End: at.Add(time.Millisecond)}
	run := judge([]load.Seen{before, underWay}, at, at.Add(time.Second), nil, .1, load.DefaultObjective)
	if run.FailedRequests != 1 || run.MissedSeconds != 0 {
		t.Errorf("%v failed, missed for %v s; want the one under way, and no second", run.FailedRequests, run.MissedSeconds)
	}
}

// The beginning of a wait that is cut short counts as itself, and all of it as much as it stands for.
func TestTheBeginningOfAWait(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var i infliction
	i.stretch("boot", at, at.Add(3*time.Second), 2*time.Minute)
	if got := i.clock.between(at, at.Add(3*time.Second)); got.Round(time.Microsecond) != 2*time.Minute {
		t.Errorf("the wait stands for %s, want two minutes", got)
	}
	if i.clock.factor(at.Add(time.Second)) != 1 || i.clock.factor(at.Add(2*time.Second)) <= 1 {
		t.Errorf("its beginning counts %v, its end %v", i.clock.factor(at.Add(time.Second)),
			i.clock.factor(at.Add(2*time.Second)))
	}
}

// A piece of time neither reaches into a wait nor out of it.
func TestPieces(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := clock{{from: at.Add(1300 * time.Millisecond), to: at.Add(3300 * time.Millisecond), stands: time.Minute}}
	var got []time.Duration
	for _, cut := range c.pieces(at, at.Add(4*time.Second)) {
		got = append(got, cut.Sub(at))
	}
	want := []time.Duration{0, 1300 * time.Millisecond, 2300 * time.Millisecond, 3300 * time.Millisecond, 4 * time.Second}
	if !slices.Equal(got, want) {
		t.Errorf("cut at %v, want %v", got, want)
	}
}

func TestClock(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := clock{{from: at, to: at.Add(2 * time.Second), stands: 20 * time.Second}}
	if got := c.between(at.Add(-time.Second), at.Add(3*time.Second)); got != 22*time.Second {
		t.Errorf("%s, want 22s", got)
	}
	if got := c.between(at.Add(time.Second), at.Add(1500*time.Millisecond)); got != 5*time.Second {
		t.Errorf("%s, want 5s", got)
	}
	if c.factor(at.Add(-time.Millisecond)) != 1 || c.factor(at) != 10 || c.factor(at.Add(2*time.Second)) != 1 {
		t.Error("a stretch begins with its first moment and ends before its last")
	}
}
