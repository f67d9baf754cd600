package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoplab/lab/experiment"
	"shoplab/lab/load"
	"shoplab/lab/report"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target"
	"shoplab/lab/target/aws"
	"shoplab/lab/target/local"
)

func newRunCommand() *cobra.Command {
	var r measuring
	where := "local"
	cmd := &cobra.Command{
		Use:   "run [STAGE]...",
		Short: "Measure the stages: load, breaking point, verdict, report",
		Long: `Run brings each stage up, warms it, holds the declared numbers of users, searches the
breaking point and the highest arrival rate, names the resource that gave out and proves it,
checks the shop's invariants, takes the stage down, and writes a report. A stage is taken down
whatever happens, after an error or Ctrl-C too.

On this machine, shop and load generator share the CPUs: the report says which figures that
spoils. On AWS the stages cost money while they are up, about 0.02 to 0.15 USD an hour each, and
stay at the instances they start with: --config shoplab:maxInstances=N lets them scale to N.
The load is sent from two tasks on Fargate in the stages' region, 0.05 USD an hour each, which are gone
after the run; --shards says how many, and --generator here sends it from this machine, so that its
way to AWS is in every latency.`,
		Example: `  go run ./lab run --quick                   all stages, a first impression
  go run ./lab run stage1 stage3             two stages, three repeats each
  go run ./lab run stage2 --target aws
  go run ./lab run stage3 --target aws --shards 6              a stage that 2 tasks cannot break
  go run ./lab run --target aws --config shoplab:https=off      load the origin, not CloudFront`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				if len(r.plan.Stages) > 0 {
					return errors.New("name the stages, without --stages")
				}
				r.plan.Stages = args
			}
			if !cmd.Flags().Changed("out") {
				r.out = inRepository(r.out)
			}
			r.command = commandLine(cmd)
			r.progress = newProgress(cmd.ErrOrStderr())
			defer r.progress.done()
			res, files, err := r.run(cmd.Context(), where)
			r.progress.done()
			if len(files) > 0 {
				err = errors.Join(err, report.Summary(cmd.OutOrStdout(), res))
			}
			for _, f := range files {
				cmd.Println(f)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&r.plan.Stages, "stages", nil, "the `stages` to measure, by comma")
	if err := f.MarkDeprecated("stages", "name the stages as arguments"); err != nil {
		panic(err) // the flag is defined above
	}
	f.StringVar(&where, "target", where, "where: `local|aws`")
	f.IntSliceVar(&r.plan.Users, "users", []int{50, 200}, "the numbers of concurrent `users` to hold")
	f.IntVar(&r.plan.Repeats, "repeats", 3, "how often each level and search is repeated")
	f.DurationVar(&r.plan.Think, "think", 0, "how long a user thinks, on average, between an answer and the next "+
		"request: 0s counts requests in flight, 5s shoppers")
	r.sending.flags(f)
	f.BoolVar(&r.plan.Quick, "quick", false, "short steps, one repeat: a first impression")
	f.StringArrayVar(&r.config, "config", nil,
		"with --target aws: configuration of the stacks for this run, as `KEY=VALUE`; repeatable")
	f.StringVar(&r.out, "out", "report", "the `folder` to write result.json and the report to (by default in the "+
		"repository)")
	return cmd
}

// measuring is one run of the command.
type measuring struct {
	plan     experiment.Plan
	sending  sending
	config   []string // KEY=VALUE over the stacks' own, on AWS
	out      string
	command  string
	progress *progress
}

