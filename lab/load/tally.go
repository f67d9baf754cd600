package load

import (
	"cmp"
	"slices"
	"time"

	"shoplab/lab/result"
)

// Tally is what one generator counted in a step. Those of several generators that ran at one time can be
// merged, and make a step as one of them does. It keeps no single request, so that a step may be long.
type Tally struct {
	StartedAt time.Time `json:"started_at"` // of what was measured
	Seconds   float64   `json:"seconds"`    // of what was measured
	// Finished, Good, Orders and Bytes are by when the answers came: answers, those without an error, orders paid.
	Finished int `json:"finished"`
	Good     int `json:"good"`
	Orders   int `json:"orders"`
	Bytes    int `json:"bytes"` // of the answers, header and body
	// Planned and OnTime are requests of an open loop that were due, and those that left in time.
	Planned int `json:"planned,omitempty"`
	OnTime  int `json:"on_time,omitempty"`
	// Operations are by when requests were due; Series by when the answers came, a second each.
	Operations map[string]*Outcome `json:"operations"`
	Series     []Outcome           `json:"series"`
	Generator  result.Generator    `json:"generator"`
}

// Outcome is how some requests ended.
type Outcome struct {
	Requests int               `json:"requests"`
	Errors   map[string]int    `json:"errors,omitempty"`
	Latency  *result.Histogram `json:"latency,omitempty"` // nil for no requests
}

// Digits of the histograms: those of the seconds are many, and for charts.
const (
	stepDigits   = 3
	secondDigits = 2
	keptDigits   = 2 // in the result: a fourth of the bytes
)

func (o *Outcome) add(s sample, digits int) {
	o.Requests++
	if s.kind != "" {
		if o.Errors == nil {
			o.Errors = map[string]int{}
		}
		o.Errors[s.kind]++
	}
	if o.Latency == nil {
		o.Latency = result.NewHistogram(digits)
	}
	o.Latency.Record(s.latency())
}

func (o *Outcome) merge(other Outcome, digits int) {
	o.Requests += other.Requests
	for kind, n := range other.Errors {
		if o.Errors == nil {
			o.Errors = map[string]int{}
		}
		o.Errors[kind] += n
	}
	if other.Latency != nil {
		if o.Latency == nil {
			o.Latency = result.NewHistogram(digits)
		}
		o.Latency.Merge(other.Latency)
	}
}

func (o *Outcome) failed() (n int) {
	for _, k := range o.Errors {
		n += k
	}
	return n
}

// latency is nil for no requests.
func (o *Outcome) latency() *result.Latency {
	if o.Latency == nil {
		return nil
	}
	return o.Latency.Latency()
}

// window is the measured part of a step, counted from its beginning.
type window struct{ from, to time.Duration }

func (w window) has(t time.Duration) bool { return t >= w.from && t < w.to }

// newTally is for a window of whole seconds; what is left of the last is in no second.
func newTally(w window) *Tally {
	return &Tally{Operations: map[string]*Outcome{}, Series: make([]Outcome, int((w.to-w.from)/time.Second))}
}

// add counts one request: in the step's latencies when it was due in the window, however late its answer came;
// in its throughput when the answer came in the window.
func (t *Tally) add(s sample, w window) {
	if w.has(s.due) && s.sent-s.due <= lateSend {
		t.OnTime++
	}
	if s.kind == kindCanceled {
		return // it was sent, and the load was broken off before its answer
	}
	if w.has(s.end) {
		t.Finished++
		t.Bytes += s.bytes
		if s.kind == "" {
			t.Good++
		}
		if s.bought {
			t.Orders++
		}
		if i := int((s.end - w.from) / time.Second); i < len(t.Series) {
			t.Series[i].add(s, secondDigits)
		}
	}
	if w.has(s.due) {
		o := t.Operations[s.op.name]
		if o == nil {
			o = &Outcome{}
			t.Operations[s.op.name] = o
		}
		o.add(s, stepDigits)
		t.Generator.Requests++
	}
}

