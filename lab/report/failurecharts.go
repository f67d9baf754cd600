package report

import (
	"fmt"
	"slices"

	"shoplab/lab/chart"
	"shoplab/lab/result"
)

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
		Name: "at-failure",
		Chart: chart.Chart{
			Title: "Resources at failure", Y: chart.Axis{Label: "% of the limit"}, Categories: names, Groups: groups,
		},
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
		lines := []chart.Line{}
		for _, l := range s.AtFailure.Series.Lines {
			if l.Resource == result.SeriesP95 {
				lines = append(lines, chart.Line{
					Name: "p95, of the objective", Style: len(lines), Points: percent(l, m.objective().P95MS),
				})
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
		name := fmt.Sprintf("%s with %d %s", s.Name, s.AtFailure.Users, who(s))
		all = append(all, &figure{
			Name: "seconds-" + s.Name,
			Chart: chart.Chart{
				Title: name, X: chart.Axis{Label: "second"}, Y: chart.Axis{Label: "% of the limit"}, Lines: lines,
			},
			Alt: "The seconds in which the objective was missed: latency, and the resources that used at least half of " +
				"their limits.",
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
