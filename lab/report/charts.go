package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"shoplab/lab/chart"
	"shoplab/lab/cost"
	"shoplab/lab/result"
)

// latencyChart draws p95 against users, from every closed-loop step of a valid stage.
func latencyChart(m measured) *figure {
	var lines []chart.Line
	for i, s := range m.stages {
		if s.Invalid() {
			continue
		}
		byUsers := map[int][]float64{}
		for _, st := range s.Steps {
			if st.Loop == result.LoopClosed && st.Latency != nil && st.Users > 0 &&
				(st.Purpose == result.PurposeScaling || st.Purpose == result.PurposeLevel || st.Purpose == result.PurposeSearch) {
				byUsers[st.Users] = append(byUsers[st.Users], st.Latency.P95MS)
			}
		}
		c := chart.Line{Name: title(s), Style: i}
		for _, n := range slices.Sorted(maps.Keys(byUsers)) {
			if v := median(byUsers[n]); v > 0 {
				c.Points = append(c.Points, chart.Point{X: float64(n), Y: v})
			}
		}
		if len(c.Points) > 1 {
			lines = append(lines, c)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	limit := m.objective().P95MS
	name, x := "Latency against load", "requests in flight"
	if m.who() == "shoppers" {
		x = "shoppers"
	}
	return &figure{
		Name: "latency",
		Chart: chart.Chart{
			Title: name, X: chart.Axis{Label: x, Log: true}, Y: chart.Axis{Label: "p95, ms", Log: true}, Lines: lines,
			Limit: limit, LimitName: fmt.Sprintf("objective, %.0f ms", limit),
		},
		Alt: "Median p95 of all steps at each number, " + m.where() + "; both axes are logarithmic. A stage breaks where " +
			"its line crosses the objective's.",
	}
}

// distributionChart draws the latency of a level from its usual to its slowest request.
func distributionChart(m measured) *figure {
	var lines []chart.Line
	users := m.common()
	var names []string
	for _, p := range percentiles {
		names = append(names, p.name)
	}
	for i, s := range m.stages {
		step, ok := level(s, users)
		if !ok || s.Invalid() {
			continue
		}
		c := chart.Line{Name: title(s), Style: i}
		for j, p := range percentiles {
			c.Points = append(c.Points, chart.Point{X: float64(j), Y: max(p.of(*step.Latency), .01)})
		}
		lines = append(lines, c)
	}
	if len(lines) == 0 {
		return nil
	}
	limit := m.objective().P95MS
	name := fmt.Sprintf("Latency at %d %s", users, m.who())
	return &figure{
		Name: "distribution",
		Chart: chart.Chart{
			Title: name, Y: chart.Axis{Label: "ms", Log: true}, Categories: names, Lines: lines,
			Limit: limit, LimitName: fmt.Sprintf("objective of p95, %.0f ms", limit),
		},
		Alt: "Latency from the request in the middle to the slowest, on a logarithmic scale: the table above as lines.",
	}
}

func breakingChart(m measured) *figure {
	var bars []chart.Bar
	var said []string
	found := false
	for _, s := range m.stages {
		b := chart.Bar{Name: s.Name, ValueIsMissing: true}
		if p := s.BreakingPoint; p != nil && p.MedianUsers != nil && !s.Invalid() {
			b = chart.Bar{Name: s.Name, Value: *p.MedianUsers, Low: *p.MedianUsers, High: *p.MedianUsers}
			if p.LowUsers != nil && p.HighUsers != nil {
				b.Low, b.High = float64(*p.LowUsers), float64(*p.HighUsers)
			}
			if i := p.Interpolated; i != nil {
				b.Value, b.Low, b.High = i.Value, i.Low, i.High
			}
			found = true
		}
		words, ok := breakingPoint(s)
		said = append(said, s.Name+": "+gated(s, ok, words).Text)
		bars = append(bars, b)
	}
	if !found {
		return nil
	}
	return &figure{
		Name: "breaking-point", Chart: chart.Chart{Title: "Breaking point", Y: chart.Axis{Label: m.who()}, Bars: bars},
		Alt: "Where the objective was missed, " + m.where() + ", with its interval. " + strings.Join(said, "; ") + ".",
	}
}

// crossoverChart draws what a month costs against its traffic: where forecasts decide, with the instances that the
// busy hour takes; elsewhere with those that the stages start with.
func crossoverChart(m measured) *figure {
	lines, points, left := scaledLines(m)
	ends := "With the instances that the busy hour takes by the forecasts that validated; a line ends where the most " +
		"instances no longer carry it. "
	if len(lines) == 0 {
		lines, points, left = fixedLines(m)
		ends = "With the instances that a stage starts with; how much of the traffic they carry on AWS is not known, so no " +
			"line ends there. "
		if m.where() == "on AWS" {
			ends = "A line ends where the stage no longer keeps the objective in a busy hour. "
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &figure{
		Name: "cost",
		Chart: chart.Chart{
			Title: "Cost against traffic", X: chart.Axis{Label: "requests a month", Log: true},
			Y: chart.Axis{Label: "USD a month", Log: true}, Lines: lines,
		},
		Alt: ends + "Cheapest: " + Crossover(cost.Cheapest(points...)) + "." + left,
	}
}

// scaledLines are of the stages whose forecast decides.
func scaledLines(m measured) (lines []chart.Line, all [][]cost.Point, left string) {
	for i, s := range m.stages {
		f := m.forecasts[s.Name]
		if !f.Decides() || f.Answer.Instances == 0 || s.Cost == nil || s.Cost.LowerBound() {
			left += " " + s.Name + " is left out: it has no forecast that validated, or no whole price."
			continue
		}
		points, err := f.CostCurve(cost.Volumes(), 1)
		if err != nil {
			left += " " + s.Name + " is left out: " + err.Error() + "."
			continue
		}
		if l := costLine(s, i, points); len(l.Points) > 1 {
			lines, all = append(lines, l), append(all, points)
		}
	}
	return lines, all, left
}

// fixedLines are of all stages as they start. How much of the traffic they carry counts where it was measured on
// AWS.
func fixedLines(m measured) (lines []chart.Line, all [][]cost.Point, left string) {
	for i, s := range m.stages {
		if s.Cost != nil && s.Cost.LowerBound() {
			left += " " + s.Name + " is priced in part only and left out."
			continue
		}
		if s.Invalid() && m.onAWS(s) { // how much traffic it carries is not known
			left += " " + s.Name + " is INVALID and left out."
			continue
		}
		points := slices.Clone(s.CostCurve)
		for j := range points {
			points[j].Carried = points[j].Carried || !m.onAWS(s)
		}
		if l := costLine(s, i, points); len(l.Points) > 1 {
			lines, all = append(lines, l), append(all, points)
		}
	}
	return lines, all, left
}

func costLine(s result.Stage, style int, points []cost.Point) chart.Line {
	l := chart.Line{Name: title(s), Style: style}
	for _, p := range points {
		if p.Carried && p.Monthly > 0 {
			l.Points = append(l.Points, chart.Point{X: p.Requests, Y: p.Monthly})
		}
	}
	return l
}

// Crossover says which stage is the cheapest from which volume to which, of the points that cost.Cheapest
// found.
func Crossover(points []cost.Point) string {
	if len(points) == 0 {
		return "none was measured to carry any of these volumes"
	}
	var parts []string
	for first := 0; first < len(points); {
		last := first
		for last+1 < len(points) && points[last+1].Option == points[first].Option {
			last++
		}
		parts = append(parts, fmt.Sprintf("%s from %s to %s", points[first].Option, chart.Plain(points[first].Requests),
			chart.Plain(points[last].Requests)))
		first = last + 1
	}
	return strings.Join(parts, ", then ") + " requests a month"
}
