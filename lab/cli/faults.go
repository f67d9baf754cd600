package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"shoplab/lab/faults"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/stats"
)

func newFaultsCommand() *cobra.Command {
	p := faults.Plan{Repeats: 3, Longest: 3 * time.Second}
	where, out := "local", "report"
	cmd := &cobra.Command{
		Use:   "faults [STAGE]...",
		Short: "Break each stage on purpose and measure what shoppers lose",
		Long: `Faults holds half of what a stage can do, whole journeys with payments, and breaks one thing at a
time: an instance is killed or hangs, a new image is rolled out, the database restarts or crashes,
the cache or the proxy goes, a zone is gone, payments' webhooks do not arrive. It measures how many
requests fail and for how long the objective is missed, and holds the orders and the charges
against each other: none may be lost, made twice, or without the other.

How a stage finds and replaces what is broken comes from its own configuration. A wait that is
known beforehand, such as a health check's interval or the boot of a server, is cut short, and each
of its seconds counts for several (--longest-wait 0s keeps all in full, which takes hours). What AWS
takes is assumed, with its source, and named beside each figure.

Exit status: 0; 1 after an error, or if an order was lost or made twice, or money has no order;
130 after Ctrl-C, which stops everything that was started.`,
		Example: `  go run ./lab faults                                  stages 1 to 4, three repeats: about twenty minutes
  go run ./lab faults stage1 stage3 --quick
  go run ./lab faults stage2 --fault "instance killed" --longest-wait 0s`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) > 0 {
				if len(p.Stages) > 0 {
					return errors.New("name the stages, without --stages")
				}
				p.Stages = args
			}
			if err := checkFaults(&p, where); err != nil {
				return err
			}
			if !cmd.Flags().Changed("out") {
				out = inRepository(out)
			}
			out = outFile(out, "faults.json")
			if err := result.CheckFile(out); err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			if p.Quick {
				p.Repeats, p.Longest = 1, min(p.Longest, 2*time.Second)
			}
			progress := newProgress(cmd.ErrOrStderr())
			defer progress.done()
			command := commandLine(cmd)
			p.Say, p.Abort = progress.step, secondSignal(cmd.Context())
			p.Save = func(res result.Result) error {
				res.Command, res.Incomplete = command, "still running"
				return result.WriteFile(out, res)
			}
			res, err := faults.Run(cmd.Context(), p)
			progress.done()
			if res.Faults == nil || len(res.Faults.Stages) == 0 {
				return err
			}
			res.Command = command
			err = errors.Join(err, result.WriteFile(out, res), printFaults(cmd.OutOrStdout(), *res.Faults))
			cmd.Println(out)
			return errors.Join(err, faults.Broken(*res.Faults))
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&p.Stages, "stages", nil, "the `stages` to break, by comma; all by default")
	f.StringArrayVar(&p.Faults, "fault", nil, "a `fault`, repeatable; all by default: "+strings.Join(faults.Names(), ", "))
	f.StringVar(&where, "target", where, "where: `local`; aws is not offered")
	f.IntVar(&p.Repeats, "repeats", p.Repeats, "how often each fault is inflicted")
	f.DurationVar(&p.Longest, "longest-wait", p.Longest, "how long a wait that is known beforehand is kept; 0s: in full")
	f.Float64Var(&p.Rate, "rate", 0, "`requests` a second instead of half of what the stage can do")
	f.BoolVar(&p.Quick, "quick", false, "one repeat, waits of at most two seconds: a first impression")
	f.StringVar(&out, "out", out, "where to write the result: a `folder`, for its faults.json, or a .json file")
	return cmd
}

// checkFaults refuses what cannot be meant, before anything is started.
func checkFaults(p *faults.Plan, where string) (err error) {
	switch where {
	case "local":
	case "aws":
		return errors.New("--target aws is not offered: faults are inflicted on the twins of this machine only, and what " +
			"AWS takes to replace a part is assumed, with its source, in every result. To try one on AWS, break it by hand " +
			"(aws ec2 terminate-instances, aws ecs stop-task, kubectl delete pod, aws rds reboot-db-instance) under: go run " +
			"./lab load --url URL --rate N")
	default:
		return fmt.Errorf("--target is %q, want local", where)
	}
	if p.Root, err = findRoot(); err != nil {
		return err
	}
	named := p.Stages
	if len(named) == 0 {
		if named, err = stage.Names(p.Root); err != nil {
			return err
		}
	}
	for _, name := range named {
		if _, err := stage.Read(p.Root, name); err != nil {
			return fmt.Errorf("stage %q: %w", name, err)
		}
	}
	p.Stages = named
	return p.Check()
}

// printFaults prints a table a stage.
func printFaults(out io.Writer, f result.Faults) error {
	for _, st := range f.Stages {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // Flush reports the error
		p("%s\tOBJECTIVE MISSED S\tREQUESTS FAILED\tORDERS LOST\tCHARGES WITHOUT ORDER\tASSUMED\n", strings.ToUpper(st.Name))
		for _, one := range st.Faults {
			if one.Skipped != "" || len(one.Runs) == 0 {
				p("%s\t-\t-\t-\t-\t%s\n", one.Name, one.Skipped)
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
		line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) } // as above
		if st.Validity != nil && !st.Validity.Valid {
			line("INVALID: %s", strings.Join(st.Validity.Reasons, "; "))
		}
		for _, note := range st.Notes {
			line("  %s", note)
		}
		line("")
	}
	return nil
}
