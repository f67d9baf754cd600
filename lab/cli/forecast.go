package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"shoplab/lab/forecast"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

func newForecastCommand() *cobra.Command {
	f := forecasting{think: 5 * time.Second, file: filepath.Join("report", "result.json")}
	cmd := &cobra.Command{
		Use:   "forecast",
		Short: "Say what each stage will carry on AWS, from measured results",
		Long: `Forecast takes from a result what a request costs at each station of a stage, and lets queueing laws
say what the stage carries with the CPUs that it has on AWS: how many requests a second, and how many
shoppers who think between clicks, within the objective. It measures nothing. Whether it may be
believed was tried on changed twins in the same run: where it did not validate, it says so.

--what-if changes every stage first. Its keys are those of the stacks' configuration: cpu (units,
1024 = 1 vCPU), pool or poolPerInstance, instances, maxInstances, instanceType,
databaseInstanceClass, databaseConnections.

--mix gives the errands other shares than the run had: browse, search, product, cart, login, buy, as whole
numbers; what is not named is not run. It takes a full run, which measures each errand by itself.`,
		Example: `  go run ./lab forecast
  go run ./lab forecast --users 2000 --think 5s       which stage, and how many instances
  go run ./lab forecast --rate 400
  go run ./lab forecast --what-if cpu=512,pool=8
  go run ./lab forecast --mix browse=60,buy=10        other shares of what shoppers do
  go run ./lab forecast --curve                       instances and dollars at each volume`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("results") {
				f.file = inRepository(f.file)
			}
			return f.run(cmd.OutOrStdout())
		},
	}
	fl := cmd.Flags()
	fl.IntVar(&f.users, "users", 0, "`shoppers` to serve")
	fl.DurationVar(&f.think, "think", f.think, "how long a shopper thinks between requests")
	fl.Float64Var(&f.rate, "rate", 0, "`requests` a second to serve")
	fl.StringSliceVar(&f.whatIf, "what-if", nil, "`KEY=VALUE` to change about every stage, by comma")
	fl.StringSliceVar(&f.mix, "mix", nil, "`ERRAND=SHARE` of what shoppers do, by comma")
	fl.BoolVar(&f.curve, "curve", false, "print the instances and dollars that each volume of requests takes")
	fl.StringVar(&f.file, "results", f.file, "the result `file` of lab run (by default in the repository)")
	return cmd
}

// forecasting is one run of the command.
type forecasting struct {
	users  int
	think  time.Duration
	rate   float64
	whatIf []string
	mix    []string
	curve  bool
	file   string
}

func (f *forecasting) run(out io.Writer) error {
	switch {
	case !(f.users >= 0 && f.rate >= 0 && f.rate <= 1e9 && f.think >= 0): // NaN is not
		return errors.New("--users, --rate and --think: want numbers from 0 on")
	case f.users > 0 && f.rate > 0:
		return errors.New("give either --users or --rate")
	}
	changes, err := whatIf(f.whatIf)
	if err != nil {
		return err
	}
	mix, err := mixOf(f.mix)
	if err != nil {
		return err
	}
	if mix != nil {
		changes = append(changes, func(s *forecast.Setting) (err error) {
			s.Demands, err = s.Demands.WithMix(mix)
			return err
		})
	}
	res, err := result.ReadFile(f.file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is nothing measured yet; run `lab run` first, or name a file with --results: %w", err)
	} else if err != nil {
		return err
	}
	stages := forecast.Stages(res, changes...)
	if err := f.table(out, stages); err != nil {
		return err
	}
	if err := f.details(out, stages, res); err != nil {
		return err
	}
	return f.crossover(out, stages)
}

// table is one row a stage.
func (f *forecasting) table(out io.Writer, stages []forecast.Stage) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // Flush reports the error
	p("STAGE\tREQUESTS/S AT P95\tWITHIN BASELINE\tSHOPPERS (%s)\tFIRST TO GIVE OUT\tNEXT\tUSD/MILLION\tSCALED "+
		"OUT\tFORECAST\n", f.think)
	for _, s := range stages {
		if s.Err != nil {
			p("%s\tno forecast: %v\n", s.Measured.Name, s.Err)
			continue
		}
		verdict := "validated"
		if !s.Validation.Accepted {
			verdict = "did not validate"
		}
		next := "nothing else"
		if !math.IsInf(s.Answer.Behind, 1) {
			next = fmt.Sprintf("%s at x%.1f", s.Answer.Next.Name, s.Answer.Behind)
		}
		p("%s\t%.0f (%.0f-%.0f)\t%.0f\t%.0f\t%s\t%s\t%s\t%.0f a second with %d, %s\t%s\n", s.Measured.Name,
			s.Answer.Rate.Value, s.Answer.Rate.Low, s.Answer.Rate.High, s.Answer.Sustained.Value,
			s.Answer.Shoppers(f.think.Seconds()),
			s.Answer.First.Name, next, dollars(s.PerMillion), s.Scaled.Rate.Value, s.Scaled.Instances,
			dollars(s.ScaledPerMillion), verdict)
	}
	return w.Flush()
}

