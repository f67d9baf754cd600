package report

import (
	"cmp"
	"fmt"
	"slices"

	"shoplab/lab/result"
)

// build makes the document of one or more results. Of a stage that several results hold, the last
// one counts.
func build(results []result.Result) document {
	m := merge(results)
	d := document{Title: "One shop, four infrastructures: what each costs, carries and takes", Labels: m.labels}
	sections := []section{
		summarySection(m), costSection(m), loadSection(m), complexitySection(m), perRequestSection(m),
		chartsSection(m), verdictSection(m), faultsSection(m), findingsSection(m), trustSection(m), environmentSection(m),
	}
	for _, s := range sections {
		if len(s.Blocks) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	return d
}

// measured is what several results hold together.
type measured struct {
	results  []result.Result
	stages   []result.Stage
	findings []result.Finding
	labels   []string
	users    []int // the declared numbers of them
	// objectiveMS is the declared limit of p95, 0 where there is none.
	objectiveMS float64
}

func merge(results []result.Result) measured {
	m := measured{results: results}
	m.users = []int{50, 200} // the original's, where nothing else was declared
	stages, findings := map[string]result.Stage{}, map[string]result.Finding{}
	for _, r := range results {
		m.labels = append(m.labels, r.Labels...)
		if r.Settings != nil {
			m.objectiveMS, m.users = r.Settings.Objective.P95MS, r.Settings.Users
		}
		for _, s := range r.Stages {
			stages[s.Name] = s
			m.labels = append(m.labels, s.Labels...)
		}
		if r.Faults != nil {
			for _, st := range r.Faults.Stages {
				m.labels = append(m.labels, st.Labels...)
			}
		}
		for _, f := range r.Findings {
			findings[f.Name] = f
		}
	}
	for _, s := range stages {
		m.stages = append(m.stages, s)
	}
	for _, f := range findings {
		m.findings = append(m.findings, f)
	}
	slices.SortFunc(m.stages, func(a, b result.Stage) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(m.findings, func(a, b result.Finding) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(m.labels)
	m.labels = slices.Compact(m.labels)
	return m
}

func title(s result.Stage) string {
	name := s.Name + " · " + s.Topology
	if len(s.StandIns) > 0 {
		name += " (" + result.LabelStandIn + ")"
	}
	return name
}

// gated is a figure that the validity gate may withhold.
func gated(s result.Stage, ok bool, value string) cell {
	switch {
	case !ok:
		return absent()
	case s.Invalid():
		return cell{Text: invalid, Class: "invalid"}
	}
	return number(value)
}

func milliseconds(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

func seconds(v *float64) cell {
	if v == nil {
		return absent()
	}
	return number(fmt.Sprintf("%.1f s", *v))
}

func count(v *int) cell {
	if v == nil {
		return absent()
	}
	return number(fmt.Sprint(*v))
}

// level returns the latency of the median repeat at a number of users.
func level(s result.Stage, users int) (result.Latency, bool) {
	for _, l := range s.Levels {
		if l.Users == users && l.Median.Latency != nil {
			return *l.Median.Latency, true
		}
	}
	return result.Latency{}, false
}

func breakingPoint(s result.Stage) (string, bool) {
	b := s.BreakingPoint
	switch {
	case b == nil:
		return "", false
	case b.MedianUsers != nil && b.LowUsers != nil && b.HighUsers != nil && *b.LowUsers != *b.HighUsers:
		return fmt.Sprintf("%.0f users (%d-%d)", *b.MedianUsers, *b.LowUsers, *b.HighUsers), true
	case b.MedianUsers != nil:
		return fmt.Sprintf("%.0f users", *b.MedianUsers), true
	case b.NotReachedUpTo != nil:
		return fmt.Sprintf("not reached up to %d users", *b.NotReachedUpTo), true
	}
	return "", false
}
