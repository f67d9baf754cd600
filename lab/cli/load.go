package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"shoplab/lab/experiment"
	"shoplab/lab/load"
	"shoplab/lab/result"
)

func newLoadCommand() *cobra.Command {
	l := loading{load: load.Load{Purpose: result.PurposeLoad, Settle: time.Second}}
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Send shoppers to any deployed shop",
		Long: `Load sends the same shoppers as "lab run" to a shop that is up already: a number of users who
each wait for their answers (--users), or requests at a constant rate (--rate), whose latency
counts from when each was due. The shop must simulate payments; accounts are registered and
orders placed in it.`,
		Example: `  go run ./lab load --url http://127.0.0.1:8080
  go run ./lab load --url https://shop.example --users 200 --duration 1m
  go run ./lab load --url http://127.0.0.1:8080 --rate 300 --out load.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.load.Rate > 0 && cmd.Flags().Changed("users") {
				return errors.New("give either --users or --rate")
			}
			if l.load.Rate > 0 {
				l.load.Users = 0
			}
			l.command = commandLine(cmd)
			l.progress = newProgress(cmd.ErrOrStderr())
			defer l.progress.done()
			return l.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&l.url, "url", "", "the shop's `address`")
	f.IntVar(&l.load.Users, "users", 50, fmt.Sprintf("concurrent `users`, up to %d", load.MaxUsers))
	f.Float64Var(&l.load.Rate, "rate", 0, "`requests` a second instead of users")
	f.DurationVar(&l.load.Duration, "duration", 20*time.Second, "how long to measure, up to 1h")
	f.StringVar(&l.out, "out", "", "also write the result to this `file`, for lab report")
	if err := cmd.MarkFlagRequired("url"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// loading is one run of the command.
type loading struct {
	url, out, command string
	load              load.Load
	progress          *progress
}

func (l *loading) run(ctx context.Context, stdout io.Writer) error {
	if l.load.Duration < time.Second || l.load.Duration > time.Hour {
		return fmt.Errorf("--duration is %s, want 1s to 1h", l.load.Duration)
	}
	l.load.Duration = l.load.Duration.Round(time.Second)
	if l.out != "" {
		if err := result.CheckFile(l.out); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	res, err := experiment.Load(ctx, l.url, l.load, l.progress.step)
	l.progress.done()
	if len(res.Stages) == 1 && len(res.Stages[0].Steps) == 1 {
		err = errors.Join(err, printStep(stdout, res.Stages[0]))
	}
	if l.out != "" && len(res.Stages) == 1 {
		res.Command = l.command
		err = errors.Join(err, result.WriteFile(l.out, res))
	}
	return err
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
	for kind, n := range s.Errors {
		line("  %s: %d", kind, n)
	}
	if s.MissedSends != nil {
		line("%d requests left more than 10 ms late", *s.MissedSends)
	}
	for _, inv := range st.Invariants {
		line("%s: %s (%s)", inv.Rule, inv.Status, inv.Detail)
	}
	if st.Invalid() {
		line("INVALID: %v", st.Validity.Reasons)
	}
	return nil
}
