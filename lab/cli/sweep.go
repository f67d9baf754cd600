package cli

import (
	"errors"
	"fmt"
	"time"

	"shoplab/lab/sweep"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"
)

// errNotEmpty makes the exit status tell a script that something is left.
var errNotEmpty = errors.New("the account is not empty: destroy the stacks above, or delete what they left")

func newSweepCommand() *cobra.Command {
	var stage, region string
	var expired, asJSON bool
	cmd := &cobra.Command{
		Use:   "sweep [STAGE]...",
		Short: "Look for anything of this project that an AWS account still has",
		Long: "Takes a read-only inventory of everything that carries the project's tags or names, and prints a\n" +
			"receipt. Exit status 0 means that nothing was found. It signs in as the AWS CLI does.",
		Example: "  go run ./lab sweep\n  go run ./lab sweep stage3\n  go run ./lab sweep --expired",
		RunE: func(cmd *cobra.Command, stages []string) error {
			if stage != "" && len(stages) > 0 {
				return errors.New("name the stages, without --stage")
			}
			if stage != "" {
				stages = []string{stage}
			}
			// A name that is none would find nothing, and look like a clean account.
			if root, err := findRoot(); err == nil {
				for _, s := range stages {
					if err := checkStage(root, s); err != nil {
						return err
					}
				}
			}
			cfg, err := config.LoadDefaultConfig(cmd.Context(), config.WithRegion(region))
			if err != nil {
				return fmt.Errorf("read AWS settings: %w", err)
			}
			f := sweep.Filter{Stages: stages}
			if expired {
				f.ExpiredAt = time.Now()
			}
			receipt, err := sweep.Sweep(cmd.Context(), cfg, f, func(s string) { cmd.PrintErrln(s) })
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), receipt)
			} else {
				cmd.Println(receipt.String())
			}
			if err == nil && !receipt.Clean() {
				err = errNotEmpty
			}
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&stage, "stage", "", "only this `stage`'s resources")
	if err := fl.MarkDeprecated("stage", "name the stages as arguments"); err != nil {
		panic(err) // the flag is defined above
	}
	fl.StringVar(&region, "region", "us-east-1", "the region to look in")
	fl.BoolVar(&expired, "expired", false, "only what carries an expires tag in the past")
	fl.BoolVar(&asJSON, "json", false, "print the receipt as JSON")
	return cmd
}
