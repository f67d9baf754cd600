package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"shoplab/lab/cost"
	"shoplab/lab/result"

	"gonum.org/v1/plot/plotter"
)

func chartsSection(m measured) (section, error) {
	s := section{Title: "Charts"}
	for _, draw := range []func(measured) (*chart, error){latencyChart, breakingChart, crossoverChart, failureChart} {
		c, err := draw(m)
		if err != nil {
			return s, err
		}
		if c != nil {
			s.Blocks = append(s.Blocks, block{Chart: c})
		}
	}
	return s, nil
}

// latencyChart draws p95 against users, from every closed-loop step of a valid stage.
func latencyChart(m measured) (*chart, error) {
	var curves []curve
	for _, s := range m.stages {
		if isInvalid(s) {
			continue
		}
		byUsers := map[int][]float64{}
		for _, st := range s.Steps {
			if st.Loop == result.LoopClosed && st.Latency != nil && st.Users > 0 &&
				(st.Purpose == result.PurposeLevel || st.Purpose == result.PurposeSearch) {
				byUsers[st.Users] = append(byUsers[st.Users], st.Latency.P95MS)
			}
		}
		c := curve{Name: title(s)}
		for _, n := range slices.Sorted(maps.Keys(byUsers)) {
			if v := median(byUsers[n]); v > 0 {
				c.Points = append(c.Points, plotter.XY{X: float64(n), Y: v})
			}
		}
		if len(c.Points) > 1 {
			curves = append(curves, c)
		}
	}
	if len(curves) == 0 {
		return nil, nil
	}
	svg, err := lineChart("Latency against users", "concurrent users", "p95, ms", true, true, curves)
	return &chart{
		Title: "Latency against users", SVG: svg,
		Alt: "Median p95 of all steps at each number of concurrent users; both axes are logarithmic.",
	}, err
}

func breakingChart(m measured) (*chart, error) {
	var bars []bar
	var said []string
	found := false
	for _, s := range m.stages {
		b := bar{Name: s.Name, ValueIsMissing: true}
		if p := s.BreakingPoint; p != nil && p.MedianUsers != nil && !isInvalid(s) {
			b = bar{Name: s.Name, Value: *p.MedianUsers, Low: *p.MedianUsers, High: *p.MedianUsers}
			if p.LowUsers != nil && p.HighUsers != nil {
				b.Low, b.High = float64(*p.LowUsers), float64(*p.HighUsers)
			}
			found = true
		}
		words, ok := breakingPoint(s)
		said = append(said, s.Name+": "+gated(s, ok, words).Text)
		bars = append(bars, b)
	}
	if !found {
		return nil, nil
	}
	svg, err := barChart("Breaking point", "concurrent users", bars)
	return &chart{Title: "Breaking point", SVG: svg, Alt: "Median with its range over the repeats. " + strings.Join(said, "; ") + "."}, err
}

func crossoverChart(m measured) (*chart, error) {
	var curves []curve
	var all [][]cost.Point
	for _, s := range m.stages {
		c := curve{Name: title(s)}
		for _, p := range s.CostCurve {
			if p.Carried && p.Monthly > 0 {
				c.Points = append(c.Points, plotter.XY{X: p.Requests, Y: p.Monthly})
			}
		}
		if len(c.Points) > 1 {
			curves, all = append(curves, c), append(all, s.CostCurve)
		}
	}
	if len(curves) == 0 {
		return nil, nil
	}
	svg, err := lineChart("Cost against traffic", "requests a month", "USD a month", true, true, curves)
	return &chart{
		Title: "Cost against traffic", SVG: svg,
		Alt: "A line ends where the stage no longer keeps the objective in a busy hour. Cheapest per successful request: " + crossover(cost.Cheapest(all...)) + ".",
	}, err
}

// crossover says from which volume on which stage is cheapest.
func crossover(points []cost.Point) string {
	var parts []string
	last := ""
	for _, p := range points {
		if p.Option != last {
			parts = append(parts, fmt.Sprintf("%s from %s requests a month", p.Option, plain(p.Requests)))
			last = p.Option
		}
	}
	return strings.Join(parts, ", then ")
}

// failureChart draws what each stage used of its limits in the step that failed.
func failureChart(m measured) (*chart, error) {
	var bars []bar
	for _, s := range m.stages {
		if s.AtFailure == nil || isInvalid(s) {
			continue
		}
		most, of := 0.0, ""
		for _, u := range s.AtFailure.Usage {
			if u.Limit != nil && *u.Limit > 0 && u.Mean / *u.Limit > most {
				most, of = u.Mean / *u.Limit, string(u.Resource)
			}
		}
		if of != "" {
			bars = append(bars, bar{Name: s.Name + ": " + of, Value: 100 * most, Low: 100 * most, High: 100 * most})
		}
	}
	if len(bars) == 0 {
		return nil, nil
	}
	svg, err := barChart("Closest to its limit at failure", "% of the limit, mean of the step", bars)
	return &chart{
		Title: "Closest to its limit at failure", SVG: svg,
		Alt: "For each stage the resource whose mean use came closest to its limit while the objective was missed.",
	}, err
}

func verdictSection(m measured) section {
	s := section{Title: "Why each one breaks"}
	for _, st := range m.stages {
		v := st.Verdict
		if v == nil {
			continue
		}
		head := title(st) + ": " + v.Summary
		if isInvalid(st) {
			head = title(st) + ": " + invalid + ", so read this as a hint. " + v.Summary
		}
		s.Blocks = append(s.Blocks, block{Text: head})
		var facts []string
		for _, f := range v.Evidence {
			facts = append(facts, f.Text)
		}
		if p := v.Proof; p != nil {
			facts = append(facts, fmt.Sprintf("Proof: %s from %s to %s at %d users. %s", p.Knob, p.From, p.To, p.Users, p.Conclusion))
		} else if v.NotProved != "" {
			facts = append(facts, "Not proved: "+v.NotProved)
		}
		if len(facts) > 0 {
			s.Blocks = append(s.Blocks, block{List: facts})
		}
	}
	return s
}

func findingsSection(m measured) section {
	s := section{Title: "The original's lessons, replayed"}
	if len(m.findings) == 0 {
		return s
	}
	t := &table{Head: []string{"Lesson", "Claim", "Before", "After", "After / before", "Outcome"}}
	for _, f := range m.findings {
		row := []cell{text(f.Name), text(f.Claim), absent(), absent(), absent(), text(string(f.Status))}
		if len(f.Comparisons) > 0 {
			c := f.Comparisons[0]
			row[2], row[3] = side(c.Before, c.Unit), side(c.After, c.Unit)
			if c.Ratio != nil {
				row[4] = number(fmt.Sprintf("%.3g", *c.Ratio))
			}
			if c.ClaimedRatio != nil {
				row[4] = row[4].beside(fmt.Sprintf("%.3g", *c.ClaimedRatio))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	s.Blocks = append(s.Blocks, block{Table: t})
	for _, f := range m.findings {
		if words := strings.TrimSpace(f.Conclusion + " " + f.Skipped); words != "" {
			s.Blocks = append(s.Blocks, block{Text: f.Name + ": " + words})
		}
	}
	return s
}

func side(c result.Case, unit string) cell {
	if c.Median == nil {
		return absent()
	}
	return number(fmt.Sprintf("%s: %.4g %s", c.Label, *c.Median, unit))
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}
