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
	s := section{Title: "Can it be trusted?"}
	for _, t := range []*table{gateTable(m), invariantTable(m), uslTable(m)} {
		if len(t.Rows) > 0 {
			s.Blocks = append(s.Blocks, block{Table: t})
		}
	}
	for _, st := range m.stages {
		var items []string
		if st.Invalid() {
			items = append(items, invalid+": "+strings.Join(st.Validity.Reasons, "; "))
		}
		for _, i := range st.Invariants {
			items = append(items, i.Name+": "+i.Detail)
		}
		if st.USL != nil && st.USL.Note != "" {
			items = append(items, st.USL.Note)
		}
		items = append(items, st.Notes...)
		if len(items) > 0 {
			s.Blocks = append(s.Blocks, block{Heading: title(st)}, block{List: items})
		}
	}
	for _, r := range m.results {
		if r.Sweep != nil {
			s.Blocks = append(s.Blocks, sweep(*r.Sweep))
		}
	}
	return s
}

// gateTable has a row for each gate, in the order of the first stage that passed through it.
func gateTable(m measured) *table {
	t := &table{
		Caption: "Validity: the worst value seen, which must not be above the limit", Head: []string{"Gate", "Limit"},
	}
	row := map[string]int{}
	for i, st := range m.stages {
		t.Head = append(t.Head, title(st))
		if st.Validity == nil {
			continue
		}
		for _, g := range st.Validity.Gates {
			if _, known := row[g.Name]; !known {
				row[g.Name] = len(t.Rows)
				t.Rows = append(t.Rows, append([]cell{text(g.Name + " (" + g.Unit + ")"), number(amount(g.Limit))},
					notMeasuredIn(m.stages)...))
			}
			t.Rows[row[g.Name]][2+i] = gate(g)
		}
	}
	return t
}

// notMeasuredIn is an empty cell for each stage.
func notMeasuredIn(stages []result.Stage) []cell {
	cells := make([]cell, len(stages))
	for i := range cells {
		cells[i] = absent()
	}
	return cells
}

func gate(g result.Gate) cell {
	switch {
	case g.Value == nil:
		return absent()
	case !g.Passed:
		return cell{Text: amount(*g.Value), Class: "invalid"}
	}
	return number(amount(*g.Value))
}

func invariantTable(m measured) *table {
	t := &table{Caption: "Invariants, checked under load and after it", Head: []string{"Invariant"}}
	row := map[string]int{}
	for i, st := range m.stages {
		t.Head = append(t.Head, title(st))
		for _, inv := range st.Invariants {
			if _, known := row[inv.Name]; !known {
				row[inv.Name] = len(t.Rows)
				t.Rows = append(t.Rows, append([]cell{text(inv.Rule)}, notMeasuredIn(m.stages)...))
			}
			c := text(string(inv.Status))
			if inv.Status == result.InvariantViolated {
				c.Class = "invalid"
			}
			t.Rows[row[inv.Name]][1+i] = c
		}
	}
	return t
}

func uslTable(m measured) *table {
	t := &table{
		Caption: "Universal Scalability Law, fitted to all but the step with the most users, which it then predicts",
		Head:    []string{"Stage", "Contention", "Coherency", "Knee", "Held out", "Predicted", "Measured", "Off by"},
		Terms: []term{
			{
				"Contention, Coherency", "how much of the work waits for its turn, and how much each user costs every other; " +
					"with 95% intervals.",
			},
			{"Knee", "where throughput would peak and then fall."},
		},
	}
	for _, st := range m.stages {
		u := st.USL
		if u == nil {
			continue
		}
		row := []cell{
			text(title(st)), number(interval(u.Sigma)), number(interval(u.Kappa)), text("none"), absent(), absent(), absent(),
			absent(),
		}
		if u.KneeUsers != nil {
			row[3] = number(fmt.Sprintf("%.0f users", *u.KneeUsers))
		}
		if h := u.HeldOut; h != nil {
			row[4], row[5] = number(fmt.Sprintf("%d users", h.Users)), number(fmt.Sprintf("%.0f/s", h.Predicted))
			row[6], row[7] = number(fmt.Sprintf("%.0f/s", h.Measured)), number(fmt.Sprintf("%+.0f%%", 100*h.ErrorRatio))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func interval(i result.Interval) string {
	return fmt.Sprintf("%.3g (%.3g to %.3g)", i.Value, i.Low, i.High)
}

func sweep(s result.Sweep) block {
	if s.Clean && len(s.Removed) > 0 {
		text := fmt.Sprintf("Teardown: pulumi destroy left %d resources, which were deleted one by one; the inventory of "+
			"%s found nothing left. %s",
			len(s.Removed), s.CheckedAt.Format("2006-01-02 15:04 MST"), s.Receipt)
		return block{Text: text}
	}
	if s.Clean {
		return block{
			Text: "Teardown: the inventory of " + s.CheckedAt.Format("2006-01-02 15:04 MST") + " found nothing left. " +
				s.Receipt,
		}
	}
	return block{List: append([]string{"Teardown left something behind:"}, s.Left...)}
}

func environmentSection(m measured) section {
	s := section{Title: "Method"}
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
			facts = append(facts, fmt.Sprintf("Objective: p95 up to %.0f ms and errors up to %.1f%%; steps of %.0f s, %d "+
				"repeats, search to %.0f%%",
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
		t.Rows = append(t.Rows, []cell{
			text(w.Flow), number(fmt.Sprintf("%.0f%%", 100*w.ShareRatio)), text(strings.Join(w.Operations, ", ")),
			text(w.Reason),
		})
	}
	return block{Table: t}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