// Merge adds what another generator counted in the same seconds.
func (t *Tally) Merge(other Tally) {
	if t.StartedAt.IsZero() || other.StartedAt.Before(t.StartedAt) {
		t.StartedAt = other.StartedAt
	}
	t.Seconds = max(t.Seconds, other.Seconds)
	t.Finished += other.Finished
	t.Good += other.Good
	t.Orders += other.Orders
	t.Bytes += other.Bytes
	t.Planned += other.Planned
	t.OnTime += other.OnTime
	for name, o := range other.Operations {
		if t.Operations[name] == nil {
			t.Operations[name] = &Outcome{}
		}
		t.Operations[name].merge(*o, stepDigits)
	}
	for i, o := range other.Series {
		if i == len(t.Series) {
			t.Series = append(t.Series, Outcome{})
		}
		t.Series[i].merge(o, secondDigits)
	}
}

// Step sums the tally up as a step of the load.
func (t *Tally) Step(l Load, objective result.Objective) result.Step {
	step := result.Step{
		Purpose: l.Purpose, Loop: result.LoopClosed, Repeat: l.Repeat, Flow: l.Flow, Users: l.Users, Rate: l.Rate,
		ThinkMS: float64(l.Think) / float64(time.Millisecond), StartedAt: t.StartedAt.UTC(), Seconds: t.Seconds,
		Orders: t.Orders,
	}
	step.Throughput = float64(t.Finished) / step.Seconds
	step.Goodput = float64(t.Good) / step.Seconds
	if t.Finished > 0 && t.Bytes > 0 {
		step.AnswerBytes = result.Ptr(float64(t.Bytes) / float64(t.Finished))
	}
	var all Outcome
	for name, o := range t.Operations {
		all.merge(*o, stepDigits)
		op := result.Operation{
			Name: name, Requests: o.Requests, Failed: o.failed(), Errors: o.Errors,
			Throughput: float64(o.Requests) / step.Seconds, Latency: o.latency(),
		}
		op.Latency.Histogram = nil
		step.Operations = append(step.Operations, op)
	}
	order := opOrderInMix()
	slices.SortFunc(step.Operations, func(a, b result.Operation) int { return cmp.Compare(order[a.Name], order[b.Name]) })
	step.Requests, step.Failed, step.Errors, step.Latency = all.Requests, all.failed(), all.Errors, all.latency()
	if step.Latency != nil {
		kept := result.NewHistogram(keptDigits)
		kept.Merge(step.Latency.Histogram)
		step.Latency.Histogram = kept
	}
	if step.Requests > 0 {
		step.ErrorRatio = float64(step.Failed) / float64(step.Requests)
	}
	if l.Rate > 0 {
		step.Loop = result.LoopOpen
		step.MissedSends = result.Ptr(max(0, t.Planned-t.OnTime))
	}
	step.ObjectiveKept = kept(step, objective)
	step.Series = t.series()
	g := t.Generator
	step.GeneratorCPU, step.GeneratorShare, step.GeneratorAllowance, step.TimerLateMS = g.CPU, g.MachineShare, g.Allowance,
		g.TimerLateMS
	step.MachineCPU, step.Steal, step.FrequencyMHz = g.MachineCPU, g.Steal, g.FrequencyMHz
	return step
}

// series are the window's seconds as the shoppers saw them, by when answers came.
func (t *Tally) series() *result.Series {
	if len(t.Series) == 0 {
		return nil
	}
	lines := []result.Line{
		{Resource: result.SeriesP95, Unit: "ms"},
		{Resource: result.SeriesThroughput, Unit: "1/s"},
		{Resource: result.SeriesErrors, Unit: "1/s"},
	}
	for _, o := range t.Series {
		var p95 *float64
		if o.Latency != nil {
			p95 = result.Ptr(o.Latency.Percentile(.95))
		}
		lines[0].Values = append(lines[0].Values, p95)
		lines[1].Values = append(lines[1].Values, result.Ptr(float64(o.Requests)))
		lines[2].Values = append(lines[2].Values, result.Ptr(float64(o.failed())))
	}
	return &result.Series{StartedAt: t.StartedAt.UTC(), IntervalSeconds: 1, Lines: lines}
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
