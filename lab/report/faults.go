package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// faultsSection shows what each stage survived, what it lost, and what that costs.
func faultsSection(m measured) section {
	s := section{Title: "Broken on purpose"}
	faulty, assumptions := faultyStages(m)
	if len(faulty) == 0 {
		return s
	}
	o := measured{}.objective() // faults hold every stage to the default
	s.Blocks = append(s.Blocks, block{Text: fmt.Sprintf("A steady rate, half of what each stage could do, whole "+
		"journeys with payments, and one fault at a time. The objective is missed in a second of which more than %g%% "+
		"of the requests fail or 5%% take longer than %g ms. Seconds and failed requests are the stage's: a wait that "+
		"is known beforehand is cut short on this machine, and each of its seconds counts for several; what AWS takes "+
		"is assumed there, see below, and measured where a stage ran on AWS. An order is lost that was acknowledged, "+
		"and then was not there, there twice, or another.", 100*o.MaxErrorRatio, o.P95MS)})
	s.Blocks = append(s.Blocks, block{Table: faultTable(faulty)}, block{Table: ninesTable(faulty)},
		block{Table: policyTable(faulty)})
	if t := assumptionTable(faulty, assumptions); len(t.Rows) > 0 {
		s.Blocks = append(s.Blocks, block{Table: t})
	}
	for _, st := range faulty {
		if items := faultNotes(st); len(items) > 0 {
			s.Blocks = append(s.Blocks, block{Text: faultyTitle(st)}, block{List: items})
		}
	}
	return s
}

// faultyStages are the stages under faults, here and on AWS: of one that several results hold, the last.
func faultyStages(m measured) (stages []result.FaultyStage, assumptions []result.Assumption) {
	last := map[string]result.FaultyStage{}
	for _, r := range m.results {
		if r.Faults == nil {
			continue
		}
		assumptions = r.Faults.Assumptions
		for _, st := range r.Faults.Stages {
			switch {
			case r.Target != result.TargetAWS:
			case slices.Contains(st.Labels, result.LabelTwinBed):
				st.Name += " (" + result.LabelTwinBed + ")"
			default:
				st.Name += " on AWS"
			}
			last[st.Name] = st
		}
	}
	for _, st := range last {
		stages = append(stages, st)
	}
	slices.SortFunc(stages, func(a, b result.FaultyStage) int { return cmp.Compare(a.Name, b.Name) })
	return stages, assumptions
}

func faultyTitle(st result.FaultyStage) string {
	name := st.Name + " · " + st.Topology
	if len(st.StandIns) > 0 {
		name += " (" + result.LabelStandIn + ")"
	}
	return name
}

// faultTable has a row for each fault and a column for each stage.
func faultTable(stages []result.FaultyStage) *table {
	t := &table{Caption: "Fault by stage: seconds in which the objective was missed, requests failed, orders lost " +
		"(median, lowest to highest)", Head: []string{"Fault"}}
	row := map[string]int{}
	for i, st := range stages {
		t.Head = append(t.Head, faultyTitle(st))
		for _, f := range st.Faults {
			if _, known := row[f.Name]; !known {
				row[f.Name] = len(t.Rows)
				t.Rows = append(t.Rows, []cell{text(f.Name)})
				for range stages {
					t.Rows[len(t.Rows)-1] = append(t.Rows[len(t.Rows)-1], absent())
				}
			}
			t.Rows[row[f.Name]][1+i] = faultCell(st, f)
		}
	}
	return t
}

func faultCell(st result.FaultyStage, f result.Fault) cell {
	switch {
	case f.Skipped != "":
		return text(f.Skipped)
	case len(f.Runs) == 0:
		return absent()
	}
	var missed, failed []float64
	lost, without, down := 0, 0, false
	for _, r := range f.Runs {
		missed, failed = append(missed, r.MissedSeconds), append(failed, r.FailedRequests)
		lost, without = lost+r.Orders.Lost+r.Orders.Duplicates+r.Orders.Wrong, without+r.Orders.Unaccounted
		down = down || r.Unavailable
	}
	said := fmt.Sprintf("%s s, %s failed, %d lost", stats.Range(missed), stats.Range(failed), lost)
	if down {
		said += "; down until it is back"
	}
	if without > 0 {
		said += fmt.Sprintf("; %d charges without an order", without)
	}
	switch {
	case lost+without > 0: // true however busy the machine was
		return cell{Text: said, Class: "invalid"}
	case !trusted(st):
		return cell{Text: invalid, Class: "invalid"}
	}
	if len(f.Assumed) > 0 {
		said += " (assumed: " + strings.Join(f.Assumed, ", ") + ")"
	}
	return number(said)
}

