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
		Use:   "sweep",
		Short: "Look for anything of this project that an AWS account still has",
		Long: "Takes a read-only inventory of everything that carries the project's tags or names, and prints a\n" +
			"receipt. Exit status 0 means that nothing was found. It signs in as the AWS CLI does.",
		Example: "  go run ./lab sweep\n  go run ./lab sweep --stage stage3\n  go run ./lab sweep --expired",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadDefaultConfig(cmd.Context(), config.WithRegion(region))
			if err != nil {
				return fmt.Errorf("read AWS settings: %w", err)
			}
			f := sweep.Filter{}
			if stage != "" {
				f.Stages = []string{stage}
			}
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
	fl.StringVar(&stage, "stage", "", "only this stage's resources")
	fl.StringVar(&region, "region", "us-east-1", "the region to look in")
	fl.BoolVar(&expired, "expired", false, "only what carries an expires tag in the past")
	fl.BoolVar(&asJSON, "json", false, "print the receipt as JSON")
	return cmd
}
