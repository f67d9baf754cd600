package report

import (
	"cmp"
	"slices"

	"shoplab/lab/forecast"
	"shoplab/lab/result"
)

// build makes the document of one or more results. Of a stage that several results hold, the last
// one counts.
func build(results []result.Result) document {
	m := merge(results)
	m.predict()
	d := document{Title: "What each infrastructure carries, costs and survives", Labels: m.labels}
	for _, s := range []section{
		answerSection(m), loadSection(m), forecastSection(m), costSection(m), failureSection(m), faultsSection(m),
		verdictSection(m),
		findingsSection(m), complexitySection(m), trustSection(m), environmentSection(m),
	} {
		if len(s.Blocks) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	return d
}

// measured is what several results hold together.
type measured struct {
	results   []result.Result
	stages    []result.Stage
	findings  []result.Finding
	labels    []string
	users     []int                    // the declared numbers of them
	at        map[string]result.Target // where a stage was measured, by name
	settings  *result.Settings
	forecasts map[string]forecast.Stage // by name
}

func merge(results []result.Result) measured {
	m := measured{results: results, at: map[string]result.Target{}, forecasts: map[string]forecast.Stage{}}
	m.users = []int{50, 200} // the original's, where nothing else was declared
	stages, findings := map[string]result.Stage{}, map[string]result.Finding{}
	for _, r := range results {
		m.labels = append(m.labels, r.Labels...)
		if r.Settings != nil {
			m.settings, m.users = r.Settings, r.Settings.Users
		}
		for _, s := range r.Stages {
			stages[s.Name] = s
			m.at[s.Name] = r.Target
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

// predict adds the forecasts of what was measured on this machine.
func (m *measured) predict() {
	for _, r := range m.results {
		if r.Target == result.TargetAWS || r.Target == result.TargetURL {
			continue
		}
		for _, s := range forecast.Stages(r) {
			m.forecasts[s.Measured.Name] = s
		}
	}
}

// objective is the declared one, or a run's default.
func (m measured) objective() result.Objective {
	if m.settings != nil {
		return m.settings.Objective
	}
	return result.Objective{P95MS: 500, MaxErrorRatio: .01}
}

// onAWS says whether a stage was measured there.
func (m measured) onAWS(s result.Stage) bool { return m.at[s.Name] == result.TargetAWS }

// here says that everything was measured on this machine.
func (m measured) here() bool { return m.where() == onThisMachine }

const onThisMachine = "on " + result.LabelThisMachine

// where is where the stages were measured, in words.
func (m measured) where() string {
	seen := map[result.Target]bool{}
	for _, s := range m.stages {
		seen[m.at[s.Name]] = true
	}
	switch {
	case len(seen) > 1:
		return "in several places"
	case seen[result.TargetAWS]:
		return "on AWS"
	case seen[result.TargetURL]:
		return "where it was deployed"
	}
	return onThisMachine
}
