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
	seconds, err := secondsCharts(m)
	for _, c := range seconds {
		s.Blocks = append(s.Blocks, block{Chart: c})
	}
	return s, err
}

// latencyChart draws p95 against users, from every closed-loop step of a valid stage.
func latencyChart(m measured) (*chart, error) {
	var curves []curve
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
		c := curve{Name: title(s), Style: i}
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
		if p := s.BreakingPoint; p != nil && p.MedianUsers != nil && !s.Invalid() {
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
		c := curve{Name: title(s), Style: i}
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
		Alt: "A line ends where the stage no longer keeps the objective in a busy hour. Cheapest per successful request: " + Crossover(cost.Cheapest(all...)) + "." + left,
	}, err
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
		parts = append(parts, fmt.Sprintf("%s from %s to %s", points[first].Option, plain(points[first].Requests), plain(points[last].Requests)))
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
func failureChart(m measured) (*chart, error) {
	var groups []group
	var names []string
	for _, r := range failureResources {
		names = append(names, r.name)
	}
	for i, s := range m.stages {
		if s.AtFailure == nil || s.Invalid() {
			continue
		}
		g := group{Name: title(s), Style: i}
		for _, r := range failureResources {
			_, share := tightest(s.AtFailure.Usage, r.of...)
			g.Values = append(g.Values, 100*share)
		}
		if slices.Max(g.Values) > 0 {
			groups = append(groups, g)
		}
	}
	if len(groups) == 0 {
		return nil, nil
	}
	svg, err := groupChart("Resources at failure", "% of the limit", names, groups)
	return &chart{
		Title: "Resources at failure", SVG: svg,
		Alt: "Mean use over its limit while the objective was missed; of several instances the one closest to its limit. " +
			"Machine is what this machine gives the stage; no bar: no limit, or not measured.",
	}, err
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
func secondsCharts(m measured) (all []*chart, err error) {
	for _, s := range m.stages {
		if s.AtFailure == nil || s.AtFailure.Series == nil || s.Invalid() {
			continue
		}
		curves := []curve{}
		for _, l := range s.AtFailure.Series.Lines {
			if l.Resource == result.SeriesP95 && m.objectiveMS > 0 {
				curves = append(curves, curve{Name: "p95, of the objective", Style: len(curves), Points: percent(l, m.objectiveMS)})
			}
		}
		for _, r := range failureResources {
			u, share := tightest(s.AtFailure.Usage, r.of...)
			for _, l := range s.AtFailure.Series.Lines {
				if share >= 0.5 && l.Resource == u.Resource && l.Of == u.Of && len(curves) < len(palette) {
					curves = append(curves, curve{Name: r.name, Style: len(curves), Points: percent(l, *u.Limit)})
				}
			}
		}
		if len(curves) < 2 || len(curves[0].Points) < leastSeconds {
			continue
		}
		name := fmt.Sprintf("%s at %d users", s.Name, s.AtFailure.Users)
		svg, err := lineChart(name, "second", "% of the limit", false, false, curves)
		if err != nil {
			return nil, err
		}
		all = append(all, &chart{
			Title: name, SVG: svg,
			Alt: "The seconds in which the objective was missed: latency, and the resources that used at least half of their limits.",
		})
	}
	return all, nil
}

// percent are the seconds of a line in percent of a limit.
func percent(l result.Line, limit float64) (points plotter.XYs) {
	for i, v := range l.Values {
		if v != nil {
			points = append(points, plotter.XY{X: float64(i + 1), Y: 100 * *v / limit})
		}
	}
	return points
}
