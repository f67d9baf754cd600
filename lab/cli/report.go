package cli

import (
	"path/filepath"

	"shoplab/lab/report"
	"shoplab/lab/result"

	"github.com/spf13/cobra"
)

func newReportCommand() *cobra.Command {
	dir, combined, table := "report", "", false
	cmd := &cobra.Command{
		Use:   "report FILE...",
		Short: "Render results to HTML and Markdown again",
		Long: `Report renders result files to index.html, one page that needs nothing else, and to report.md with its
charts in charts/. Of a stage that several files hold, the last counts. --table prints the forecast beside
what was measured as one Markdown table, and writes no file. --combine writes one result file of them all, for
lab forecast and lab advise, without the seconds of each step.`,
		Example: "  go run ./lab report report/result.json\n  go run ./lab report monday.json tuesday.json --out compared\n" +
			"  go run ./lab report report/result.json --table\n" +
			"  go run ./lab report monday/result.json tuesday/result.json --combine report/result.json",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			results, err := readResults(args)
			if err != nil {
				return err
			}
			if table {
				return report.Table(cmd.OutOrStdout(), results...)
			}
			if combined != "" {
				res, err := result.Combine(results...)
				if err != nil {
					return err
				}
				return result.WriteFile(combined, res)
			}
			if !cmd.Flags().Changed("out") {
				dir = inRepository(dir)
			}
			p := newProgress(cmd.ErrOrStderr())
			defer p.done()
			draw, err := newDraw(cmd.Context(), p)
			if err != nil {
				return err
			}
			p.step("writing the report")
			if err := report.Write(dir, draw, results...); err != nil {
				return err
			}
			p.done()
			cmd.Println(filepath.Join(dir, report.HTMLFile))
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "out", dir, "the `folder` to write to (by default in the repository)")
	cmd.Flags().BoolVar(&table, "table", false, "print the forecast beside what was measured as a Markdown table")
	cmd.Flags().StringVar(&combined, "combine", "", "write one result `file` of all, and no report")
	cmd.MarkFlagsMutuallyExclusive("table", "out", "combine")
	return cmd
}

func readResults(files []string) ([]result.Result, error) {
	var out []result.Result
	for _, f := range files {
		r, err := result.ReadFile(f)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