// run returns what was measured and the files that it wrote, also when it failed half-way.
func (r *measuring) run(ctx context.Context, where string) (res result.Result, files []string, err error) {
	if r.plan.Root, err = findRoot(); err != nil {
		return res, nil, err
	}
	if err := r.check(where); err != nil {
		return res, nil, err
	}
	r.plan.Say = r.progress.step
	name := filepath.Join(r.out, "result.json")
	if err := result.CheckFile(name); err != nil {
		return res, nil, fmt.Errorf("--out: %w", err)
	}
	r.plan.Save = func(res result.Result) error {
		res.Command = r.command
		res.Incomplete = "still running"
		return result.WriteFile(name, res)
	}
	draw, err := newDraw(ctx, r.progress) // before anything is measured, and before anything costs money
	if err != nil {
		return res, nil, err
	}
	at, err := r.target(ctx, where)
	if err != nil {
		return res, nil, err
	}
	down, err := r.from(ctx, where)
	if err != nil {
		return res, nil, err
	}
	res, err = experiment.Run(ctx, r.plan, at)
	err = errors.Join(err, down(ctx))
	if len(res.Stages) == 0 {
		return res, nil, err
	}
	res.Command = r.command
	if werr := result.WriteFile(name, res); werr != nil {
		return res, nil, errors.Join(err, werr)
	}
	files = append(files, name)
	if rerr := report.Write(r.out, draw, res); rerr != nil {
		return res, files, errors.Join(err, fmt.Errorf("write the report: %w", rerr))
	}
	return res, append(files, filepath.Join(r.out, report.HTMLFile)), err
}

// target builds what the target needs.
func (r *measuring) target(ctx context.Context, name string) (target.Target, error) {
	if name == "aws" {
		r.progress.step("building the programs that drive Pulumi and talk to AWS (the first time takes minutes)")
		own := slices.DeleteFunc(slices.Clone(r.config), func(pair string) bool {
			return strings.HasPrefix(pair, generatorKeys)
		})
		return aws.New(ctx, r.plan.Root, own, r.progress.step)
	}
	r.progress.step("building the service")
	return local.New(ctx, r.plan.Root, secondSignal(ctx))
}

// from settles who sends the load, and returns what takes that down.
func (r *measuring) from(ctx context.Context, where string) (down func(context.Context) error, err error) {
	region := ""
	if where == "aws" {
		if region, err = regionOf(r.plan.Root, r.plan.Stages, r.config); err != nil {
			return nil, err
		}
		if r.sending.generator == "aws" && r.sending.shards == 0 {
			r.sending.shards = aws.RunShards
		}
	}
	r.plan.From, down, err = r.sending.setUp(ctx, r.plan.Root, region, r.config, r.progress.step)
	return down, err
}

func (r *measuring) check(where string) (err error) {
	if where != "local" && where != "aws" {
		return fmt.Errorf("--target is %q, want local or aws", where)
	}
	if where == "local" && len(r.config) > 0 {
		return errors.New("--config changes stacks on AWS; here a stage runs as its Pulumi.STAGE.yaml says")
	}
	for _, pair := range r.config {
		if key, _, found := strings.Cut(pair, "="); !found || !strings.Contains(key, ":") {
			return fmt.Errorf("--config is %q, want KEY=VALUE such as shoplab:https=off", pair)
		}
	}
	if len(r.plan.Stages) == 0 {
		if r.plan.Stages, err = stage.Names(r.plan.Root); err != nil {
			return err
		}
	}
	for _, name := range r.plan.Stages {
		if _, err := stage.Read(r.plan.Root, name); err != nil {
			return fmt.Errorf("stage %q: %w", name, err)
		}
	}
	if err := r.sending.check(where); err != nil {
		return err
	}
	if r.plan.Think < 0 || r.plan.Think > load.MaxThink {
		return fmt.Errorf("--think is %s, want 0s to %s", r.plan.Think, load.MaxThink)
	}
	if r.plan.Quick {
		r.plan.Repeats = 1
	}
	if r.plan.Repeats < 1 || r.plan.Repeats > 20 {
		return fmt.Errorf("--repeats is %d, want 1 to 20", r.plan.Repeats)
	}
	if len(r.plan.Users) == 0 || slices.Min(r.plan.Users) < 1 || slices.Max(r.plan.Users) > 5000 {
		return errors.New("--users: want numbers from 1 to 5000")
	}
	return nil
}

// commandLine is the command as typed, for the result file: without that file's name, for results are shown
// to others.
func commandLine(cmd *cobra.Command) string {
	words := append([]string{cmd.CommandPath()}, cmd.Flags().Args()...)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name != "out" {
			words = append(words, "--"+f.Name+"="+strings.Trim(f.Value.String(), "[]"))
		}
	})
	return strings.Join(words, " ")
}
