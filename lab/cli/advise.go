package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"shoplab/lab/report"
)

// maxNeed is more requests, or dollars, a month than anybody asks for; NaN and infinities are not below it.
const maxNeed = 1e15

func newAdviseCommand() *cobra.Command {
	var need report.Need
	var think time.Duration
	files := []string{filepath.Join("report", "result.json")}
	cmd := &cobra.Command{
		Use:   "advise",
		Short: "Say which stage to take, from measured results",
		Long: `Advise names the cheapest stage that meets a need. Where the forecast of a stage validated in its run
(see lab forecast), what it carries on AWS decides; elsewhere what it carried where it was measured.`,
		Example: "  go run ./lab advise --users 100\n" +
			"  go run ./lab advise --users 300 --requests 2000000 --budget 90 --results report/result.json\n" +
			"  go run ./lab advise --users 2000 --think 5s --survive-server",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !(need.Users >= 0 && need.Requests >= 0 && need.Requests <= maxNeed && need.Budget >= 0 &&
				need.Budget <= maxNeed && think >= 0) {
				return errors.New("--users, --requests, --budget and --think: want numbers from 0 on")
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
			need.Forecasts = report.Decided(results, think)
			for _, line := range report.Advise(report.Stages(results...), need) {
				cmd.Println(line)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&need.Users, "users", 0, "concurrent users to serve within the objective")
	f.DurationVar(&think, "think", 0, "how long such a user thinks between requests; counts where a forecast decides")
	f.BoolVar(&need.SurvivesServer, "survive-server", false, "never a stage with one server, which is gone with it")
	f.Float64Var(&need.Requests, "requests", 0, "requests a month")
	f.Float64Var(&need.Budget, "budget", 0, "USD a month")
	f.StringSliceVar(&files, "results", files, "result `files` of lab run (by default in the repository)")
	return cmd
}
