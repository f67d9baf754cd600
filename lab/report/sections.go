package report

import (
	"fmt"
	"slices"
	"strings"

	"shoplab/lab/result"
)

func verdictSection(m measured) section {
	s := section{Title: "Why each one breaks"}
	for _, st := range m.stages {
		v := st.Verdict
		if v == nil {
			continue
		}
		head := title(st) + ": " + v.Summary
		if st.Invalid() {
			head = title(st) + ": " + invalid + ", so read this as a hint. " + v.Summary
		}
		s.Blocks = append(s.Blocks, block{Text: head})
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
