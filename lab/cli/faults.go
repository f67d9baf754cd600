package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoplab/lab/faults"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target/aws"
)

func newFaultsCommand() *cobra.Command {
	b := breaking{plan: faults.Plan{Repeats: 3, Longest: 3 * time.Second}, where: "local", out: "report"}
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

With --target aws a stage is brought up with Pulumi, broken by AWS's own API (a server is
terminated, a task stopped, a pod deleted, RDS and ElastiCache reboot, a new image is deployed) and
by commands that Systems Manager runs on its servers, and taken down; what replaces a part takes
what AWS takes, and nothing of that is assumed. What AWS does not offer is named. The stages cost
money while they are up, about 0.02 to 0.15 USD an hour each, and the load is sent from this
machine. None of it was tried on AWS yet: what was tried on an emulated account, or against answers
as AWS documents them, is in docs/decisions/0150.

Exit status: 0; 1 after an error, or if an order was lost or made twice, or money has no order;
130 after Ctrl-C, which stops everything that was started.`,
		Example: `  go run ./lab faults                                  all stages, three repeats: about 25 minutes
  go run ./lab faults stage1 stage3 --quick            one repeat: about two minutes a stage
  go run ./lab faults stage2 --fault "instance killed" --longest-wait 0s
  go run ./lab faults stage3 --target aws --repeats 1 --config shoplab:https=off`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				if len(b.plan.Stages) > 0 {
					return errors.New("name the stages, without --stages")
				}
				b.plan.Stages = args
			}
			if !cmd.Flags().Changed("out") {
				b.out = inRepository(b.out)
			}
			return b.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&b.plan.Stages, "stages", nil, "the `stages` to break, by comma; all by default")
	f.StringArrayVar(&b.plan.Faults, "fault", nil,
		"one `fault` to inflict, repeatable; all by default: "+strings.Join(faults.Names(), ", "))
	f.StringVar(&b.where, "target", b.where, "where: `local|aws`")
	f.IntVar(&b.plan.Repeats, "repeats", b.plan.Repeats, "how often each fault is inflicted")
	f.DurationVar(&b.plan.Longest, "longest-wait", b.plan.Longest,
		"how long a wait that is known beforehand is really kept; 0s: in full")
	f.Float64Var(&b.plan.Rate, "rate", 0, "`requests` a second instead of half of what the stage can do")
	f.BoolVar(&b.plan.Quick, "quick", false, "one repeat, waits of at most two seconds: a first impression")
	f.StringArrayVar(&b.config, "config", nil,
		"with --target aws: configuration of the stacks for this run, as `KEY=VALUE`; repeatable")
	f.StringVar(&b.plan.NewImage, "new-image", "",
		"with --target aws and --config shoplab:image: the `image` by digest that a rolling deploy deploys")
	f.StringVar(&b.out, "out", b.out, "where to write the result, for lab report: a `folder`, for its faults.json, or a "+
		"file that ends in .json")
	return cmd
}

// breaking is one run of the command.
type breaking struct {
	plan   faults.Plan
	where  string
	config []string // KEY=VALUE over the stacks' own, on AWS
	out    string
}

func (b *breaking) run(cmd *cobra.Command) error {
	if err := b.check(); err != nil {
		return err
	}
	out := outFile(b.out, "faults.json")
	if err := result.CheckFile(out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	p := &b.plan
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
	if b.where == "aws" {
		progress.step("building the programs that drive Pulumi and talk to AWS (the first time takes minutes)")
		at, err := aws.New(cmd.Context(), p.Root, b.config, progress.step)
		if err != nil {
			return err
		}
		p.AWS = at
	}
	res, err := faults.Run(cmd.Context(), *p)
	progress.done()
	if res.Faults == nil || len(res.Faults.Stages) == 0 {
		return err
	}
	res.Command = command
	err = errors.Join(err, result.WriteFile(out, res), printFaults(cmd.OutOrStdout(), *res.Faults))
	cmd.Println(out)
	return errors.Join(err, faults.Broken(*res.Faults))
}

// check refuses what cannot be meant, before anything is started.
func (b *breaking) check() (err error) {
	p := &b.plan
	image := ""
	for _, pair := range b.config {
		key, value, found := strings.Cut(pair, "=")
		if !found || !strings.Contains(key, ":") {
			return fmt.Errorf("--config is %q, want KEY=VALUE such as shoplab:https=off", pair)
		}
		if key == "shoplab:image" {
			image = value
		}
	}
	switch {
	case b.where != "local" && b.where != "aws":
		return fmt.Errorf("--target is %q, want local or aws", b.where)
	case b.where == "local" && (len(b.config) > 0 || p.NewImage != ""):
		return errors.New("--config and --new-image change stacks on AWS; here a stage runs as its Pulumi.STAGE.yaml says")
	case p.NewImage != "" && (image == "" || image == p.NewImage):
		return errors.New("--new-image follows another image, which --config shoplab:image=IMAGE names; without both the " +
			"stage builds its own, and another for the deploy")
	case image != "" && p.NewImage == "" && (len(p.Faults) == 0 || slices.Contains(p.Faults, faults.RollingDeploy)):
		return fmt.Errorf("with --config shoplab:image the image for the fault %q has to be named: --new-image IMAGE",
			faults.RollingDeploy)
	}
	if p.Root, err = findRoot(); err != nil {
		return err
	}
	if len(p.Stages) == 0 {
		if p.Stages, err = stage.Names(p.Root); err != nil {
			return err
		}
	}
	for _, name := range p.Stages {
		if _, err := stage.Read(p.Root, name); err != nil {
			return fmt.Errorf("stage %q: %w", name, err)
		}
	}
	return p.Check()
}