func trusted(st result.FaultyStage) bool { return st.Validity == nil || st.Validity.Valid }

// yearSeconds is a year of 365 days.
const yearSeconds = 365 * 24 * 3600

// ninesTable sets what a stage is expected to be unavailable beside what it costs.
func ninesTable(stages []result.FaultyStage) *table {
	t := &table{
		Caption: "Nines for dollars: what the faults take in a year, by how often each is declared to happen, beside " +
			"what the stage costs; put your own rates in their place",
		Head: []string{"Stage", "A month", "Objective missed a year", "Availability", "Single points of failure"},
	}
	for _, st := range stages {
		row := []cell{text(faultyTitle(st)), absent(), absent(), absent(), absent()}
		if st.MonthlyUSD != nil {
			row[1] = number(fmt.Sprintf("$%.2f", *st.MonthlyUSD))
		}
		switch u := st.UnavailableSecondsAYear; {
		case u == nil:
		case !trusted(st):
			row[2], row[3] = cell{Text: invalid, Class: "invalid"}, cell{Text: invalid, Class: "invalid"}
		default:
			row[2], row[3] = number(fmt.Sprintf("%.1f h", *u/3600)), number(fmt.Sprintf("%.3f%%", 100*(1-*u/yearSeconds)))
		}
		var parts []string
		for _, p := range st.SinglePoints {
			parts = append(parts, p.Part)
		}
		row[4] = number(fmt.Sprint(len(parts)))
		if len(parts) > 0 {
			row[4].Text += ": " + strings.Join(parts, ", ")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func policyTable(stages []result.FaultyStage) *table {
	t := &table{
		Caption: "How each finds and replaces what is broken, as it is configured",
		Head:    []string{"Stage", "Finds", "Replaces", "Held, of what it can do"},
	}
	for _, st := range stages {
		held := absent()
		if st.RatePerSecond != nil {
			held = number(fmt.Sprintf("%.0f requests a second", *st.RatePerSecond))
			if st.CapacityPerSecond != nil {
				held.Text += fmt.Sprintf(" of %.0f", *st.CapacityPerSecond)
			}
		}
		t.Rows = append(t.Rows, []cell{text(faultyTitle(st)), text(st.Detection), text(st.Replacement), held})
	}
	return t
}

// assumptionTable has what the figures rest on, and the declared rates.
func assumptionTable(stages []result.FaultyStage, assumptions []result.Assumption) *table {
	t := &table{Caption: "Assumed, not measured", Head: []string{"What", "How much", "Source"}}
	used := map[string]bool{}
	rates := map[string]string{}
	for _, st := range stages {
		for _, f := range st.Faults {
			for _, name := range f.Assumed {
				used[name] = true
			}
			if f.Skipped == "" {
				rates[f.Name] += fmt.Sprintf(", %g on %s", f.RatePerYear, st.Name)
			}
		}
	}
	for _, a := range assumptions {
		if used[a.Name] {
			t.Rows = append(t.Rows, []cell{text(a.Name), number(fmt.Sprintf("%g %s", a.Value, a.Unit)), text(a.Source)})
		}
	}
	var names []string
	for name := range rates {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Rows = append(t.Rows, []cell{
			text("how often: " + name), number(strings.TrimPrefix(rates[name], ", ") + " a year"),
			text("declared"),
		})
	}
	return t
}

func faultNotes(st result.FaultyStage) (items []string) {
	if st.Error != "" {
		items = append(items, "given up: "+st.Error)
	}
	if !trusted(st) {
		items = append(items, invalid+": "+strings.Join(st.Validity.Reasons, "; "))
	}
	for _, f := range st.Faults {
		if f.What == "" {
			continue
		}
		var after []float64
		for _, r := range f.Runs {
			if r.ReconciledSeconds != nil {
				after = append(after, *r.ReconciledSeconds)
			}
		}
		item := f.Name + ": " + f.What
		if len(after) > 0 && slices.Max(after) > 0 {
			item += fmt.Sprintf("; the books knew of every charge %s s after", stats.Range(after))
		}
		items = append(items, item)
	}
	for _, i := range st.Invariants {
		items = append(items, i.Name+": "+string(i.Status)+", "+i.Detail)
	}
	return append(items, st.Notes...)
}
