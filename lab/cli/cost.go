package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoplab/lab/cost"
	"shoplab/lab/report"
	"shoplab/lab/result"
)

func newCostCommand() *cobra.Command {
	o := costOptions{usage: cost.DefaultUsage(), failAbove: -1}
	cmd := &cobra.Command{
		Use:   "cost [STAGE|GRAPH]...",
		Short: "Estimate what resource graphs cost on AWS",
		Long: `Cost estimates the monthly cost of resource graphs, of this project's stages (all of them when none is
named) or of any Pulumi stack on AWS: the output of pulumi preview --json --show-sames, or of
pulumi stack export; - is standard input. What has a price that cannot be told is listed, never counted as
zero; a graph that is only a part of its stack, or in another region than the prices, says so first. Of
several graphs it says which is the cheapest at which traffic, as far as "lab run" measured each to carry it.

Exit status: 0, 1 after an error, 3 if --fail-above is exceeded. docs/cost.md has the usage file, the JSON
output, where the prices are from, and which types are priced.`,
		Example: `  go run ./lab cost                                 all five stages
  go run ./lab cost stage3 --requests 2000000
  pulumi preview -s prod --json --show-sames | go run ./lab cost -
  pulumi stack export -s prod | go run ./lab cost - --usage usage.yml
  go run ./lab cost --diff before.json after.json    what a change costs, item by item
  go run ./lab cost prod.json --fail-above 250       for CI
  go run ./lab cost --refresh --region eu-central-1 > eu.json && go run ./lab cost prod.json --prices eu.json`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.preview, "preview", "", "one more graph: a `file` with the output of pulumi preview --json, or - for "+
		"standard input")
	f.BoolVar(&o.diff, "diff", false, "compare two graphs, the old one and the new one")
	f.Float64Var(&o.failAbove, "fail-above", -1,
		"exit with status 3 if a graph, with --diff the new one, costs more `USD` a month")
	f.Lookup("fail-above").DefValue = "0" // which help does not show: there is none
	f.StringArrayVar(&o.prices, "prices", nil,
		"a price table `file` that --refresh wrote, of one region; repeatable (default: us-east-1's, which ships with lab)")
	f.BoolVar(&o.refresh, "refresh", false, "read AWS's public price list and print a new price table")
	f.StringVar(&o.region, "region", "us-east-1", "with --refresh: the `region`")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.usageFile, "usage", "", "a usage `file`: what each resource stores, serves and logs a month")
	f.StringVar(&o.results, "results", "", "the result `file` of lab run, for what each stage carries (default "+
		"report/result.json of the repository)")
	f.BoolVar(&o.measuredCPU, "cpu-from-results", false,
		"take the CPU seconds and the function's time a request from --results, for the stages in it")
	f.Float64Var(&o.usage.Requests, "requests", o.usage.Requests, "requests a month")
	f.Float64Var(&o.usage.BytesPerRequest, "bytes", o.usage.BytesPerRequest, "bytes sent per request")
	f.Float64Var(&o.usage.LogBytes, "log-bytes", o.usage.LogBytes, "bytes logged per request")
	f.Float64Var(&o.usage.CPUSeconds, "cpu-seconds", o.usage.CPUSeconds, "CPU seconds that a request takes of the servers")
	f.Float64Var(&o.usage.DatabaseCPUSeconds, "database-cpu-seconds", o.usage.DatabaseCPUSeconds,
		"CPU seconds that a request takes of RDS")
	f.Float64Var(&o.usage.FunctionSeconds, "function-seconds", o.usage.FunctionSeconds,
		"seconds that a Lambda function is billed for a request")
	return cmd
}

type costOptions struct {
	preview, region, results, usageFile string
	prices                              []string
	refresh, json, diff, measuredCPU    bool
	failAbove                           float64
	usage                               cost.Usage
}

// priced is one graph with its estimate.
type priced struct {
	name     string
	graph    cost.Graph
	estimate cost.Estimate
}

