package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"shoplab/lab/result"
)

// trustSection shows what the figures rest on: validity, invariants, and how well a model of them
// predicts what it has not seen.
func trustSection(m measured) section {
	s := section{Title: "Can these figures be trusted?"}
	for _, st := range m.stages {
		var items []string
		if v := st.Validity; v != nil {
			for _, g := range v.Gates {
				items = append(items, gate(g))
			}
			if !v.Valid {
				items = append(items, invalid+": "+strings.Join(v.Reasons, "; "))
			}
		}
		for _, i := range st.Invariants {
			items = append(items, fmt.Sprintf("Invariant %s: %s. %s", i.Name, i.Status, i.Detail))
		}
		if st.USL != nil {
			items = append(items, usl(*st.USL))
		}
		items = append(items, st.Notes...)
		if len(items) > 0 {
			s.Blocks = append(s.Blocks, block{Text: title(st)}, block{List: items})
		}
	}
	for _, r := range m.results {
		if r.Sweep != nil {
			s.Blocks = append(s.Blocks, sweep(*r.Sweep))
		}
	}
	return s
}

func gate(g result.Gate) string {
	value := notMeasured
	if g.Value != nil {
		value = fmt.Sprintf("%.3g %s", *g.Value, g.Unit)
	}
	verdict := "passed"
	if !g.Passed {
		verdict = "failed"
	}
	return fmt.Sprintf("Gate %s: %s, limit %.3g %s, %s", g.Name, value, g.Limit, g.Unit, verdict)
}

func usl(u result.USL) string {
	out := fmt.Sprintf("Universal Scalability Law: contention %s, coherency %s", interval(u.Sigma), interval(u.Kappa))
	if u.KneeUsers != nil {
		out += fmt.Sprintf(", knee at %.0f users", *u.KneeUsers)
	}
	if h := u.HeldOut; h != nil {
		out += fmt.Sprintf("; at %d users, held out of the fit, it predicts %.0f/s and %.0f/s were measured (%+.0f%%)",
			h.Users, h.Predicted, h.Measured, 100*h.ErrorRatio)
	}
	if u.Note != "" {
		out += ". " + u.Note
	}
	return out
}

func interval(i result.Interval) string {
	return fmt.Sprintf("%.3g (%.3g to %.3g)", i.Value, i.Low, i.High)
}

func sweep(s result.Sweep) block {
	if s.Clean {
		return block{Text: "Teardown: the inventory of " + s.CheckedAt.Format("2006-01-02 15:04 MST") + " found nothing left. " + s.Receipt}
	}
	return block{List: append([]string{"Teardown left something behind:"}, s.Left...)}
}

func environmentSection(m measured) section {
	s := section{Title: "How it was measured"}
	for _, r := range m.results {
		e := r.Environment
		facts := []string{
			"Started " + r.StartedAt.UTC().Format("2006-01-02 15:04 MST") + " with: " + r.Command,
			fmt.Sprintf("Load generator: %s/%s, %d cores, %s", e.OS, e.Arch, e.Cores, orUnknown(e.CPU)),
			"Limits: " + orUnknown(e.Limits) + "; source: " + orUnknown(e.Commit),
		}
		var versions []string
		for _, k := range slices.Sorted(maps.Keys(e.Versions)) {
			versions = append(versions, k+" "+e.Versions[k])
		}
		if len(versions) > 0 {
			facts = append(facts, "Versions: "+strings.Join(versions, ", "))
		}
		if st := r.Settings; st != nil {
			facts = append(facts, fmt.Sprintf("Objective: p95 up to %.0f ms and errors up to %.1f%%; steps of %.0f s, %d repeats, search to %.0f%%",
				st.Objective.P95MS, 100*st.Objective.MaxErrorRatio, st.StepSeconds, st.Repeats, 100*st.PrecisionRatio))
		}
		s.Blocks = append(s.Blocks, block{List: facts})
		if r.Settings != nil {
			s.Blocks = append(s.Blocks, mixTable(r.Settings.Mix))
		}
	}
	return s
}

func mixTable(mix []result.Weight) block {
	t := &table{Caption: "What a shopper does", Head: []string{"Flow", "Share", "Requests", "Why"}}
	for _, w := range mix {
		t.Rows = append(t.Rows, []cell{text(w.Flow), number(fmt.Sprintf("%.0f%%", 100*w.ShareRatio)), text(strings.Join(w.Operations, ", ")), text(w.Reason)})
	}
	return block{Table: t}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
