package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"shoplab/lab/program"
	"shoplab/lab/target/aws"
)

func newSweepCommand() *cobra.Command {
	var r aws.Request
	var stage, kubeconfig string
	cmd := &cobra.Command{
		Use:   "sweep [STAGE]...",
		Short: "Look for anything of this project that an AWS account still has, and delete it",
		Long: `Takes an inventory of everything that carries the project's tags or names, and of what AWS made
behind it, and prints a receipt. Without --remove it only reads. Exit status 0 means that nothing was found. It signs in
as the AWS CLI does.

With --remove it deletes what it finds of one stage, in the order that AWS asks for, and waits until it
is gone, which may take half an hour where there is a CloudFront distribution. First it lists what it
would delete and what that costs a day, and has the stage's name typed. It refuses a stage of which
Pulumi's state lists resources: pulumi destroy is for that. Ctrl-C stops it; the same command goes on.
Snapshots and machine images, which no stage makes but somebody by hand, it keeps and names, with what
they cost, and exits with 1; --backups deletes them too.`,
		Example: `  go run ./lab sweep
  go run ./lab sweep stage3
  go run ./lab sweep --expired
  go run ./lab sweep --remove stage3
  go run ./lab sweep --remove stage3 --ignore-state --yes     whatever Pulumi thinks, without a question
  go run ./lab sweep --remove stage3 --backups                  snapshots that somebody took, too
  go run ./lab sweep --remove generator                         what a load from AWS left
  go run ./lab sweep --kubeconfig ~/.kube/config                what stage 4 left in a cluster of yours`,
		RunE: func(cmd *cobra.Command, stages []string) error {
			if kubeconfig != "" {
				if r.Remove || r.Expired || stage != "" || len(stages) > 0 {
					return errors.New("--kubeconfig looks into a whole cluster: give neither a stage nor --remove nor --expired")
				}
				return sweepCluster(cmd.Context(), kubeconfig, r.JSON, cmd.OutOrStdout())
			}
			if stage != "" && len(stages) > 0 {
				return errors.New("name the stages, without --stage")
			}
			if stage != "" {
				stages = []string{stage}
			}
			if r.Remove && len(stages) != 1 {
				return errors.New("--remove deletes one stage: name it")
			}
			if !r.Remove && (r.Yes || r.IgnoreState || r.Backups) {
				return errors.New("--yes, --ignore-state and --backups belong to --remove")
			}
			root, err := findRoot()
			if err == nil {
				if err := checkSwept(root, stages); err != nil {
					return err
				}
			}
			r.Root, r.Stages = root, stages
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
	fl.StringVar(&kubeconfig, "kubeconfig", "", "look into the cluster of this `file` instead, with kubectl")
	sweepFlags(cmd, &r)
	return cmd
}

// sweepFlags are the flags of what is asked of an account.
func sweepFlags(cmd *cobra.Command, r *aws.Request) {
	fl := cmd.Flags()
	fl.StringVar(&r.Region, "region", "us-east-1", "the region to look in")
	fl.BoolVar(&r.Expired, "expired", false, "only what carries an expires tag in the past")
	fl.BoolVar(&r.JSON, "json", false, "print the receipt as JSON")
	fl.BoolVar(&r.Remove, "remove", false, "delete what is found of the stage that is named")
	fl.BoolVar(&r.Yes, "yes", false, "with --remove: do not ask for the stage's name")
	fl.BoolVar(&r.IgnoreState, "ignore-state", false, "with --remove: whatever Pulumi's state lists")
	fl.BoolVar(&r.Backups, "backups", false, "with --remove: snapshots and machine images too, which somebody made")
}

// checkSwept refuses a name that is no stack's: it would find nothing, and look like a clean account.
func checkSwept(root string, stages []string) error {
	for _, s := range stages {
		if s == aws.GeneratorStack {
			continue
		}
		if err := checkStage(root, s); err != nil {
			return err
		}
	}
	return nil
}
