package findings

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"shoplab/lab/cost"
	"shoplab/lab/forecast"
	"shoplab/lab/lambda"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

const (
	// taskStage and functionStage run the same program with the same database: as tasks that are always there, and as
	// a function.
	taskStage, functionStage = "stage3", "stage5"
	// arrivalPath is what requests at random moments ask for: the catalog's first page, from the cache.
	arrivalPath = "/api/products"
	// coldAlone is how many cold starts are measured one by one, with nothing else under way, in each repeat.
	coldAlone = 20
	// mixRate is the rate, in requests a second, of the mix whose time is measured: little enough that hardly a request
	// waits for another's CPU.
	mixRate = 10
	// opColdStart and opBilled are operations of a step that no shopper asked for.
	opColdStart, opBilled = "cold start", "billed"
)

// arrivalRates are the rates, in requests a second, at which cold starts are counted.
var arrivalRates = []float64{1, 10, 100}

// arrived is what requests at random moments saw of a stage: in the first seconds after a silence, and in those after.
type arrived struct{ silence, going []result.Step }

// lambda: the same requests at random moments to tasks that run all the time, and to a function that is cold at first;
// then what a cold start takes by itself, and what a request of the mix is billed.
func (r *runner) lambda(ctx context.Context) (result.Finding, error) {
	f := result.Finding{
		Claim: "Lambda was given up after eight hours of tooling that built empty packages.",
		Knob:  "no server runs",
		Notes: []string{
			"on AWS a cold start takes longer: for placing an environment and loading its image it has the 50 ms here that " +
				"AWS calls the least",
			"environments that start at the same time wait for this machine's CPUs; on AWS each has its own",
		},
	}
	var cold, refused []string
	failing := 0.0 // % of the requests that fail once the function is warm
	for _, rate := range arrivalRates {
		tasks, function, err := r.atRate(ctx, rate)
		if err != nil {
			return f, err
		}
		list := compareArrivals(rate, tasks, function)
		f.Comparisons = append(f.Comparisons, list...)
		f.Steps = slices.Concat(f.Steps, tasks.silence, tasks.going, function.silence, function.going)
		failing = max(failing, deref(list[0].After.Median))
		refused = append(refused, fmt.Sprintf("%.1f%%", deref(list[0].Before.Median)))
		cold = append(cold, fmt.Sprintf("%.1f%%", deref(list[1].Before.Median)))
	}
	took, err := r.functionTime(ctx, &f)
	if err != nil {
		return f, err
	}
	low, high, err := r.onAWS(took)
	if err != nil {
		return f, err
	}
	f.Notes = append(f.Notes, fmt.Sprintf("on AWS a request of the mix is billed %.1f to %.1f ms, by the assumptions of "+
		"lab forecast about a core's speed and the network, and with no more CPU than the memory brings along", low, high))
	month, err := r.month(took.billed)
	if err != nil {
		return f, err
	}
	f.Comparisons = append(f.Comparisons, month)
	f.Status = result.FindingNotReproduced
	if failing > 100*load.DefaultObjective.MaxErrorRatio {
		f.Status = result.FindingWeaker // it runs, but not at every rate
	}
	f.Conclusion = fmt.Sprintf("It runs. At 1, 10 and 100 requests a second, %s of those in the first %d s after a "+
		"silence start cold, and %s fail; later at most %.1f%% fail. A cold start alone adds %.0f ms. A request is billed "+
		"%.1f ms, and %s costs $%.2f, of stage 3 $%.2f.",
		strings.Join(cold, ", "), r.plan.Seconds, strings.Join(refused, ", "), failing, took.alone, took.billed,
		month.Measure, deref(month.After.Median), deref(month.Before.Median))
	gate(&f)
	return f, nil
}

// atRate sends both stages requests at a rate, alternately.
func (r *runner) atRate(ctx context.Context, rate float64) (tasks, function arrived, err error) {
	for n := range r.plan.Repeats {
		for _, one := range []struct {
			stage string
			to    *arrived
		}{{taskStage, &tasks}, {functionStage, &function}} {
			r.plan.Say(fmt.Sprintf("%s, %g requests a second, repeat %d of %d", one.stage, rate, n+1, r.plan.Repeats))
			err := r.visit(ctx, one.stage, nil, 0, func(ctx context.Context, v visit) error {
				if v.twin.Function != nil {
					v.twin.Function.Retire()
				}
				for _, steps := range []*[]result.Step{&one.to.silence, &one.to.going} {
					step := r.arrive(ctx, v, rate)
					step.Repeat = n + 1
					*steps = append(*steps, step)
				}
				return ctx.Err()
			})
			if err != nil {
				return tasks, function, err
			}
		}
	}
	return tasks, function, nil
}

