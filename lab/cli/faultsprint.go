package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// printFaults prints a table a stage, what they rest on, and what their columns mean.
func printFaults(out io.Writer, f result.Faults) error {
	var assumed []string
	for _, st := range f.Stages {
		if err := printFaulty(out, st); err != nil {
			return err
		}
		for _, one := range st.Faults {
			assumed = append(assumed, one.Assumed...)
		}
	}
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) } // the last line tells of an error
	o := load.DefaultObjective
	p("OBJECTIVE MISSED: for how long more than %g%% of the requests failed, or 5%% took longer than %g ms.\n",
		100*o.MaxErrorRatio, o.P95MS)
	p("ORDERS LOST: acknowledged, and then not there, there twice, or other than acknowledged.\n")
	p("Of several repeats: median (lowest-highest). Seconds and requests are the stage's: a wait that was cut short\n" +
		"here counts in full, for as long as the stage's configuration or an assumption has it.\n")
	for _, a := range f.Assumptions {
		if slices.Contains(assumed, a.Name) {
			p("ASSUMED: %s: %g %s (%s)\n", a.Name, a.Value, a.Unit, a.Source)
		}
	}
	_, err := fmt.Fprintln(out)
	return err
}

// printFaulty prints one stage.
func printFaulty(out io.Writer, st result.FaultyStage) error {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) } // Flush tells of an error
	held := ""
	if st.RatePerSecond != nil {
		held = fmt.Sprintf(", at %.0f requests a second", *st.RatePerSecond)
		if st.CapacityPerSecond != nil {
			held += fmt.Sprintf(" of the %.0f that it can answer", *st.CapacityPerSecond)
		}
	}
	line("%s (%s)%s", st.Name, st.Topology, held)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // as above
	p("FAULT\tOBJECTIVE MISSED, SECONDS\tREQUESTS FAILED\tORDERS LOST\tCHARGES WITHOUT ORDER\tASSUMED\n")
	for _, one := range st.Faults {
		if one.Skipped != "" || len(one.Runs) == 0 {
			p("%s\t-\t-\t-\t-\tnot inflicted: %s\n", one.Name, cmp.Or(one.Skipped, "the stage was given up before"))
			continue
		}
		var missed, failed []float64
		lost, without := 0, 0
		for _, r := range one.Runs {
			missed, failed = append(missed, r.MissedSeconds), append(failed, r.FailedRequests)
			lost, without = lost+r.Orders.Lost+r.Orders.Duplicates+r.Orders.Wrong, without+r.Orders.Unaccounted
		}
		p("%s\t%s\t%s\t%d\t%d\t%s\n", one.Name, stats.Range(missed), stats.Range(failed), lost, without,
			strings.Join(one.Assumed, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	valid := st.Validity == nil || st.Validity.Valid
	if !valid {
		line("INVALID, the figures are not to be used: %s", strings.Join(st.Validity.Reasons, "; "))
	}
	if st.UnavailableSecondsAYear != nil && valid {
		line("By how often each fault is declared to happen, the objective is missed for %.1f hours a year.",
			*st.UnavailableSecondsAYear/3600)
	}
	for _, note := range st.Notes {
		line("  %s", note)
	}
	line("")
	return nil
}
