package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shoplab/lab/findings"
	"shoplab/lab/result"
)

func newFindingsCommand() *cobra.Command {
	p := findings.Plan{Repeats: 3, Seconds: 10, Stack: "stage4"}
	out, quick := "report", false
	cmd := &cobra.Command{
		Use:   "findings [" + strings.Join(findings.Names(), "|") + "]...",
		Short: "Replay the original experiment's lessons, each by turning one knob",
		Long: "Findings replays what the original experiment claimed to have learned:\n" + findings.About() +
			"Each gives before, after and their ratio with the raw data, and says plainly when a claim is\nnot reproduced.\n\n" +
			"With --kubeconfig the findings mesh and bypass are measured on a stage 4 that is up on a cluster of yours, all\n" +
			"on one node: mesh, its gateway against a copy of its shop, database and cache without mesh; bypass, a copy\n" +
			"whose shop reaches database and cache through its sidecars against one that goes past them. Copies are made\n" +
			"with kubectl in namespaces of their own, with the secrets, at the ports after the gateway's, and removed in\n" +
			"the end.",
		Example: "  go run ./lab findings\n  go run ./lab findings index pool --quick\n" +
			"  go run ./lab findings mesh --kubeconfig ~/.kube/config",
		ValidArgs: findings.Names(),
		Args:      cobra.OnlyValidArgs,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if p.Root, err = findRoot(); err != nil {
				return err
			}
			if p.Names = args; len(args) == 0 {
				p.Names = findings.Names()
			}
			if err := checkCluster(cmd, p, args); err != nil {
				return err
			}
			if quick {
				p.Repeats, p.Seconds = 1, 3
			}
			if p.Repeats < 1 || p.Repeats > 20 || p.Seconds < 1 || p.Seconds > 600 {
				return errors.New("--repeats: want 1 to 20; --seconds: want 1 to 600")
			}
			if !cmd.Flags().Changed("out") {
				out = inRepository(out)
			}
			out = outFile(out, "findings.json")
			if err := result.CheckFile(out); err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			progress := newProgress(cmd.ErrOrStderr())
			defer progress.done()
			p.Say, p.Abort = progress.step, secondSignal(cmd.Context())
			res, err := findings.Run(cmd.Context(), p)
			progress.done()
			if len(res.Findings) == 0 {
				return err
			}
			res.Command = commandLine(cmd)
			if err != nil {
				res.Incomplete = err.Error()
			}
			err = errors.Join(err, result.WriteFile(out, res))
			for _, f := range res.Findings {
				printFinding(cmd.OutOrStdout(), f)
			}
			cmd.Println(out)
			return err
		},
	}
	fl := cmd.Flags()
	fl.IntVar(&p.Repeats, "repeats", p.Repeats, "how often each side is measured, alternately")
	fl.IntVar(&p.Seconds, "seconds", p.Seconds, "`seconds` of one measurement under load")
	fl.BoolVar(&quick, "quick", false, "one repeat of 3 s: a first impression")
	fl.StringVar(&p.Kubeconfig, "kubeconfig", "", "measure mesh or bypass in the cluster of this `file`, with kubectl")
	fl.StringVar(&p.Stack, "stack", p.Stack, "with --kubeconfig: the `stack` that is up there")
	fl.StringVar(&out, "out", out, "where to write the result, for lab report: a `folder`, for its findings.json, or a "+
		"file that ends in .json")
	return cmd
}

// checkCluster refuses what cannot be measured in a cluster.
func checkCluster(cmd *cobra.Command, p findings.Plan, args []string) error {
	if p.Kubeconfig == "" {
		if cmd.Flags().Changed("stack") {
			return errors.New("--stack belongs to --kubeconfig")
		}
		return nil
	}
	elsewhere := func(name string) bool { return !slices.Contains(findings.InCluster, name) }
	if len(args) == 0 || slices.ContainsFunc(args, elsewhere) {
		return fmt.Errorf("--kubeconfig: only the findings %s are measured in a cluster: lab findings mesh --kubeconfig "+
			"FILE", strings.Join(findings.InCluster, " and "))
	}
	if _, err := os.Stat(p.Kubeconfig); err != nil {
		return fmt.Errorf("--kubeconfig: %w", err)
	}
	return nil
}

func printFinding(w io.Writer, f result.Finding) {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) } // a terminal that is gone
	line("%s: %s", f.Name, f.Status)
	line("  claim: %s", f.Claim)
	if f.Skipped != "" {
		line("  %s\n", f.Skipped)
		return
	}
	for _, c := range f.Comparisons {
		ratio := ""
		if c.Ratio != nil {
			ratio = fmt.Sprintf("  x%.3g", *c.Ratio)
		}
		line("  %s: %s (%s) -> %s (%s)%s", c.Measure, median(c.Before, c.Unit), c.Before.Label, median(c.After, c.Unit),
			c.After.Label, ratio)
	}
	line("  %s\n", f.Conclusion)
}

func median(c result.Case, unit string) string {
	if c.Median == nil {
		return "not measured"
	}
	return fmt.Sprintf("%.2f %s", *c.Median, unit)
}