func (o costOptions) run(cmd *cobra.Command, args []string) error {
	if o.preview != "" {
		args = append(args, o.preview)
	}
	if err := o.check(cmd, args); err != nil {
		return err
	}
	table, err := o.table()
	if err != nil {
		return err
	}
	if o.refresh {
		return o.printRefreshed(cmd, table)
	}
	u, err := o.readUsage(cmd)
	if err != nil {
		return err
	}
	graphs, err := readGraphs(cmd.InOrStdin(), args)
	if err != nil {
		return err
	}
	measured, err := o.measured()
	if err != nil {
		return err
	}
	var all []cost.Graph
	for i, g := range graphs {
		all = append(all, g.graph)
		graphs[i].estimate = table.Of(g.graph, measured.usage(g.name, u, o.measuredCPU))
	}
	if unused := u.Unused(all...); len(unused) > 0 {
		return fmt.Errorf("--usage: no graph has %s", strings.Join(unused, ", "))
	}
	if o.diff {
		err = o.printDiff(cmd.OutOrStdout(), graphs[0], graphs[1])
		graphs = graphs[1:]
	} else {
		err = o.print(cmd.OutOrStdout(), table, graphs, measured)
	}
	return errors.Join(err, o.tooDear(graphs))
}

// check refuses what cannot be meant, before anything is read.
func (o costOptions) check(cmd *cobra.Command, args []string) error {
	u := o.usage
	if u.Check() != nil {
		return errors.New("--requests, --bytes, --log-bytes, --cpu-seconds, --database-cpu-seconds and --function-seconds: " +
			"want numbers from 0 to 1e15")
	}
	if cmd.Flags().Changed("fail-above") && !(o.failAbove >= 0 && o.failAbove <= 1e9) {
		return fmt.Errorf("--fail-above is %g, want USD a month from 0 on", o.failAbove)
	}
	switch {
	case o.diff && len(args) != 2:
		return errors.New("--diff: name two graphs, the old one and the new one")
	case o.refresh && len(args) > 0:
		return errors.New("--refresh prints a price table; price graphs with it by --prices afterwards")
	case cmd.Flags().Changed("region") && !o.refresh:
		return errors.New("--region goes with --refresh; a graph is priced by the table of the region that it is in")
	}
	return nil
}

func (o costOptions) table() (cost.Table, error) {
	if len(o.prices) == 0 {
		return cost.Prices()
	}
	var tables []cost.Table
	for _, file := range o.prices {
		t, err := cost.ReadPrices(file)
		if err != nil {
			return t, err
		}
		tables = append(tables, t)
	}
	return tables[0].Beside(tables[1:]...)
}

func (o costOptions) printRefreshed(cmd *cobra.Command, table cost.Table) error {
	table, left, err := table.Refresh(cmd.Context(), cost.OfferURL, o.region, time.Now(), func(s string) {
		cmd.PrintErrln(s)
	})
	if err != nil {
		return err
	}
	if len(left) > 0 {
		what := "not in the price list, and kept as they were, not verified: "
		if o.region != "us-east-1" {
			what = "without a price in " + o.region + ", so that what needs them is unknown there: "
		}
		cmd.PrintErrln(what + strings.Join(left, ", "))
	}
	return printJSON(cmd.OutOrStdout(), table)
}

