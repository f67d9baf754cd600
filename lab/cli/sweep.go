package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"shoplab/lab/program"
	"shoplab/lab/target/aws"
)

func newSweepCommand() *cobra.Command {
	var r aws.Request
	var stage string
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
			root, err := findRoot()
			if err == nil { // a name that is none would find nothing, and look like a clean account
				for _, s := range stages {
					if err := checkStage(root, s); err != nil {
						return err
					}
				}
			}
			r.Stages = stages
			p := newProgress(cmd.ErrOrStderr())
			defer p.done()
			p.step("building the program that talks to AWS (the first time takes minutes)")
			path, err := program.Find(cmd.Context(), root, "account")
			if err != nil {
				return err
			}
			p.done()
			return aws.Sweep(cmd.Context(), path, r, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&stage, "stage", "", "only this `stage`'s resources")
	if err := fl.MarkDeprecated("stage", "name the stages as arguments"); err != nil {
		panic(err) // the flag is defined above
	}
	fl.StringVar(&r.Region, "region", "us-east-1", "the region to look in")
	fl.BoolVar(&r.Expired, "expired", false, "only what carries an expires tag in the past")
	fl.BoolVar(&r.JSON, "json", false, "print the receipt as JSON")
	return cmd
}