// arrive sends a stage requests at random moments and watches it meanwhile.
func (r *runner) arrive(ctx context.Context, v visit, rate float64) result.Step {
	before := v.starts()
	length := time.Duration(r.plan.Seconds) * time.Second
	idle := make(chan result.Step, 1)
	go func() { idle <- v.bench.Idle(ctx, load.Load{Duration: length}) }()
	step := arrivals(ctx, v.twin.URL+arrivalPath, rate, length)
	step.Usage = (<-idle).Usage
	if v.twin.Function != nil {
		step.Operations = append(step.Operations, coldStarts(v.starts()[len(before):]))
	}
	return step
}

// starts is how long each cold start took so far; none where the stage is no function.
func (v visit) starts() []time.Duration {
	if v.twin.Function == nil {
		return nil
	}
	return v.twin.Function.Stats().Starts
}

// compareArrivals holds the function after a silence against the function later, and that against the tasks.
func compareArrivals(rate float64, tasks, function arrived) []result.Comparison {
	at := fmt.Sprintf(" at %g a second", rate)
	silence, going := trial{label: "stage 5 after a silence"}, trial{label: "stage 5 later"}
	running, called := trial{label: "stage 3, tasks"}, trial{label: "stage 5, a function"}
	warms := func(measure, unit string, of func(result.Step) *float64) result.Comparison {
		return compare(measure+at, unit, true, silence, going, function.silence, function.going, of)
	}
	beside := func(measure, unit string, of func(result.Step) *float64) result.Comparison {
		return compare(measure+at, unit, true, running, called, tasks.going, function.going, of)
	}
	return []result.Comparison{
		warms("failed requests", "%", errorShare),
		warms("cold starts", "% of the requests", coldShare),
		warms("p99 of a cold start", "ms", operation(opColdStart, func(l result.Latency) float64 { return l.P99MS })),
		warms("p99", "ms", latency(func(l result.Latency) float64 { return l.P99MS })),
		beside("p50", "ms", latency(func(l result.Latency) float64 { return l.P50MS })),
		beside("p99", "ms", latency(func(l result.Latency) float64 { return l.P99MS })),
		beside("database connections", "connections", peak(result.ResourceDBConns)),
	}
}

// times are medians in ms: of a cold start alone, and of a request of the mix the CPU that it used and what is billed.
type times struct{ alone, cpu, billed float64 }

// functionTime measures cold starts alone and requests of the mix to a warm function.
func (r *runner) functionTime(ctx context.Context, f *result.Finding) (times, error) {
	var steps []result.Step
	for n := range r.plan.Repeats {
		r.plan.Say(fmt.Sprintf("cold starts alone and the mix, repeat %d of %d", n+1, r.plan.Repeats))
		step, err := r.mixed(ctx)
		if err != nil {
			return times{}, err
		}
		step.Repeat = n + 1
		steps = append(steps, step)
	}
	p50, p99 := func(l result.Latency) float64 { return l.P50MS }, func(l result.Latency) float64 { return l.P99MS }
	const warm, cold = "a request of the mix to a warm function", "a cold start before a request"
	list := []result.Comparison{
		within("p50", warm, cold, steps, latency(p50), operation(opColdStart, p50)),
		within("p99", warm, cold, steps, latency(p99), operation(opColdStart, p99)),
		within("time of a request of the mix", "CPU that it used", "billed", steps, cpuOf(result.ResourceInstanceCPU),
			operation(opBilled, func(l result.Latency) float64 { return l.MeanMS })),
	}
	f.Steps, f.Comparisons = append(f.Steps, steps...), append(f.Comparisons, list...)
	mix := list[2]
	return times{alone: deref(list[0].After.Median), cpu: deref(mix.Before.Median), billed: deref(mix.After.Median)}, nil
}

