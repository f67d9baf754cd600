package report

import (
	"fmt"
	"slices"

	"shoplab/lab/result"
)

// loadSection is what was measured under load, beside what the original published.
func loadSection(m measured) section {
	s := section{Title: "Measured, beside published"}
	if len(m.stages) == 0 {
		return s
	}
	s.Blocks = append(s.Blocks, block{Table: loadTable(m)}, block{Text: originalNote})
	s.charts(m, latencyChart, breakingChart)
	if t := operationTable(m); len(t.Rows) > 0 {
		s.Blocks = append(s.Blocks, block{Heading: "Operation by operation"}, block{Table: t})
	}
	if t := distributionTable(m); len(t.Rows) > 0 {
		s.Blocks = append(s.Blocks, block{Heading: "From the usual to the worst request"}, block{Table: t})
		s.charts(m, distributionChart)
	}
	return s
}

// charts adds those that have something to show.
func (s *section) charts(m measured, of ...func(measured) *figure) {
	for _, show := range of {
		if f := show(m); f != nil {
			s.Blocks = append(s.Blocks, block{Figure: f})
		}
	}
}

func stageTable(m measured, caption string, head []string, row func(result.Stage, published) []cell) *table {
	t := &table{Caption: caption, Head: append([]string{"Stage"}, head...), Cards: true}
	for _, s := range m.stages {
		t.Rows = append(t.Rows, append([]cell{text(title(s))}, row(s, original[s.Topology])...))
	}
	return t
}

func loadTable(m measured) *table {
	head := []string{"Highest rate", "Breaking point"}
	for _, n := range m.users {
		head = append(head, fmt.Sprintf("At %d %s", n, m.who()))
	}
	t := stageTable(m, "Measured "+m.where()+", with the declared mix of shoppers",
		append(head, "Gave out", "Busiest CPU then", "CPUs here / on AWS"),
		func(s result.Stage, p published) []cell {
			bp, ok := breakingPoint(s)
			cpu, cpuKnown := cpuAtFailure(s)
			row := []cell{rate(s), gated(s, ok, bp).beside(p.BreakingPoint)}
			for _, n := range m.users {
				row = append(row, latency(s, n).beside(p.Latency[n]))
			}
			cause := absent()
			if s.Verdict != nil {
				cause = gated(s, true, string(s.Verdict.Cause))
			}
			return append(row, cause, gated(s, cpuKnown, cpu).beside(p.CPUAtFailure), cpus(s))
		})
	inFlight := "requests in flight, each sent when the answer to the one before is in"
	if m.who() == "shoppers" {
		inFlight = "shoppers, who think between an answer and the next request"
	}
	t.Terms = []term{
		{
			"Highest rate", fmt.Sprintf("requests a second that arrive whatever the answers do, with p95 up to %.0f ms; with "+
				"its 95%% interval over all tries.", m.objective().P95MS),
		},
		{"Breaking point", "the smallest number of " + inFlight + ", at which a whole step missed that."},
		{"p95", "95 of 100 requests were answered at least as fast."},
		{"Gave out", "the resource that was used up at the breaking point, on the machine that was measured."},
		{
			"CPUs here / on AWS", "what the stage could use while it was measured, and what its machines have on AWS " +
				"together. The further apart, the less the figures in this row say of AWS: that is what the forecast is for.",
		},
	}
	return t
}

// who is what a user is in these results.
func (m measured) who() string {
	if m.settings != nil && m.settings.ThinkMS > 0 {
		return "shoppers"
	}
	return "in flight"
}

// latency is the mean and p95 at a number of users.
func latency(s result.Stage, users int) cell {
	l, ok := level(s, users)
	if !ok {
		return absent()
	}
	return gated(s, true, milliseconds(l.Latency.P95MS)+" p95").noting(noted(s, milliseconds(l.Latency.MeanMS)+" mean"))
}

// noted is a note to a figure that the validity gate may withhold.
func noted(s result.Stage, note string) string {
	if s.Invalid() {
		return ""
	}
	return note
}

// cpuAtFailure is the mean CPU use of the busiest instance, or of the server that it shares, over its
// limit in the failing step.
func cpuAtFailure(s result.Stage) (string, bool) {
	if s.AtFailure == nil {
		return "", false
	}
	u, share := tightest(s.AtFailure.Usage, result.ResourceInstanceCPU, result.ResourceServerCPU)
	return fmt.Sprintf("%s: %.0f%% of its limit", u.Of, 100*share), share > 0
}

// cpus is how many CPUs the stage could use here, over those that its machines have on AWS.
func cpus(s result.Stage) cell {
	c := s.Config
	if c.GivenCPUs == nil || c.StageCPUs == nil {
		return absent()
	}
	return number(fmt.Sprintf("%.3g / %.3g", *c.GivenCPUs, *c.StageCPUs))
}

// common is the declared number of users at which most stages have a measured level, the smallest of several.
func (m measured) common() int {
	best, most := 0, 0
	for _, n := range slices.Sorted(slices.Values(m.users)) {
		have := 0
		for _, s := range m.stages {
			if _, ok := level(s, n); ok && !s.Invalid() {
				have++
			}
		}
		if have > most {
			best, most = n, have
		}
	}
	return best
}

// operationTable has a row for each kind of request, in the order of the first stage that has it.
func operationTable(m measured) *table {
	users := m.common()
	t := &table{
		Caption: fmt.Sprintf("At %d %s: p95 of each kind of request, and how many of all requests it is", users, m.who()),
		Head:    []string{"Request", "Share"},
	}
	row := map[string]int{}
	for i, s := range m.stages {
		t.Head = append(t.Head, title(s))
		step, ok := level(s, users)
		if !ok || s.Invalid() {
			continue
		}
		for _, o := range step.Operations {
			if o.Latency == nil {
				continue
			}
			if _, known := row[o.Name]; !known {
				row[o.Name] = len(t.Rows)
				share := number(fmt.Sprintf("%.1f%%", 100*float64(o.Requests)/float64(max(1, step.Requests))))
				t.Rows = append(t.Rows, append([]cell{text(o.Name), share}, notMeasuredIn(m.stages)...))
			}
			c := number(milliseconds(o.Latency.P95MS))
			if o.Failed > 0 {
				c = c.noting(fmt.Sprintf("%d of %d failed", o.Failed, o.Requests))
			}
			t.Rows[row[o.Name]][2+i] = c
		}
	}
	return t
}

// percentiles of a step that the result holds, in order.
var percentiles = []struct {
	name string
	of   func(result.Latency) float64
}{
	{"p50", func(l result.Latency) float64 { return l.P50MS }},
	{"p90", func(l result.Latency) float64 { return l.P90MS }},
	{"p95", func(l result.Latency) float64 { return l.P95MS }},
	{"p99", func(l result.Latency) float64 { return l.P99MS }},
	{"slowest", func(l result.Latency) float64 { return l.MaxMS }},
}

func distributionTable(m measured) *table {
	users := m.common()
	t := &table{
		Caption: fmt.Sprintf("Latency at %d %s", users, m.who()), Head: []string{"Stage", "mean"},
		Terms: []term{
			{"p50, p90, p95, p99", "so many of 100 requests were answered at least as fast, in the median repeat."},
		},
	}
	for _, p := range percentiles {
		t.Head = append(t.Head, p.name)
	}
	for _, s := range m.stages {
		step, ok := level(s, users)
		if !ok || s.Invalid() {
			continue
		}
		row := []cell{text(title(s)), number(milliseconds(step.Latency.MeanMS))}
		for _, p := range percentiles {
			row = append(row, number(milliseconds(p.of(*step.Latency))))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
