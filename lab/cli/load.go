package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"shoplab/lab/experiment"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target/aws"
)

func newLoadCommand() *cobra.Command {
	l := loading{load: load.Load{Purpose: result.PurposeLoad, Settle: time.Second}}
	failIf := ""
	cmd := &cobra.Command{
		Use:   "load --url URL",
		Short: "Send shoppers to any deployed shop",
		Long: `Load sends the same shoppers as "lab run" to a shop that is up already: a number of users who
each wait for their answers (--users), or requests at a constant rate (--rate), whose latency
counts from when each was due. The shop must simulate payments; accounts are registered and
orders placed in it. With --target aws the load is sent from tasks on Fargate in the shop's region (0.05 USD an
hour each; a Pulumi stack of its own, gone afterwards). Ctrl-C ends it early, prints what was measured until then, and
saves that with --out.

Exit status: 0; 1 after an error, if no request was measured, or if an INVALID measurement cannot tell whether a
threshold of --fail-if holds; 3 if one is missed; 130 after Ctrl-C.`,
		Example: `  go run ./lab load --url http://127.0.0.1:8080
  go run ./lab load --url https://shop.example --users 200 --duration 1m
  go run ./lab load --url http://127.0.0.1:8080 --rate 300 --out load.json
  go run ./lab load --url https://shop.example --rate 20000 --shards 4           four processes share the load
  go run ./lab load --url https://shop.example --rate 5000 --target aws --region us-east-1
  go run ./lab load --url https://shop.example --fail-if p95=500ms,errors=1%     for CI
  go run ./lab load --url https://localhost:8443 --insecure                      a self-signed certificate`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cmd.Flags().Changed("rate") {
				if cmd.Flags().Changed("users") {
					return errors.New("give either --users or --rate")
				}
				l.load.Users = 0
			}
			if failIf != "" {
				if l.thresholds, err = load.ParseThresholds(failIf); err != nil {
					return fmt.Errorf("--fail-if: %w", err)
				}
			}
			l.command = commandLine(cmd)
			l.progress = newProgress(cmd.ErrOrStderr())
			defer l.progress.done()
			return l.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&l.options.URL, "url", "", "the shop's `address`")
	f.IntVar(&l.load.Users, "users", 50, fmt.Sprintf("concurrent `users`, up to %d", load.MaxUsers))
	f.Float64Var(&l.load.Rate, "rate", 0, "`requests` a second instead of users")
	f.DurationVar(&l.load.Think, "think", 0, "how long a user thinks, on average, between an answer and the next request")
	l.sending.flags(f)
	f.StringVar(&l.target, "target", "", "`aws`: the shop is there, so that the load is sent from its region")
	f.StringVar(&l.region, "region", regionHere(), "with --target aws: the shop's region")
	f.StringArrayVar(&l.config, "config", nil,
		"with --target aws: configuration of the load generator's stack, as `KEY=VALUE`; repeatable")
	f.DurationVar(&l.load.Duration, "duration", 20*time.Second, "how long to measure, up to 1h")
	f.StringVar(&failIf, "fail-if", "", "exit with status 3 if one of these `thresholds` is missed: p50, p90, p95, p99, "+
		"mean, max, errors, throughput")
	f.BoolVar(&l.options.Insecure, "insecure", false, "accept any certificate of the shop")
	f.StringVar(&l.out, "out", "", "also write the result, for lab report: a `folder`, for its load.json, or a file "+
		"that ends in .json")
	if err := cmd.MarkFlagRequired("url"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// loading is one run of the command.
type loading struct {
	options      load.Options
	sending      sending
	target       string
	region       string
	config       []string
	out, command string
	load         load.Load
	thresholds   []load.Threshold
	progress     *progress
}

// check refuses what cannot be meant, before the shop is asked anything.
func (l *loading) check() (err error) {
	if _, err := load.ParseURL(l.options.URL); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	if l.load.Duration < time.Second || l.load.Duration > time.Hour {
		return fmt.Errorf("--duration is %s, want 1s to 1h", l.load.Duration)
	}
	l.load.Duration = l.load.Duration.Round(time.Second)
	if err := l.checkSender(); err != nil {
		return err
	}
	whole := l.load
	whole.Part.Of = l.sending.shards
	if err := whole.Check(); err != nil {
		return fmt.Errorf("--users, --rate: %w", err)
	}
	if l.out == "" {
		return nil
	}
	l.out = outFile(l.out, "load.json")
	if err := result.CheckFile(l.out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

// checkSender refuses who cannot send the load.
func (l *loading) checkSender() error {
	if l.target != "" && l.target != "aws" {
		return fmt.Errorf("--target is %q, want aws, or none for a shop anywhere", l.target)
	}
	if err := l.sending.check(l.target); err != nil {
		return err
	}
	if l.sending.generator == "here" {
		return nil
	}
	switch {
	case l.region == "":
		return errors.New("--target aws: in which region is the shop? say --region, such as us-east-1")
	case load.Loopback(l.options.URL):
		return errors.New("--target aws: the shop is on this machine, which no load generator on AWS can reach")
	case l.sending.shards == 0:
		l.sending.shards = aws.ShardsFor(l.load)
	}
	if l.sending.shards > maxShards {
		return fmt.Errorf("--users, --rate: the load asks for %d load generators of 1 vCPU, and %d are allowed",
			l.sending.shards, maxShards)
	}
	return nil
}

func (l *loading) run(ctx context.Context, stdout io.Writer) error {
	if err := l.check(); err != nil {
		return err
	}
	root := ""
	if l.sending.generator == "aws" {
		var err error
		if root, err = findRoot(); err != nil {
			return err
		}
	}
	from, down, err := l.sending.setUp(ctx, root, l.region, l.config, l.progress.step)
	if err != nil {
		return err
	}
	res, err := experiment.Load(ctx, from, l.options, l.load, l.progress.step)
	err = errors.Join(err, down(ctx))
	l.progress.done()
	if len(res.Stages) != 1 {
		return err
	}
	st := res.Stages[0]
	if len(st.Steps) == 1 {
		err = errors.Join(err, printStep(stdout, st))
		if res.Incomplete != "" {
			_, _ = fmt.Fprintln(stdout, strings.Replace(res.Incomplete, "interrupted", "INTERRUPTED", 1))
		}
	}
	if l.out != "" {
		res.Command = l.command
		err = errors.Join(err, result.WriteFile(l.out, res))
	}
	if err == nil {
		err = l.checkThresholds(st)
	}
	return err
}

// checkThresholds holds the step against the thresholds of --fail-if.
func (l *loading) checkThresholds(st result.Stage) error {
	step := st.Steps[0]
	switch {
	case step.Requests == 0:
		return errors.New("INVALID: no request was measured")
	case len(l.thresholds) > 0 && st.Invalid():
		return fmt.Errorf("--fail-if cannot be told from an INVALID measurement: %s", strings.Join(st.Validity.Reasons, "; "))
	}
	var errs []error
	for _, t := range l.thresholds {
		if why := t.Missed(step); why != "" {
			errs = append(errs, fmt.Errorf("%w: %s", errThreshold, why))
		}
	}
	return errors.Join(errs...)
}

// printStep prints what the shoppers saw.
func printStep(out io.Writer, st result.Stage) error {
	s := st.Steps[0]
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // Flush reports the error
	p("OPERATION\tREQUESTS\tFAILED\tP50 MS\tP95 MS\tP99 MS\tMAX MS\t\n")
	row := func(name string, requests, failed int, l *result.Latency) {
		if l == nil {
			p("%s\t%d\t%d\t-\t-\t-\t-\t\n", name, requests, failed)
			return
		}
		p("%s\t%d\t%d\t%.1f\t%.1f\t%.1f\t%.1f\t\n", name, requests, failed, l.P50MS, l.P95MS, l.P99MS, l.MaxMS)
	}
	for _, o := range s.Operations {
		row(o.Name, o.Requests, o.Failed, o.Latency)
	}
	row("all", s.Requests, s.Failed, s.Latency)
	if err := w.Flush(); err != nil {
		return err
	}
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) } // as above
	line("\n%.0f requests a second, %.2f%% failed, %d orders paid", s.Throughput, 100*s.ErrorRatio, s.Orders)
	for _, kind := range slices.Sorted(maps.Keys(s.Errors)) {
		line("  %s: %d", kind, s.Errors[kind])
	}
	if n := s.RateLimited(); n > 0 {
		line("%d of them were refused by the shop's own rate limit, not because it could not serve them: %s", n,
			result.LiftRateLimit)
	}
	if s.MissedSends != nil {
		line("%d requests left more than 10 ms late", *s.MissedSends)
	}
	for _, g := range s.Shards {
		line("shard %s: %s", g.Shard, shardLine(g))
	}
	for _, inv := range st.Invariants {
		line("%s: %s (%s)", inv.Rule, inv.Status, inv.Detail)
	}
	if st.Invalid() {
		line("INVALID: %s", strings.Join(st.Validity.Reasons, "; "))
	}
	return nil
}
