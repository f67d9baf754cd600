package findings

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"shoplab/lab/lambda"
	"shoplab/lab/result"
)

// TestArrivals: every request counts, and one that is not answered with 200 as failed; an end of the context ends it.
func TestArrivals(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1)%4 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	step := arrivals(t.Context(), server.URL, 400, 500*time.Millisecond)
	n := int(asked.Load())
	if step.Requests != n || n == 0 || step.Failed != n/4 || step.Loop != result.LoopOpen || step.Rate != 400 {
		t.Errorf("%d were asked, and the step has %+v", n, step)
	}
	if step.Latency == nil || step.Latency.MaxMS <= 0 || step.TimerLateMS == nil ||
		step.ErrorRatio != float64(step.Failed)/float64(n) {
		t.Errorf("the step has %+v", step)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the stage broke down"))
	if step := arrivals(ctx, server.URL, 1e-6, 1e6*time.Hour); step.Requests != 0 || step.Latency != nil {
		t.Errorf("after the end: %+v", step)
	}
}

// TestFunctionFigures: what a step says of a function.
func TestFunctionFigures(t *testing.T) {
	billed := billedTime(
		lambda.Stats{Invocations: 10, Billed: time.Second}, lambda.Stats{Invocations: 110, Billed: 1400 * time.Millisecond})
	cold := coldStarts([]time.Duration{time.Second, 3 * time.Second})
	step := result.Step{Requests: 100, Operations: []result.Operation{cold, billed}}
	p99 := func(l result.Latency) float64 { return l.P99MS }
	mean := func(l result.Latency) float64 { return l.MeanMS }
	for what, c := range map[string]struct {
		of   func(result.Step) *float64
		want float64
	}{
		"cold starts":         {coldShare, 2},
		"p99 of a cold start": {operation(opColdStart, p99), 3000},
		"billed":              {operation(opBilled, mean), 4},
	} {
		if got := c.of(step); got == nil || *got != c.want {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
		if got := c.of(result.Step{Requests: 100}); got != nil {
			t.Errorf("%s of tasks: %v", what, *got)
		}
	}
	if o := billedTime(lambda.Stats{}, lambda.Stats{}); o.Latency != nil {
		t.Errorf("of no event %v are billed", o.Latency)
	}
}

// TestFunctionOnAWS: what was measured lies within what AWS may bill, and a longer time costs more.
func TestFunctionOnAWS(t *testing.T) {
	r := &runner{plan: Plan{Root: "../.."}}
	low, high, err := r.onAWS(times{cpu: 2, billed: 4})
	if err != nil || low <= 2 || low >= 4 || high <= 4 {
		t.Errorf("4 ms are %v to %v ms on AWS (%v)", low, high, err)
	}
	short, err := r.month(4)
	if err != nil {
		t.Fatal(err)
	}
	long, err := r.month(4000)
	if err != nil {
		t.Fatal(err)
	}
	if *short.After.Median <= 0 || *long.After.Median <= *short.After.Median ||
		*long.Before.Median != *short.Before.Median {
		t.Errorf("4 ms a request cost %v, 4 s %v", short, long)
	}
}

// TestCompareArrivals: the finding's status is of the first comparison, its words of the first two.
func TestCompareArrivals(t *testing.T) {
	step := func(failed int) []result.Step {
		cold := []result.Operation{coldStarts([]time.Duration{time.Second})}
		return []result.Step{{Requests: 10, ErrorRatio: float64(failed) / 10, Operations: cold}}
	}
	list := compareArrivals(10, arrived{step(0), step(0)}, arrived{step(4), step(1)})
	if c := list[0]; *c.Before.Median != 40 || *c.After.Median != 10 || c.Unit != "%" {
		t.Errorf("failed: %+v", c)
	}
	if c := list[1]; *c.Before.Median != 10 || *c.After.Median != 10 {
		t.Errorf("cold: %+v", c)
	}
}