// onAWS carries the time that a request is billed to AWS, as an interval in ms: its CPU by a core's speed, and at most
// by the share of a vCPU that the function has, as if no request got more for a moment; and the network, a loopback
// here.
func (r *runner) onAWS(t times) (low, high float64, err error) {
	declared, err := stage.Read(r.plan.Root, functionStage)
	if err != nil {
		return 0, 0, fmt.Errorf("carry to AWS: %w", err)
	}
	speed, hop, trips := forecast.CoreSpeed.Value, forecast.Hop.Value, forecast.RoundTrips.Value
	share := float64(declared.CPU) / 1024
	low = t.billed - t.cpu + t.cpu/speed.High + 1000*trips.Low*hop.Low
	high = t.billed - t.cpu + t.cpu/(speed.Low*share) + 1000*trips.High*hop.High
	return low, high, nil
}

// within holds two measures in ms of the same steps against each other.
func within(measure, before, after string, steps []result.Step, b, a func(result.Step) *float64) result.Comparison {
	c := compare(measure, "ms", true, trial{label: before}, trial{label: after}, steps, nil, b)
	c.After = compare(measure, "ms", true, trial{label: before}, trial{label: after}, nil, steps, a).After
	c.Ratio = ratio(c.Before, c.After)
	return c
}

// month prices both stages with the time in ms that a request is billed.
func (r *runner) month(billed float64) (c result.Comparison, err error) {
	table, err := cost.Prices()
	if err != nil {
		return c, fmt.Errorf("price a month: %w", err)
	}
	usage := cost.DefaultUsage()
	usage.FunctionSeconds = billed / 1000
	c.Measure, c.Unit, c.LowerIsBetter = fmt.Sprintf("a month of %.0f requests", usage.Requests), "USD", true
	for name, side := range map[string]*result.Case{taskStage: &c.Before, functionStage: &c.After} {
		graph, err := stage.Graph(r.plan.Root, name)
		if err != nil {
			return c, fmt.Errorf("price a month: %w", err)
		}
		total := table.Of(graph, usage).Monthly()
		*side = result.Case{Label: name, Median: &total, Raw: []float64{total}}
	}
	c.Ratio = ratio(c.Before, c.After)
	return c, nil
}

// mixed brings the function up, starts it cold some times, and holds the mix at a low rate once it is warm.
func (r *runner) mixed(ctx context.Context) (step result.Step, err error) {
	err = r.visit(ctx, functionStage, nil, 0, func(ctx context.Context, v visit) error {
		before := v.starts()
		for range coldAlone {
			v.twin.Function.Retire()
			if !answers(ctx, v.twin.URL+arrivalPath) {
				return cmp.Or(ctx.Err(), fmt.Errorf("%s did not answer after a cold start", v.twin.URL))
			}
		}
		alone := coldStarts(v.starts()[len(before):])
		if err := v.bench.Gather(ctx); err != nil {
			return err
		}
		from := v.twin.Function.Stats()
		l := load.Load{Purpose: result.PurposeFinding, Rate: mixRate, Duration: time.Duration(r.plan.Seconds) * time.Second}
		if step, err = v.bench.Measure(ctx, l); err != nil {
			return err
		}
		step.Series = nil
		to := v.twin.Function.Stats()
		step.Operations = append(step.Operations, alone, billedTime(from, to))
		return v.bench.Check(ctx)
	})
	return step, err
}

// coldStarts are cold starts as an operation of a step.
func coldStarts(took []time.Duration) result.Operation {
	return result.Operation{Name: opColdStart, Requests: len(took), Latency: latencyOf(took)}
}

// billedTime is what was billed between two counts, as an operation of a step.
func billedTime(from, to lambda.Stats) result.Operation {
	o := result.Operation{Name: opBilled, Requests: int(to.Invocations - from.Invocations)}
	if o.Requests > 0 {
		ms := float64((to.Billed - from.Billed).Microseconds()) / 1000
		o.Latency = &result.Latency{MeanMS: ms / float64(o.Requests)}
	}
	return o
}

// coldShare is the percentage of a step's requests that started a function cold; nil for what is no function.
func coldShare(s result.Step) *float64 {
	for _, o := range s.Operations {
		if o.Name == opColdStart && s.Requests > 0 {
			return result.Ptr(100 * float64(o.Requests) / float64(s.Requests))
		}
	}
	return nil
}

// operation is a figure of one of a step's operations.
func operation(name string, of func(result.Latency) float64) func(result.Step) *float64 {
	return func(s result.Step) *float64 {
		for _, o := range s.Operations {
			if o.Name == name && o.Latency != nil {
				return result.Ptr(of(*o.Latency))
			}
		}
		return nil
	}
}