func dollars(v *float64) string {
	if v == nil {
		return "no price"
	}
	return fmt.Sprintf("$%.2f", *v)
}

// details say who meets the need, whether to believe it, and what was assumed.
func (f *forecasting) details(out io.Writer, stages []forecast.Stage, res result.Result) error {
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) } // a terminal that is gone
	objective := result.Objective{P95MS: 500, MaxErrorRatio: .01}
	if res.Settings != nil {
		objective = res.Settings.Objective
	}
	line("\nOn AWS, at p95 <= %.0f ms, bursting; the interval is of the demands and of a vCPU's speed. Within baseline: "+
		"what burstable machines do for their hourly price.", objective.P95MS)
	for _, s := range stages {
		if s.Err != nil {
			continue
		}
		line("%s %s", s.Measured.Name, s.Validation)
		if len(f.mix) > 0 {
			line("  that is of the run's own mix; put together as that, single errands take %s", composed(s.Demands))
		}
		rate := f.rate
		if f.users > 0 {
			rate = float64(f.users) / (f.think.Seconds() + s.Answer.Response)
		}
		if rate == 0 {
			continue
		}
		n, bound, err := s.Setting.InstancesFor(rate, objective)
		switch {
		case err != nil:
			return err
		case n == 0:
			line("  %.0f requests a second are too many for it: its %s ends at %.0f", rate, bound.Name, bound.Rate)
		default:
			usd := ""
			if monthly, ok := forecast.Monthly(s.Measured, rate, n); ok {
				usd = fmt.Sprintf(", $%.2f a month if it is kept up", monthly)
			}
			line("  %.0f requests a second take %d instance(s)%s", rate, n, usd)
		}
	}
	line("Assumed:")
	for _, a := range forecast.Assumptions() {
		line("  %s: %g (%g to %g) %s; %s", a.Name, a.Value.Value, a.Value.Low, a.Value.High, a.Unit, a.Source)
	}
	return nil
}

// whatIf makes changes of KEY=VALUE pairs.
func whatIf(pairs []string) ([]forecast.Change, error) {
	var all []forecast.Change
	for _, pair := range pairs {
		key, value, found := strings.Cut(pair, "=")
		number, err := strconv.Atoi(value)
		set := map[string]func(*result.Config) **int{
			"cpu":                 func(c *result.Config) **int { return &c.CPUUnits },
			"pool":                func(c *result.Config) **int { return &c.PoolPerInstance },
			"poolPerInstance":     func(c *result.Config) **int { return &c.PoolPerInstance },
			"instances":           func(c *result.Config) **int { return &c.Instances },
			"maxInstances":        func(c *result.Config) **int { return &c.MaxInstances },
			"databaseConnections": func(c *result.Config) **int { return &c.DatabaseConnections },
		}[key]
		kind := map[string]func(*result.Config) *string{
			"instanceType":          func(c *result.Config) *string { return &c.InstanceType },
			"databaseInstanceClass": func(c *result.Config) *string { return &c.DatabaseClass },
		}[key]
		switch {
		case !found || set == nil && kind == nil:
			return nil, fmt.Errorf("--what-if %q: want KEY=VALUE with cpu, pool, instances, maxInstances, "+
				"databaseConnections, instanceType or databaseInstanceClass", pair)
		case set != nil && (err != nil || number < 1 || number > 1_000_000):
			return nil, fmt.Errorf("--what-if %q: want a positive number", pair)
		case set != nil:
			all = append(all, func(s *forecast.Setting) error {
				*set(&s.Config) = &number
				return nil
			})
		default:
			if _, ok := stage.SizeOf(value); !ok {
				return nil, fmt.Errorf("--what-if %q: the size of %q is not known", pair, value)
			}
			all = append(all, func(s *forecast.Setting) error {
				if *kind(&s.Config) != "" { // a stage without one gets none
					*kind(&s.Config) = value
				}
				return nil
			})
		}
	}
	return all, nil
}
