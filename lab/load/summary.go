package load

import (
	"cmp"
	"slices"
	"time"

	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// lateSend is how late a request of an open loop may leave and still count as sent on time.
const lateSend = 10 * time.Millisecond

// summary makes a step of the samples. Requests belong to the step when they were due in its
// measured window, however late their answer came; throughput counts the answers in the window.
func (r *runner) summary(l Load, objective result.Objective) result.Step {
	from, to := l.Settle, l.Settle+l.Duration
	step := result.Step{
		Purpose: l.Purpose, Loop: result.LoopClosed, Repeat: l.Repeat, Users: l.Users, Rate: l.Rate, ThinkMS: float64(l.Think) / float64(time.Millisecond),
		Seconds: l.Duration.Seconds(),
	}
	var due []sample
	finished, good := 0, 0
	for _, s := range r.samples {
		if s.end >= from && s.end < to {
			finished++
			if s.kind == "" {
				good++
			}
			if s.bought {
				step.Orders++
			}
		}
		if s.due >= from && s.due < to {
			due = append(due, s)
		}
	}
	step.Throughput = float64(finished) / step.Seconds
	step.Goodput = float64(good) / step.Seconds
	step.Requests = len(due)
	step.Latency, step.Errors = tally(due)
	for _, n := range step.Errors {
		step.Failed += n
	}
	if step.Requests > 0 {
		step.ErrorRatio = float64(step.Failed) / float64(step.Requests)
	}
	step.Operations = operations(due, step.Seconds)
	if l.Rate > 0 {
		step.Loop = result.LoopOpen
		step.MissedSends = result.Ptr(r.missed(due, from, to))
	}
	step.ObjectiveKept = kept(step, objective)
	step.Series = seconds(r.samples, from, l.Duration)
	return step
}

// sustained is the share of an open loop's requests that must be answered in the same window: with
// less, a queue grows that only the step's end hides.
const sustained = 0.97

// kept says whether the step met the objective. A step without an answer did not, nor did one whose load
// was not really sent.
func kept(s result.Step, o result.Objective) bool { return served(s, o) && !late(s) }

// MaxMissedSends is the share of an open loop's requests that may leave late.
const MaxMissedSends = 0.01

// MissedShare is how much of what was due in an open-loop step left late or never.
func MissedShare(s result.Step) float64 { return float64(*s.MissedSends) / (s.Rate * s.Seconds) }

// late says that the generator could not keep up with the rate.
func late(s result.Step) bool {
	return s.MissedSends != nil && MissedShare(s) > MaxMissedSends
}

// Unknown says that a step missed its objective only because the generator was late: at that rate nothing
// is known of the shop.
func Unknown(s result.Step, o result.Objective) bool { return late(s) && served(s, o) }

func served(s result.Step, o result.Objective) bool {
	if s.Loop == result.LoopOpen && s.Throughput*s.Seconds < sustained*float64(s.Requests) {
		return false
	}
	return s.Latency != nil && s.Latency.P95MS <= o.P95MS && s.ErrorRatio <= o.MaxErrorRatio
}

// missed counts the requests of an open loop that were due in the window and left late or never.
func (r *runner) missed(due []sample, from, to time.Duration) int {
	first := (from + r.pace.interval - 1) / r.pace.interval
	planned := int((to+r.pace.interval-1)/r.pace.interval - first)
	onTime := 0
	for _, s := range due {
		if s.sent-s.due <= lateSend {
			onTime++
		}
	}
	for _, s := range r.cut {
		if s.due >= from && s.due < to && s.sent-s.due <= lateSend {
			onTime++
		}
	}
	return max(0, planned-onTime)
}

// tally is the latency and the errors by kind of some samples; nil for none.
func tally(samples []sample) (*result.Latency, map[string]int) {
	if len(samples) == 0 {
		return nil, nil
	}
	ms := make([]float64, len(samples))
	var errs map[string]int
	total := 0.0
	for i, s := range samples {
		ms[i] = float64(s.latency()) / float64(time.Millisecond)
		total += ms[i]
		if s.kind != "" {
			if errs == nil {
				errs = map[string]int{}
			}
			errs[s.kind]++
		}
	}
	slices.Sort(ms)
	return &result.Latency{
		MeanMS: total / float64(len(ms)), MaxMS: ms[len(ms)-1],
		P50MS: stats.Percentile(ms, .50), P90MS: stats.Percentile(ms, .90), P95MS: stats.Percentile(ms, .95), P99MS: stats.Percentile(ms, .99),
	}, errs
}

// operations breaks samples down by kind of request, in the mix's order of first appearance.
func operations(samples []sample, secs float64) []result.Operation {
	by := map[string][]sample{}
	for _, s := range samples {
		by[s.op.name] = append(by[s.op.name], s)
	}
	ops := make([]result.Operation, 0, len(by))
	for name, list := range by {
		o := result.Operation{Name: name, Requests: len(list), Throughput: float64(len(list)) / secs}
		o.Latency, o.Errors = tally(list)
		for _, n := range o.Errors {
			o.Failed += n
		}
		ops = append(ops, o)
	}
	order := opOrderInMix()
	slices.SortFunc(ops, func(a, b result.Operation) int { return cmp.Compare(order[a.Name], order[b.Name]) })
	return ops
}

func opOrderInMix() map[string]int {
	order := map[string]int{}
	for _, f := range mix {
		for _, o := range f.ops {
			if _, seen := order[o.name]; !seen {
				order[o.name] = len(order)
			}
		}
	}
	return order
}

// seconds are the window's seconds as the shoppers saw them, by when answers came.
func seconds(samples []sample, from, length time.Duration) *result.Series {
	n := int(length / time.Second)
	if n == 0 {
		return nil
	}
	buckets := make([][]sample, n)
	for _, s := range samples {
		if i := int((s.end - from) / time.Second); s.end >= from && i < n {
			buckets[i] = append(buckets[i], s)
		}
	}
	lines := []result.Line{
		{Resource: result.SeriesP95, Unit: "ms"},
		{Resource: result.SeriesThroughput, Unit: "1/s"},
		{Resource: result.SeriesErrors, Unit: "1/s"},
	}
	for _, b := range buckets {
		lat, errs := tally(b)
		failed := 0
		for _, k := range errs {
			failed += k
		}
		var p95 *float64
		if lat != nil {
			p95 = &lat.P95MS
		}
		lines[0].Values = append(lines[0].Values, p95)
		lines[1].Values = append(lines[1].Values, result.Ptr(float64(len(b))))
		lines[2].Values = append(lines[2].Values, result.Ptr(float64(failed)))
	}
	return &result.Series{IntervalSeconds: 1, Lines: lines}
}
