package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"shoplab/lab/cost"
)

// costVersion is the version of the JSON output of lab cost; docs/cost.md describes it.
const costVersion = 1

type costJSON struct {
	Version   int                `json:"version"`
	Estimates []costEstimateJSON `json:"estimates"`
	Diff      *costDiffJSON      `json:"diff,omitempty"`
}

type costEstimateJSON struct {
	Name       string     `json:"name"`
	Monthly    cost.Money `json:"monthly_usd"`
	Gross      cost.Money `json:"monthly_usd_without_allowances"`
	Daily      float64    `json:"daily_usd"`
	LowerBound bool       `json:"lower_bound"`
	cost.Estimate
}

type costDiffJSON struct {
	Old     string        `json:"old"`
	New     string        `json:"new"`
	Delta   cost.Money    `json:"delta_monthly_usd"`
	Changes []cost.Change `json:"changes"`
}

func asJSON(graphs ...priced) costJSON {
	out := costJSON{Version: costVersion}
	for _, g := range graphs {
		e := g.estimate
		if e.Unknown == nil {
			e.Unknown = []string{}
		}
		if e.Lines == nil {
			e.Lines = []cost.Line{}
		}
		out.Estimates = append(out.Estimates, costEstimateJSON{
			Name: g.name, Monthly: e.Total(), Gross: e.Gross(), Daily: e.Daily(), LowerBound: e.LowerBound(), Estimate: e,
		})
	}
	return out
}

// print prints what each graph costs, and how they compare.
func (o costOptions) print(out io.Writer, table cost.Table, graphs []priced, measured capacities) error {
	if o.json {
		return printJSON(out, asJSON(graphs...))
	}
	if err := printCosts(out, table, graphs); err != nil || len(graphs) < 2 {
		return err
	}
	crossover(out, table, graphs, measured)
	return nil
}

// printCosts prints what each graph costs, item by item, and then the graphs side by side. What makes an
// estimate a part only comes first.
func printCosts(out io.Writer, t cost.Table, graphs []priced) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // Flush reports the error
	printIncomplete(out, graphs)
	for _, g := range graphs {
		printItems(p, g)
	}
	p("GRAPH\tMONTHLY\tDAILY\tPER REQUEST\tMONTHLY WITHOUT FREE ALLOWANCES\n")
	hidden := false
	for _, g := range graphs {
		e := g.estimate
		bound := ""
		switch {
		case len(e.Incomplete) > 0:
			bound = "  (at least: a part of the stack only)"
		case len(e.Unknown) > 0:
			bound = fmt.Sprintf("  (at least: %d unknown)", len(e.Unknown))
		}
		p("%s\t$%s\t$%.2f\t$%.6f\t$%s%s\n", g.name, e.Total(), e.Daily(), e.PerRequest(), e.Gross(), bound)
		hidden = hidden || e.TakenOff() > 0
	}
	if hidden {
		p("\nFree allowances are the account's, not the stack's: a second stack in it does not get them again.\n")
	}
	p("\nPrices of %s in %s: %s.\n", t.Date, t.Region, t.Source)
	for _, line := range assumed(graphs) {
		p("%s\n", line)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print costs: %w", err)
	}
	return nil
}

// printIncomplete says what is not the whole stack.
func printIncomplete(out io.Writer, graphs []priced) {
	said := false
	for _, g := range graphs {
		for _, why := range g.estimate.Incomplete {
			said = true
			_, _ = fmt.Fprintf(out, "NOT THE WHOLE COST of %s: %s.\n", g.name, strings.TrimSuffix(why, "."))
		}
	}
	if said {
		_, _ = fmt.Fprintln(out)
	}
}

func printItems(p func(string, ...any), g priced) {
	p("%s\tITEM\tUNITS A MONTH\tUSD A MONTH\n", strings.ToUpper(g.name))
	for _, l := range g.estimate.Lines {
		note := ""
		if l.Unverified {
			note = " (price not verified)"
		}
		p("%s\t%s\t%.4g %s\t%s%s\n", l.Resource, l.Item, l.Count, l.Unit, l.USD, note)
	}
	for _, a := range g.estimate.Allowances {
		what := fmt.Sprintf("%.4g %s", a.Units, a.Unit)
		if a.Units == 0 {
			what = "lower price for much"
		}
		p("free allowance\t%s\t%s\t-%s\n", a.Item, what, a.USD)
	}
	for _, unknown := range g.estimate.Unknown { // lines of their own: in a cell they would push the columns apart
		p("not counted: %s\n", unknown)
	}
	p("\n")
}

// assumed is the usage behind the estimates, once where it is the same for all.
func assumed(graphs []priced) []string {
	var lines []string
	for i, g := range graphs {
		u := g.estimate.Usage
		line := fmt.Sprintf("%.0f requests a month, %.0f bytes sent, %.0f bytes logged and %.3g s of the servers' CPU "+
			"(%.3g s of the database's), or of a function %.3g s, for each.",
			u.Requests, u.BytesPerRequest, u.LogBytes, u.CPUSeconds, u.DatabaseCPUSeconds, u.FunctionSeconds)
		if i == 0 || line != strings.TrimPrefix(lines[0], "Assumed of all: ") {
			lines = append(lines, line)
		}
	}
	if len(lines) > 1 {
		for i := range lines {
			lines[i] = graphs[i].name + ": " + lines[i]
		}
	}
	return lines
}

// printDiff prints what a change costs, item by item.
func (o costOptions) printDiff(out io.Writer, before, after priced) error {
	d := cost.Compare(before.estimate, after.estimate)
	if o.json {
		doc := asJSON(before, after)
		doc.Diff = &costDiffJSON{Old: before.name, New: after.name, Delta: d.Delta(), Changes: d.Changes}
		if doc.Diff.Changes == nil {
			doc.Diff.Changes = []cost.Change{}
		}
		return printJSON(out, doc)
	}
	printIncomplete(out, []priced{before, after})
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // Flush reports the error
	p("RESOURCE\tITEM\tOLD USD A MONTH\tNEW USD A MONTH\tCHANGE\n")
	for _, c := range d.Changes {
		p("%s\t%s\t%s\t%s\t%s\n", c.Resource, c.Item, c.Old, c.New, signed(c.New-c.Old))
	}
	p("total\t\t%s%s\t%s%s\t%s\n", atLeast(d.Old), d.Old.Total(), atLeast(d.New), d.New.Total(), signed(d.Delta()))
	for _, side := range []priced{before, after} {
		for _, unknown := range side.estimate.Unknown {
			p("not known of %s: %s\n", side.name, unknown)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print costs: %w", err)
	}
	return nil
}

func signed(m cost.Money) string {
	if m >= 0 {
		return "+" + m.String()
	}
	return m.String()
}

func atLeast(e cost.Estimate) string {
	if e.LowerBound() {
		return "at least "
	}
	return ""
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
