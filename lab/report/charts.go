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

func chartsSection(m measured) section {
	s := section{Title: "Charts"}
	for _, of := range []func(measured) *figure{latencyChart, breakingChart, crossoverChart, failureChart} {
		if f := of(m); f != nil {
			s.Blocks = append(s.Blocks, block{Figure: f})
		}
	}
	for _, f := range secondsCharts(m) {
		s.Blocks = append(s.Blocks, block{Figure: f})
	}
	return s
}

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
		l := chart.Line{Name: title(s), Style: i}
		for _, n := range slices.Sorted(maps.Keys(byUsers)) {
			if v := median(byUsers[n]); v > 0 {
				l.Points = append(l.Points, chart.Point{X: float64(n), Y: v})
			}
		}
		if len(l.Points) > 1 {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &figure{
		Chart: chart.Chart{
			Title: "Latency against users", X: chart.Axis{Label: "concurrent users", Log: true}, Y: chart.Axis{Label: "p95, ms", Log: true}, Lines: lines,
		},
		Alt: "Median p95 of all steps at each number of concurrent users; both axes are logarithmic.",
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
		Chart: chart.Chart{Title: "Breaking point", Y: chart.Axis{Label: "concurrent users"}, Bars: bars},
		Alt:   "Median with its range over the repeats. " + strings.Join(said, "; ") + ".",
	}
}

func crossoverChart(m measured) *figure {
	var lines []chart.Line
	var all [][]cost.Point
	left := ""
	for i, s := range m.stages {
		if s.Invalid() { // how much traffic it carries is not known
			left += " " + s.Name + " is INVALID and left out."
			continue
		}
		if s.Cost != nil && s.Cost.LowerBound() {
			left += " " + s.Name + " is priced in part only and left out."
			continue
		}
		l := chart.Line{Name: title(s), Style: i}
		for _, p := range s.CostCurve {
			if p.Carried && p.Monthly > 0 {
				l.Points = append(l.Points, chart.Point{X: p.Requests, Y: p.Monthly})
			}
		}
		if len(l.Points) > 1 {
			lines, all = append(lines, l), append(all, s.CostCurve)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &figure{
		Chart: chart.Chart{
			Title: "Cost against traffic", X: chart.Axis{Label: "requests a month", Log: true}, Y: chart.Axis{Label: "USD a month", Log: true}, Lines: lines,
		},
		Alt: "A line ends where the stage no longer keeps the objective in a busy hour. Cheapest per successful request: " + Crossover(cost.Cheapest(all...)) + "." + left,
	}
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
		parts = append(parts, fmt.Sprintf("%s from %s to %s", points[first].Option, chart.Plain(points[first].Requests), chart.Plain(points[last].Requests)))
		first = last + 1
	}
	return strings.Join(parts, ", then ") + " requests a month"
}

// failureResources are what the failure chart compares, in its order; of several parts the one closest
// to its limit counts.
var failureResources = []struct {
	name string
	of   []result.Resource
}{
	{"instance CPU", []result.Resource{result.ResourceInstanceCPU, result.ResourceServerCPU}},
	{"machine", []result.Resource{result.ResourceStageCPU}},
	{"database CPU", []result.Resource{result.ResourceDBCPU}},
	{"connections", []result.Resource{result.ResourceDBConns}},
	{"pool", []result.Resource{result.ResourcePoolInUse}},
	{"memory", []result.Resource{result.ResourceMemory}},
}

// failureChart draws what each stage used of its limits in the step that failed.
func failureChart(m measured) *figure {
	var groups []chart.Group
	var names []string
	for _, r := range failureResources {
		names = append(names, r.name)
	}
	for i, s := range m.stages {
		if s.AtFailure == nil || s.Invalid() {
			continue
		}
		g := chart.Group{Name: title(s), Style: i}
		for _, r := range failureResources {
			_, share := tightest(s.AtFailure.Usage, r.of...)
			g.Values = append(g.Values, 100*share)
		}
		if slices.Max(g.Values) > 0 {
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	return &figure{
		Chart: chart.Chart{Title: "Resources at failure", Y: chart.Axis{Label: "% of the limit"}, Categories: names, Groups: groups},
		Alt: "Mean use over its limit while the objective was missed; of several instances the one closest to its limit. " +
			"Machine is what this machine gives the stage; no bar: no limit, or not measured.",
	}
}

// tightest returns the usage of some resources that is closest to its limit, and how close; 0 for none.
func tightest(all []result.Usage, wanted ...result.Resource) (best result.Usage, share float64) {
	for _, u := range all {
		if slices.Contains(wanted, u.Resource) && u.Limit != nil && *u.Limit > 0 && u.Mean / *u.Limit > share {
			best, share = u, u.Mean / *u.Limit
		}
	}
	return best, share
}

// leastSeconds is how many a step needs for a picture of them.
const leastSeconds = 5

// secondsCharts draw a stage's failure second by second: its latency over the objective, and beside it
// the resources that came closest to their limits.
func secondsCharts(m measured) (all []*figure) {
	for _, s := range m.stages {
		if s.AtFailure == nil || s.AtFailure.Series == nil || s.Invalid() {
			continue
		}
		var lines []chart.Line
		for _, l := range s.AtFailure.Series.Lines {
			if l.Resource == result.SeriesP95 && m.objectiveMS > 0 {
				lines = append(lines, chart.Line{Name: "p95, of the objective", Style: len(lines), Points: percent(l, m.objectiveMS)})
			}
		}
		for _, r := range failureResources {
			u, share := tightest(s.AtFailure.Usage, r.of...)
			for _, l := range s.AtFailure.Series.Lines {
				if share >= 0.5 && l.Resource == u.Resource && l.Of == u.Of && len(lines) < chart.Styles {
					lines = append(lines, chart.Line{Name: r.name, Style: len(lines), Points: percent(l, *u.Limit)})
				}
			}
		}
		if len(lines) < 2 || len(lines[0].Points) < leastSeconds {
			continue
		}
		name := fmt.Sprintf("%s at %d users", s.Name, s.AtFailure.Users)
		all = append(all, &figure{
			Chart: chart.Chart{Title: name, X: chart.Axis{Label: "second"}, Y: chart.Axis{Label: "% of the limit"}, Lines: lines},
			Alt:   "The seconds in which the objective was missed: latency, and the resources that used at least half of their limits.",
		})
	}
	return all
}

// percent are the seconds of a line in percent of a limit.
func percent(l result.Line, limit float64) (points []chart.Point) {
	for i, v := range l.Values {
		if v != nil {
			points = append(points, chart.Point{X: float64(i + 1), Y: 100 * *v / limit})
		}
	}
	return points
}
