package report

import (
	"fmt"
	"slices"
	"strings"

	"shoplab/lab/result"
)

// verdictSection says why each stage broke where it was measured.
func verdictSection(m measured) section {
	s := section{Title: "Why each broke"}
	for _, st := range m.stages {
		v := st.Verdict
		if v == nil {
			continue
		}
		summary := v.Summary
		if st.Invalid() {
			summary = invalid + ", so read this as a hint. " + v.Summary
		}
		s.Blocks = append(s.Blocks, block{Heading: title(st)}, block{Text: summary})
		var facts []string
		for _, f := range v.Evidence {
			if !strings.Contains(v.Summary, f.Text) {
				facts = append(facts, f.Text)
			}
		}
		if p := v.Proof; p != nil {
			facts = append(facts, "Proof: "+p.Conclusion)
		} else if v.NotProved != "" {
			facts = append(facts, "Not proved: "+v.NotProved)
		}
		if len(facts) > 0 {
			s.Blocks = append(s.Blocks, block{List: facts})
		}
	}
	s.charts(m, failureChart)
	for _, f := range secondsCharts(m) {
		s.Blocks = append(s.Blocks, block{Figure: f})
	}
	return s
}

func findingsSection(m measured) section {
	s := section{Title: "Lessons replayed"}
	if len(m.findings) == 0 {
		return s
	}
	claims := &table{Head: []string{"Lesson", "Claim", "Outcome"}, Cards: true}
	measures := &table{
		Caption: "With and without what each lesson is about: the median of the repeats (lowest to highest)",
		Head:    []string{"Lesson", "Measure", "Before", "After", "After / before"},
		Cards:   true,
	}
	for _, f := range m.findings {
		claims.Rows = append(claims.Rows, []cell{text(f.Name), text(f.Claim), text(string(f.Status))})
		for _, c := range f.Comparisons {
			measures.Rows = append(measures.Rows, comparison(f.Name, c))
		}
	}
	s.Blocks = append(s.Blocks, block{Table: claims})
	if len(measures.Rows) > 0 {
		s.Blocks = append(s.Blocks, block{Table: measures})
	}
	for _, f := range m.findings {
		if words := strings.TrimSpace(f.Conclusion + " " + f.Skipped); words != "" {
			s.Blocks = append(s.Blocks, block{Text: f.Name + ": " + words})
		}
	}
	return s
}

func comparison(lesson string, c result.Comparison) []cell {
	row := []cell{text(lesson), text(c.Measure), side(c.Before, c.Unit), side(c.After, c.Unit), absent()}
	switch {
	case c.Ratio != nil:
		row[4] = number(fmt.Sprintf("%.3g", *c.Ratio))
	case c.Before.Median != nil && c.After.Median != nil: // nothing before, of which nothing is a multiple
		row[4] = number("-")
	}
	if c.ClaimedRatio != nil {
		row[4] = row[4].beside(fmt.Sprintf("%.3g", *c.ClaimedRatio))
	}
	return row
}

// complexitySection counts what a stage asks of its operators. Only on AWS are times and commands comparable
// with the original's.
func complexitySection(m measured) section {
	s := section{Title: "What it takes"}
	if len(m.stages) == 0 {
		return s
	}
	s.Blocks = append(s.Blocks,
		block{Table: stageTable(m, "On AWS, counted and not guessed",
			[]string{"Resources", "Lines of code", "Lines of configuration"},
			func(s result.Stage, _ published) []cell {
				c := s.Complexity
				if c == nil {
					c = &result.Complexity{}
				}
				return []cell{count(c.Resources), count(c.StageLines), count(c.ConfigLines)}
			})})
	s.Blocks[0].Table.Terms = []term{
		{"Resources", "in the stage's resource graph."},
		{"Lines of code", "what the stage's composition reaches in platform/, user data included."},
		{"Lines of configuration", "of Pulumi.stageN.yaml, without comments."},
	}
	aws := stageTable(m, "Up and down on AWS", []string{"Until the first request", "Until nothing is left", "Commands"},
		func(s result.Stage, p published) []cell {
			if s.Complexity == nil || !m.onAWS(s) {
				return []cell{absent().beside(p.DeployTime), absent(), absent().beside(p.Commands)}
			}
			return []cell{
				seconds(s.BringUpSeconds).beside(p.DeployTime), seconds(s.TearDownSeconds),
				count(s.Complexity.Commands).beside(p.Commands),
			}
		})
	here := stageTable(m, "Up and down on this machine, as processes: nothing that a deployment to AWS could be "+
		"compared with",
		[]string{"Until the first request", "Until nothing is left"},
		func(s result.Stage, _ published) []cell {
			return []cell{seconds(s.BringUpSeconds), seconds(s.TearDownSeconds)}
		})
	if m.here() {
		s.Blocks = append(s.Blocks, block{Table: here})
	} else {
		s.Blocks = append(s.Blocks, block{Table: aws})
	}
	return s
}

func side(c result.Case, unit string) cell {
	if c.Median == nil {
		return absent()
	}
	value := fmt.Sprintf("%s: %.4g %s", c.Label, *c.Median, unit)
	if raw := slices.Sorted(slices.Values(c.Raw)); len(raw) > 1 && raw[0] < raw[len(raw)-1] {
		value += fmt.Sprintf(" (%.4g to %.4g)", raw[0], raw[len(raw)-1])
	}
	return number(value)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}
