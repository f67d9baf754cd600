package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"shoplab/lab/report"
)

// maxNeed is more requests, or dollars, a month than anybody asks for; NaN and infinities are not below it.
const maxNeed = 1e15

func newAdviseCommand() *cobra.Command {
	var need report.Need
	files := []string{filepath.Join("report", "result.json")}
	cmd := &cobra.Command{
		Use:   "advise",
		Short: "Say which stage to take, from measured results",
		Example: "  go run ./lab advise --users 100\n" +
			"  go run ./lab advise --users 300 --requests 2000000 --budget 90 --results report/result.json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !(need.Users >= 0 && need.Requests >= 0 && need.Requests <= maxNeed && need.Budget >= 0 && need.Budget <= maxNeed) {
				return errors.New("--users, --requests and --budget: want numbers from 0 on")
			}
			if !cmd.Flags().Changed("results") {
				files = []string{inRepository(files[0])}
			}
			results, err := readResults(files)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("there is nothing measured yet; run `lab run` first, or name a file with --results: %w", err)
			} else if err != nil {
				return err
			}
			for _, line := range report.Advise(report.Stages(results...), need) {
				cmd.Println(line)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&need.Users, "users", 0, "concurrent users to serve within the objective")
	f.Float64Var(&need.Requests, "requests", 0, "requests a month")
	f.Float64Var(&need.Budget, "budget", 0, "USD a month")
	f.StringSliceVar(&files, "results", files, "result `files` of lab run (by default in the repository)")
	return cmd
}
