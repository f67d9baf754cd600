package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"shoplab/lab/cost"
	"shoplab/lab/report"
	"shoplab/lab/result"
)

func newCostCommand() *cobra.Command {
	o := costOptions{usage: cost.DefaultUsage()}
	cmd := &cobra.Command{
		Use:   "cost [GRAPH...]",
		Short: "Estimate what resource graphs cost on AWS",
		Long: "Estimates the monthly cost of resource graphs: golden graphs of platform/testdata (all of them when\n" +
			"none is named), the output of `pulumi preview --json`, or a stack export. A resource that is not\n" +
			"known is listed, never counted as zero. Of several graphs it says which is the cheapest at which\n" +
			"traffic, as far as `lab run` measured each to carry it.",
		Example: "  go run ./lab cost\n" +
			"  go run ./lab cost platform/testdata/stage3.golden.json --requests 2000000\n" +
			"  pulumi preview -s stage3 --json | go run ./lab cost --preview -\n" +
			"  go run ./lab cost --refresh > prices.json && go run ./lab cost --prices prices.json",
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.preview, "preview", "", "a `file` with the output of pulumi preview --json, or - for standard input")
	f.StringVar(&o.prices, "prices", "", "a price table that --refresh wrote; default: the one that ships with lab")
	f.StringVar(&o.results, "results", filepath.Join("report", "result.json"), "the result `file` of lab run, for the crossover")
	f.BoolVar(&o.refresh, "refresh", false, "read AWS's public price list and print a new price table")
	f.BoolVar(&o.json, "json", false, "print the estimates as JSON")
	f.Float64Var(&o.usage.Requests, "requests", o.usage.Requests, "requests a month")
	f.Float64Var(&o.usage.BytesPerRequest, "bytes", o.usage.BytesPerRequest, "bytes sent per request")
	f.Float64Var(&o.usage.LogBytes, "log-bytes", o.usage.LogBytes, "bytes logged per request")
	f.Float64Var(&o.usage.CPUSeconds, "cpu-seconds", o.usage.CPUSeconds, "CPU seconds that a request takes of the servers")
	f.Float64Var(&o.usage.DatabaseCPUSeconds, "database-cpu-seconds", o.usage.DatabaseCPUSeconds, "CPU seconds that a request takes of RDS")
	return cmd
}

type costOptions struct {
	preview, prices, results string
	refresh, json            bool
	usage                    cost.Usage
}

func (o costOptions) run(cmd *cobra.Command, args []string) error {
	table, err := o.table()
	if err != nil {
		return err
	}
	if o.refresh {
		table, err = table.Refresh(cmd.Context(), cost.OfferURL, time.Now(), func(s string) { cmd.PrintErrln(s) })
		if err != nil {
			return err
		}
		return printJSON(cmd.OutOrStdout(), table)
	}
	names, err := o.graphs(args)
	if err != nil {
		return err
	}
	var shorts []string
	estimates, graphs := map[string]cost.Estimate{}, map[string]cost.Graph{}
	for _, name := range names {
		g, err := readGraph(cmd.InOrStdin(), name)
		if err != nil {
			return err
		}
		short := strings.SplitN(filepath.Base(name), ".", 2)[0]
		if name == "-" {
			short = "preview"
		}
		shorts = append(shorts, short)
		estimates[short], graphs[short] = table.Of(g, o.usage), g
	}
	if o.json {
		return printJSON(cmd.OutOrStdout(), estimates)
	}
	if err := printCosts(cmd.OutOrStdout(), table, o.usage, shorts, estimates); err != nil || len(shorts) < 2 {
		return err
	}
	measured, err := o.measured()
	if err != nil {
		return err
	}
	var curves [][]cost.Point
	for _, name := range shorts {
		curves = append(curves, table.Curve(measured.option(name, graphs[name]), o.usage, cost.Volumes()))
	}
	cmd.Println("\nCheapest per successful request: " + report.Crossover(cost.Cheapest(curves...)) + ".")
	cmd.Println(measured.note())
	return nil
}

// capacities are what the stages were measured to carry, in the file that says so.
type capacities struct {
	file   string // "" where nothing was measured
	stages []result.Stage
}

func (o costOptions) measured() (capacities, error) {
	r, err := result.ReadFile(o.results)
	if errors.Is(err, fs.ErrNotExist) {
		return capacities{}, nil
	}
	return capacities{file: o.results, stages: r.Stages}, err
}

// option is a graph with what its stage was measured to carry, if it was.
func (c capacities) option(name string, g cost.Graph) cost.Option {
	for _, s := range c.stages {
		if s.Name == name {
			return s.CostOption(g)
		}
	}
	return cost.Option{Name: name, Graph: g}
}

func (c capacities) note() string {
	if c.file == "" {
		return "Nothing was measured yet, so every stage is taken to carry everything: see `lab run`."
	}
	return "How much each carries is from " + c.file + "; a stage that was not measured, or is INVALID, is taken to carry everything."
}

func (o costOptions) table() (cost.Table, error) {
	if o.prices != "" {
		return cost.ReadPrices(o.prices)
	}
	return cost.Prices()
}

func (o costOptions) graphs(args []string) ([]string, error) {
	u := o.usage
	if min(u.Requests, u.BytesPerRequest, u.LogBytes, u.CPUSeconds, u.DatabaseCPUSeconds) < 0 {
		return nil, errors.New("--requests, --bytes, --log-bytes, --cpu-seconds and --database-cpu-seconds cannot be negative")
	}
	if o.preview != "" {
		args = append(args, o.preview)
	}
	if len(args) > 0 {
		return args, nil
	}
	found, err := filepath.Glob("platform/testdata/stage*.golden.json")
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errors.New("no resource graph: run lab in the project's folder, or name a file or --preview")
	}
	return found, nil
}

func readGraph(stdin io.Reader, name string) (cost.Graph, error) {
	if name == "-" {
		return cost.ReadGraph(stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read resource graph: %w", err)
	}
	defer func() { _ = f.Close() }()
	g, err := cost.ReadGraph(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

// printCosts prints what each graph costs, item by item, and then the graphs side by side.
func printCosts(out io.Writer, t cost.Table, u cost.Usage, names []string, estimates map[string]cost.Estimate) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // Flush reports the error
	for _, name := range names {
		e := estimates[name]
		p("%s\tITEM\tUNITS A MONTH\tUSD A MONTH\n", strings.ToUpper(name))
		for _, l := range e.Lines {
			note := ""
			if l.Unverified {
				note = " (price not verified)"
			}
			p("%s\t%s\t%.4g %s\t%.2f%s\n", l.Resource, l.Item, l.Count, l.Unit, l.USD, note)
		}
		for _, unknown := range e.Unknown {
			p("%s\tunknown\t\tnot counted\n", unknown)
		}
		p("\n")
	}
	p("STAGE\tMONTHLY\tDAILY\tPER REQUEST\n")
	for _, name := range names {
		e := estimates[name]
		bound := ""
		if len(e.Unknown) > 0 {
			bound = fmt.Sprintf("  (at least: %d unknown)", len(e.Unknown))
		}
		p("%s\t$%.2f\t$%.2f\t$%.6f%s\n", name, e.Monthly(), e.Daily(), e.PerRequest(), bound)
	}
	p("\nPrices of %s in %s; %.0f requests a month, %.0f bytes sent, %.0f bytes logged and %g s of the servers' CPU\n"+
		"(%g s of the database's) for each.\n",
		t.Date, t.Region, u.Requests, u.BytesPerRequest, u.LogBytes, u.CPUSeconds, u.DatabaseCPUSeconds)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print costs: %w", err)
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