// readUsage is the usage of the flags, over that of a usage file, over the defaults.
func (o costOptions) readUsage(cmd *cobra.Command) (cost.Usage, error) {
	if o.usageFile == "" {
		return o.usage, nil
	}
	f, err := os.Open(o.usageFile)
	if err != nil {
		return o.usage, fmt.Errorf("--usage: %w", err)
	}
	defer func() { _ = f.Close() }()
	u, err := cost.ReadUsage(f, cost.DefaultUsage())
	if err != nil {
		return u, fmt.Errorf("%s: %w", o.usageFile, err)
	}
	for flag, set := range map[string]func(){
		"requests":             func() { u.Requests = o.usage.Requests },
		"bytes":                func() { u.BytesPerRequest = o.usage.BytesPerRequest },
		"log-bytes":            func() { u.LogBytes = o.usage.LogBytes },
		"cpu-seconds":          func() { u.CPUSeconds = o.usage.CPUSeconds },
		"database-cpu-seconds": func() { u.DatabaseCPUSeconds = o.usage.DatabaseCPUSeconds },
		"function-seconds":     func() { u.FunctionSeconds = o.usage.FunctionSeconds },
	} {
		if cmd.Flags().Changed(flag) {
			set()
		}
	}
	return u, nil
}

// tooDear is errTooDear if a graph costs more than --fail-above. Of a part of a stack that cannot be told.
func (o costOptions) tooDear(graphs []priced) error {
	if o.failAbove < 0 {
		return nil
	}
	var errs []error
	for _, g := range graphs {
		switch e := g.estimate; {
		case e.Monthly() > o.failAbove:
			errs = append(errs, fmt.Errorf("%w: %s costs %s$%s a month, more than $%.2f", errThreshold, g.name, atLeast(e),
				e.Total(), o.failAbove))
		case len(e.Incomplete) > 0:
			errs = append(errs, fmt.Errorf("--fail-above: whether %s costs more cannot be told: %s", g.name, e.Incomplete[0]))
		}
	}
	return errors.Join(errs...)
}

// capacities are what the stages were measured to carry, in the file that says so.
type capacities struct {
	file   string // "" where nothing was measured
	stages []result.Stage
}

func (o costOptions) measured() (capacities, error) {
	file := o.results
	if file == "" {
		file = inRepository(filepath.Join("report", "result.json"))
	}
	r, err := result.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && o.results == "" && !o.measuredCPU {
		return capacities{}, nil
	}
	return capacities{file: file, stages: r.Stages}, err
}

// option is a graph with what its stage was measured to carry, if it was.
func (c capacities) option(g priced) cost.Option {
	for _, s := range c.stages {
		if s.Name == g.name {
			return s.CostOption(g.graph)
		}
	}
	return cost.Option{Name: g.name, Graph: g.graph}
}

// usage is u with the CPU, or the time of a function, that a request was measured to take of a stage.
func (c capacities) usage(name string, u cost.Usage, wanted bool) cost.Usage {
	for _, s := range c.stages {
		if !wanted || s.Name != name {
			continue
		}
		servers, database := s.CPUPerRequest()
		if servers != nil {
			u.CPUSeconds = *servers
		}
		if database != nil {
			u.DatabaseCPUSeconds = *database
		}
		if function := s.FunctionPerRequest(); function != nil {
			u.FunctionSeconds = *function
		}
	}
	return u
}

func (c capacities) note() string {
	if c.file == "" {
		return "Nothing was measured yet, so every stage is taken to carry everything: see `lab run`."
	}
	return "How much each carries is from " + c.file + "; a stage that was not measured, or is INVALID, is taken to " +
		"carry everything."
}

// crossover says which graph is the cheapest at which traffic, of those that are priced whole: what has only a
// lower bound may be the dearest.
func crossover(out io.Writer, table cost.Table, graphs []priced, measured capacities) {
	var curves [][]cost.Point
	for _, g := range graphs {
		if g.estimate.LowerBound() {
			_, _ = fmt.Fprintf(out, "\n%s is priced in part only, and left out of the comparison.", g.name)
			continue
		}
		curves = append(curves, table.Curve(measured.option(g), g.estimate.Usage, cost.Volumes()))
	}
	if len(curves) < 2 {
		_, _ = fmt.Fprintln(out)
		return
	}
	_, _ = fmt.Fprintf(out, "\nCheapest per successful request: %s.\n%s\n", report.Crossover(cost.Cheapest(curves...)),
		measured.note())
}
