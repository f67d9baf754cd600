package load

import (
	"strings"
	"testing"
	"time"

	"shoplab/lab/result"
)

func TestThresholds(t *testing.T) {
	step := result.Step{
		Throughput: 90, ErrorRatio: .02,
		Latency: &result.Latency{MeanMS: 100, P50MS: 80, P90MS: 300, P95MS: 500, P99MS: 900, MaxMS: 2000},
	}
	for text, want := range map[string]string{
		"p95=500ms": "", "p95=499.9ms": "p95 is 500.0 ms, above 499.9 ms", "p99=1s": "",
		"max=1.5s":  "max is 2000.0 ms, above 1500.0 ms",
		"errors=2%": "", "errors=0.01": "errors is 2.00%, above 1.00%", "errors=0": "errors is 2.00%, above 0.00%",
		"throughput=90": "", "throughput=100": "throughput is 90.0 requests a second, below 100.0 requests a second",
		"mean=50ms": "mean is",
	} {
		all, err := ParseThresholds(text)
		if err != nil || len(all) != 1 {
			t.Errorf("%s: %v, %v", text, all, err)
			continue
		}
		if got := all[0].Missed(step); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if all, err := ParseThresholds("p95=500ms, errors=1%"); err != nil || len(all) != 2 || all[1].Metric != "errors" {
		t.Errorf("two: %v, %v", all, err)
	}
	for _, text := range []string{
		"", "p95", "p95=", "p95=500", "p95=-1s", "p96=1s", "errors=2", "errors=-1%",
		"errors=NaN", "throughput=0", "throughput=inf", "p95=1s,p95=2s", "p95=1s,",
	} {
		if all, err := ParseThresholds(text); err == nil {
			t.Errorf("%q is taken for %v", text, all)
		}
	}
}

func TestRatesThatAreNone(t *testing.T) {
	for _, rate := range []float64{nan(), -1, 1e9, 0.01} {
		if err := (Load{Rate: rate, Duration: 20 * time.Second}).Check(); err == nil {
			t.Errorf("a rate of %g is taken", rate)
		}
	}
}

func nan() float64 {
	var zero float64
	return zero / zero
}
