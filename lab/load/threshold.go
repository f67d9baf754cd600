package load

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoplab/lab/result"
)

// Threshold is a condition on a step: "p95=500ms" is missed when p95 is above, "throughput=100" when fewer
// requests a second were answered.
type Threshold struct {
	Metric string
	Limit  float64 // ms, a share of 1, or requests a second
	Text   string  // as typed
}

// metric is something that a threshold can be set on.
type metric struct {
	parse func(string) (float64, error)
	of    func(result.Step) float64
	show  func(float64) string
	least bool // the limit is the least that will do
}

var metrics = map[string]metric{
	"p50":  latency(func(l result.Latency) float64 { return l.P50MS }),
	"p90":  latency(func(l result.Latency) float64 { return l.P90MS }),
	"p95":  latency(func(l result.Latency) float64 { return l.P95MS }),
	"p99":  latency(func(l result.Latency) float64 { return l.P99MS }),
	"mean": latency(func(l result.Latency) float64 { return l.MeanMS }),
	"max":  latency(func(l result.Latency) float64 { return l.MaxMS }),
	"errors": {
		parse: share, of: func(s result.Step) float64 { return s.ErrorRatio },
		show: func(v float64) string { return strconv.FormatFloat(v*100, 'f', 2, 64) + "%" },
	},
	"throughput": {
		parse: positive, of: func(s result.Step) float64 { return s.Throughput }, least: true,
		show: func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + " requests a second" },
	},
}

func latency(pick func(result.Latency) float64) metric {
	return metric{
		parse: func(text string) (float64, error) {
			d, err := time.ParseDuration(text)
			if err != nil || d <= 0 {
				return 0, fmt.Errorf("%q is no duration such as 500ms or 2s", text)
			}
			return float64(d) / float64(time.Millisecond), nil
		},
		of:   func(s result.Step) float64 { return pick(*s.Latency) },
		show: func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + " ms" },
	}
}

func share(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%q is no share such as 1%% or 0.01", text)
	}
	return v, nil
}

func positive(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0 && v <= MaxRate) {
		return 0, fmt.Errorf("%q is no number of requests a second", text)
	}
	return v, nil
}

// ParseThresholds reads "p95=500ms,errors=1%".
func ParseThresholds(text string) ([]Threshold, error) {
	var out []Threshold
	for one := range strings.SplitSeq(text, ",") {
		name, limit, found := strings.Cut(strings.TrimSpace(one), "=")
		m, known := metrics[name]
		if !found || !known {
			return nil, fmt.Errorf("threshold %q: want METRIC=LIMIT, such as p95=500ms; the metrics are %s", one,
				strings.Join(slices.Sorted(maps.Keys(metrics)), ", "))
		}
		if slices.ContainsFunc(out, func(t Threshold) bool { return t.Metric == name }) {
			return nil, fmt.Errorf("threshold %q: there is one on %s already", one, name)
		}
		v, err := m.parse(limit)
		if err != nil {
			return nil, fmt.Errorf("threshold %q: %w", one, err)
		}
		out = append(out, Threshold{Metric: name, Limit: v, Text: strings.TrimSpace(one)})
	}
	return out, nil
}

// Missed says what of a step is beyond the threshold, "" if nothing is. The step must have requests.
func (t Threshold) Missed(s result.Step) string {
	m := metrics[t.Metric]
	v := m.of(s)
	switch {
	case m.least && v < t.Limit:
		return fmt.Sprintf("%s is %s, below %s", t.Metric, m.show(v), m.show(t.Limit))
	case !m.least && v > t.Limit:
		return fmt.Sprintf("%s is %s, above %s", t.Metric, m.show(v), m.show(t.Limit))
	}
	return ""
}
