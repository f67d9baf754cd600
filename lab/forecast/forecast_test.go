package forecast

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"shoplab/lab/cost"
	"shoplab/lab/result"
)

// The truth that synthetic steps are made of, in CPU seconds a request.
var truth = map[string]float64{PartProxy: .0001, PartService: .0005, PartDatabase: .0003, PartCache: .00001}

func config(cpu, instances, pool int) result.Config {
	return result.Config{
		InstanceType: "t4g.small", DatabaseClass: "db.t4g.micro", CacheNodeType: "cache.t4g.micro",
		Instances: &instances, MaxInstances: result.Ptr(4), CPUUnits: &cpu, PoolPerInstance: &pool,
		DatabaseConnections: result.Ptr(79), GivenCPUs: result.Ptr(4.0 / 3),
	}
}

// known are demands as they are.
func known() Demands {
	var d Demands
	for _, p := range parts {
		if s := truth[p.name]; s > 0 {
			d.Parts = append(d.Parts, Demand{Part: p.name, Seconds: result.Interval{Value: s, Low: s, High: s}})
		}
	}
	d.Hold = result.Interval{Value: .0006, Low: .0006, High: .0006}
	return d
}

// here is a stage as it runs on a machine of two cores.
func here(c result.Config, topology string) Setting {
	return Setting{Config: c, Topology: topology, Demands: known(), Host: &Host{Cores: 2, CPUs: *c.GivenCPUs}}
}

// measured is a step that a stage with the truth's demands would give.
func measured(t *testing.T, s Setting, l Load) result.Step {
	t.Helper()
	n, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	out := n.Simulate(l, 10_000)
	step := result.Step{
		Purpose: result.PurposeScaling, Users: l.Users, Rate: l.Rate, Throughput: out.Throughput, Goodput: out.Throughput,
		Requests: 10_000,
		Latency:  &result.Latency{MeanMS: 1000 * out.Mean, P95MS: 1000 * out.P95},
		Operations: []result.Operation{
			{Name: "list", Requests: 900, Latency: &result.Latency{MeanMS: 1}},
			{Name: "login", Requests: 100, Latency: &result.Latency{MeanMS: 11}},
		},
	}
	for _, p := range parts {
		if d := truth[p.name]; d > 0 {
			step.Usage = append(step.Usage, result.Usage{Resource: p.resource, Unit: "cores", Mean: .02 + d*out.Throughput})
		}
	}
	step.Usage = append(step.Usage,
		result.Usage{
			Resource: result.ResourceStageCPU, Unit: "cores", Mean: out.Utilization[0] * s.Host.CPUs,
			Limit: &s.Host.CPUs,
		},
		result.Usage{Resource: result.ResourceThrottled, Unit: "ratio", Mean: out.Throttled[0], Limit: result.Ptr(1.0)},
		result.Usage{Resource: result.ResourcePoolInUse, Unit: "connections", Mean: math.Round(.0006 * out.Throughput)},
		result.Usage{Resource: result.ResourcePoolHeld, Unit: "connections", Mean: .0006 * out.Throughput},
		result.Usage{Resource: result.ResourceRoundTrips, Of: "shop-1", Unit: "1/s", Mean: .5 + 1.5*out.Throughput},
		result.Usage{Resource: result.ResourceRoundTrips, Of: "shop-2", Unit: "1/s", Mean: .5 + 1.5*out.Throughput})
	step.AnswerBytes = result.Ptr(2000.0)
	return step
}

func stageOf(t *testing.T) result.Stage {
	t.Helper()
	c := config(2048, 2, 8)
	st := result.Stage{Name: "stage2", Topology: "balanced", Config: c}
	for _, l := range []Load{{Rate: 100}, {Rate: 200}, {Rate: 400}, {Rate: 800}, {Users: 1}, {Users: 2}, {Users: 64}} {
		st.Steps = append(st.Steps, measured(t, here(c, "balanced"), l))
	}
	return st
}

func TestMeasureFindsTheDemands(t *testing.T) {
	d, err := Measure(stageOf(t))
	if err != nil {
		t.Fatal(err)
	}
	for part, want := range truth {
		got := d.Of(part)
		within(t, part, got.Seconds.Value, want, .01)
		within(t, part+" at rest", got.Idle, .02, .05)
		if got.Seconds.Low > want*1.001 || got.Seconds.High < want*.999 {
			t.Errorf("%s: %g is not in [%g, %g]", part, want, got.Seconds.Low, got.Seconds.High)
		}
	}
	within(t, "hold", d.Hold.Value, .0006, .02)
	within(t, "round trips", d.RoundTrips.Value, 3, .01)
	within(t, "bytes", d.Bytes.Value, 2000, .01)
	if len(d.Classes) != 2 || math.Abs(d.Classes[0].Weight-.5) > .01 || math.Abs(d.Classes[1].Weight-5.5) > .01 {
		t.Errorf("classes %+v, want half and 5.5 times the mean", d.Classes)
	}
}

// Results until 2026-11-28 have no counted time, only how many connections a look once a second found in use.
func TestHoldOfAnOlderResult(t *testing.T) {
	step := result.Step{Usage: []result.Usage{{Resource: result.ResourcePoolInUse, Unit: "connections", Mean: 3}}}
	if held, ok := total(step, result.ResourcePoolHeld); !ok || held != 3 {
		t.Errorf("%g connections held, want the 3 that were seen in use", held)
	}
}

func TestMeasureNeedsSteps(t *testing.T) {
	st := stageOf(t)
	st.Steps = st.Steps[:3]
	if _, err := Measure(st); !errors.Is(err, ErrTooFew) {
		t.Errorf("err = %v, want ErrTooFew", err)
	}
	st = stageOf(t)
	for i := range st.Steps {
		st.Steps[i].Usage = nil
	}
	if _, err := Measure(st); !errors.Is(err, ErrTooFew) {
		t.Errorf("err = %v where nothing was watched, want ErrTooFew", err)
	}
}

// A stage that two users use up has its demands from arrival rates below that, and its classes from its users.
func TestMeasureTakesDemandSteps(t *testing.T) {
	st := stageOf(t)
	for i := range st.Steps {
		s := &st.Steps[i]
		if s.Rate == 0 {
			continue
		}
		s.Purpose = result.PurposeDemand
		for j := range s.Operations { // waking up takes all of them the same
			s.Operations[j].Latency = &result.Latency{MeanMS: 5}
		}
	}
	d, err := Measure(st)
	if err != nil {
		t.Fatal(err)
	}
	within(t, PartService, d.Of(PartService).Seconds.Value, truth[PartService], .01)
	if len(d.Classes) != 2 || math.Abs(d.Classes[1].Weight-5.5) > .01 {
		t.Errorf("classes %+v, want half and 5.5 times the mean", d.Classes)
	}
}

// A request that costs less the more of them are in flight is found to, by a tenth each time that they are e times as
// many, and not by what a step says in which others had the machine.
func TestMeasureFindsTheCrowding(t *testing.T) {
	st := stageOf(t)
	for _, users := range []int{16, 32, 128} {
		st.Steps = append(st.Steps, measured(t, here(st.Config, "balanced"), Load{Users: users}))
	}
	for i := range st.Steps {
		s := &st.Steps[i]
		l := math.Log(max(1, s.Throughput*s.Latency.MeanMS/1000))
		for j := range s.Usage {
			if s.Usage[j].Resource == result.ResourceInstanceCPU {
				s.Usage[j].Mean = .02 + (1-.1*l)*truth[PartService]*s.Throughput
			}
		}
	}
	disturbed := st.Steps[len(st.Steps)-1]
	disturbed.Usage = append(slices.Clone(disturbed.Usage), result.Usage{
		Resource: result.ResourceForeignCPU, Unit: "cores", Mean: .8,
	})
	for j := range disturbed.Usage {
		if disturbed.Usage[j].Resource == result.ResourceInstanceCPU {
			disturbed.Usage[j].Mean *= 3
		}
	}
	st.Steps = append(st.Steps, disturbed)
	slow := &st.Steps[len(st.Steps)-3] // of 32 users, at which the whole machine was slow: it does not turn the line
	for j := range slow.Usage {
		slow.Usage[j].Mean *= 2
	}
	d, err := Measure(st)
	if err != nil {
		t.Fatal(err)
	}
	c := d.Of(PartService).Crowding
	if c.PerFold > -.085 || c.PerFold < -.115 || c.UpTo < 120 || c.UpTo > 128 {
		t.Errorf("crowding %+v, want about -0.1 up to about 128 in flight", c)
	}
	if c := d.Of(PartDatabase).Crowding; math.Abs(c.PerFold) > .01 {
		t.Errorf("crowding %+v of what does not change", c)
	}
}

// twins are measured with the change that they say.
func twins(t *testing.T, off float64) []result.Twin {
	t.Helper()
	half, double := config(2048, 2, 8), config(2048, 2, 16)
	half.GivenCPUs = result.Ptr(2.0 / 3)
	var all []result.Twin
	for _, c := range []result.Config{half, double} {
		step := measured(t, here(c, "balanced"), Load{Users: 64})
		step.Throughput *= off
		n, err := Build(here(c, "balanced"))
		if err != nil {
			t.Fatal(err)
		}
		users, _ := n.mostUsers(result.Objective{P95MS: 500}, 10_000, 0)
		bad := float64(users)
		all = append(all, result.Twin{
			Knob: "knob", From: "a", To: "b", Config: c, Step: step,
			Search: &result.Search{LastGood: result.Ptr(bad * .95), FirstBad: &bad},
		})
	}
	return all
}

func TestValidate(t *testing.T) {
	st := stageOf(t)
	if v := Validate(st, known(), 2, nil); v.Accepted || v.Why == "" {
		t.Errorf("accepted with nothing held against it: %+v", v)
	}
	st.Twins = twins(t, 1)
	if v := Validate(st, known(), 2, nil); !v.Accepted || len(v.Checks) != 2 {
		t.Errorf("the truth is not accepted: %s", v)
	}
	st.Twins = twins(t, 1.3)
	if v := Validate(st, known(), 2, nil); v.Accepted {
		t.Errorf("23%% off is accepted: %s", v)
	}
	st.Twins = twins(t, 1)
	*st.Twins[0].Search.FirstBad *= 2
	*st.Twins[0].Search.LastGood *= 2
	if v := Validate(st, known(), 2, nil); v.Accepted {
		t.Errorf("a breaking point at half of the measured one is accepted: %s", v)
	}
}

// searched gives a twin the probes of a search: what the stage as it is serves, off by a factor each.
func searched(t *testing.T, w *result.Twin, off ...float64) {
	t.Helper()
	n, err := Build(here(w.Config, "balanced"))
	if err != nil {
		t.Fatal(err)
	}
	for i, factor := range off {
		level := math.Round(*w.Search.FirstBad * (1 + .1*float64(i-len(off)/2)))
		out := n.Simulate(Load{Users: int(level)}, 20_000)
		w.Search.Probes = append(w.Search.Probes, result.Probe{
			Level: level, Throughput: factor * out.Throughput, P95MS: result.Ptr(1000 * out.P95), Kept: out.P95 <= .5,
		})
	}
}

// One slow step out of five is the machine's, five are the forecast's.
func TestValidateTakesTheWholeSearch(t *testing.T) {
	st := stageOf(t)
	st.Twins = twins(t, .6)
	for i := range st.Twins {
		searched(t, &st.Twins[i], 1, .6, 1, 1, 1.1)
	}
	v := Validate(st, known(), 2, nil)
	if !v.Accepted {
		t.Errorf("one slow step decides: %s", v)
	}
	for i, c := range v.Checks {
		if lowest := *st.Twins[i].Search.FirstBad * .7; float64(c.Users) < lowest || math.Abs(c.Error) > .05 {
			t.Errorf("%+v: want a load of the search, and next to no error", c)
		}
	}
	for i := range st.Twins {
		st.Twins[i].Search.Probes = nil
		searched(t, &st.Twins[i], 1.3, 1.3, 1.3, 1.3, 1.3)
	}
	if v := Validate(st, known(), 2, nil); v.Accepted {
		t.Errorf("23%% off at every load is accepted: %s", v)
	}
}

func TestCurve(t *testing.T) {
	c := curve{10: 100, 20: 300}
	for users, want := range map[float64]float64{10: 100, 15: 200, 20: 300} {
		if got, ok := c.at(users); !ok || got != want {
			t.Errorf("%g users: %g, want %g", users, got, want)
		}
	}
	for _, outside := range []float64{9, 21} {
		if got, ok := c.at(outside); ok {
			t.Errorf("%g users, which nobody tried: %g", outside, got)
		}
	}
}

func TestAnswers(t *testing.T) {
	objective := result.Objective{P95MS: 500, MaxErrorRatio: .01}
	s := Setting{Config: config(2048, 2, 8), Topology: "balanced", Demands: known()}
	a, err := s.Answer("stage2", objective)
	if err != nil {
		t.Fatal(err)
	}
	// Two servers of 2 CPUs at 0.5 ms, a database of 2 at 0.3 ms: 8000 and 6667 a second. The pool of 16
	// is held for 0.6 ms and two hops, 1.6 ms: 10000.
	if a.First.Name != "database" || math.Abs(a.First.Rate-6667) > 7 || a.Rate.Value > 6667 || a.Rate.Value < 5500 {
		t.Errorf("first %+v, rate %+v: want the database, just below 6667", a.First, a.Rate)
	}
	if a.Next.Name != "server-1" && a.Next.Name != "server-2" || math.Abs(a.Behind-1.2) > .01 {
		t.Errorf("next %+v at x%.2f, want a server at x1.2", a.Next, a.Behind)
	}
	if a.Rate.Low >= a.Rate.Value || a.Rate.High <= a.Rate.Value {
		t.Errorf("interval %+v does not hold the speed of a core", a.Rate)
	}
	// At its baseline, a tenth of each vCPU, the database ends at 667.
	if a.Sustained.Value > 667 || a.Sustained.Value < 400 {
		t.Errorf("within the baseline %g, want somewhat below 667", a.Sustained.Value)
	}
	if shoppers := a.Shoppers(5); math.Abs(shoppers-a.Rate.Value*(5+a.Response)) > 1 {
		t.Errorf("%g shoppers: Little's law says otherwise", shoppers)
	}
	small := s
	small.Config = config(256, 2, 8)
	small.Topology = "fargate"
	few, err := small.Answer("stage3", objective)
	if err != nil {
		t.Fatal(err)
	}
	if few.First.Name != "shop-1" && few.First.Name != "shop-2" || few.Rate.Value > 1000 || few.Rate.Value < 700 {
		t.Errorf("quarter of a CPU in two tasks: first %+v, rate %g; want below 1000", few.First, few.Rate.Value)
	}
	if n, _, err := small.InstancesFor(1500, objective); n != 4 || err != nil {
		t.Errorf("1500 a second take %d tasks of 500, %v; want 4", n, err)
	}
	if n, bound, _ := small.InstancesFor(9000, objective); n != 0 || bound.Name == "" {
		t.Errorf("9000 a second take %d tasks, bound by %+v; want that it cannot be", n, bound)
	}
}

func TestEveryTopologyCanBeBuilt(t *testing.T) {
	for _, topology := range []string{"single", "balanced", "fargate", "mesh"} {
		for _, host := range []*Host{nil, {Cores: 2, CPUs: 1.33}} {
			n, err := Build(Setting{Config: config(500, 2, 8), Topology: topology, Demands: known(), Host: host})
			if err != nil {
				t.Fatal(err)
			}
			out := n.Simulate(Load{Rate: 50}, 2000)
			within(t, topology, out.Throughput, 50, .1)
		}
	}
	c := config(500, 2, 8)
	c.DatabaseClass = "db.z9.mega"
	if _, err := Build(Setting{Config: c, Topology: "fargate", Demands: known()}); err == nil {
		t.Error("a class that nobody knows has a size")
	}
}

func TestPrice(t *testing.T) {
	st := result.Stage{
		Topology: "fargate", Config: config(256, 2, 8),
		CostCurve: []cost.Point{{Requests: 1e6, Monthly: 50}, {Requests: 1e9, Monthly: 149.9}},
	}
	if usd, ok := Monthly(st, 1e8/(cost.HoursPerMonth*3600), 2); !ok || math.Abs(usd-59.9) > .01 {
		t.Errorf("$%g at 100 million a month, want 59.90", usd)
	}
	if _, ok := PerMillion(result.Stage{}, 10, 1); ok {
		t.Error("a price out of nothing")
	}
}

// priced is a stage that answers with a known capacity an instance and a known price.
func priced(name string, start, most int, base, perMillion float64) Stage {
	c := config(256, start, 8)
	c.MaxInstances = &most
	s := Stage{Setting: Setting{Config: c, Topology: "fargate", Demands: known()}, Validation: Validation{Accepted: true}}
	s.Measured = result.Stage{
		Name: name, Topology: "fargate", Config: c,
		CostCurve: []cost.Point{{Requests: 1e4, Monthly: base}, {Requests: 1e10, Monthly: base + 1e4*perMillion}},
		Cost: &cost.Estimate{Lines: []cost.Line{{
			Resource: "task", Item: "fargate/arm/vcpu",
			USD: cost.USD(10 * float64(start)),
		}}},
	}
	limit := Limit{Name: "shop-1", Rate: 500 * float64(start)}
	s.Answer = Answer{
		Instances: start, First: limit,
		Rate: result.Interval{Value: .9 * limit.Rate, Low: .6 * limit.Rate, High: 1.2 * limit.Rate},
	}
	s.Scaled = Answer{
		Instances: most, First: Limit{Rate: 500 * float64(most)},
		Rate: result.Interval{Value: .8 * 500 * float64(most)},
	}
	return s
}

// A quarter of a CPU serves 500 requests of half a millisecond: 450 a second with one task keep the objective by
// the answer, 400 a task with more.
func TestCostCurveScales(t *testing.T) {
	s := priced("stage3", 1, 3, 50, 1)
	at := func(rate float64) float64 { return rate * cost.SecondsPerMonth / cost.PeakFactor }
	curve, err := s.CostCurve([]float64{at(100), at(449), at(460), at(790), at(810), at(1190), at(1210)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, p := range curve {
		got = append(got, p.Instances)
	}
	if want := []int{1, 1, 2, 2, 3, 3, 3}; !slices.Equal(got, want) || !curve[5].Carried || curve[6].Carried {
		t.Errorf("instances %v, want %v; the last is not carried: %+v", got, want, curve[5:])
	}
	// One task more costs 10, and a million requests a dollar.
	if more, want := curve[2].Monthly-curve[1].Monthly, 10+(at(460)-at(449))/1e6; math.Abs(more-want) > .01 {
		t.Errorf("the second task makes it $%.2f dearer, want %.2f", more, want)
	}
}

func TestCrossings(t *testing.T) {
	cheap, large := priced("small", 1, 1, 10, 1), priced("large", 1, 8, 60, 1)
	got, err := Crossings([]Stage{cheap, large})
	if err != nil {
		t.Fatal(err)
	}
	want := 450.0 * cost.SecondsPerMonth / cost.PeakFactor
	if len(got) != 1 || got[0].From != "small" || got[0].To != "large" || !got[0].Ends ||
		math.Abs(got[0].Requests/want-1) > .05 {
		t.Fatalf("crossings %+v, want one where the small one ends, at %.3g", got, want)
	}
	if math.Abs(got[0].Low/want-.667) > .05 || math.Abs(got[0].High/want-1.333) > .05 {
		t.Errorf("interval %g to %g, want two thirds and four thirds of %g", got[0].Low, got[0].High, want)
	}
	// A stage that is dearer at first and cheaper a request crosses where the totals do: 50 dollars at 0.5 a million.
	got, err = Crossings([]Stage{priced("dear requests", 1, 8, 10, 1), priced("cheap requests", 1, 8, 60, .5)})
	if err != nil || len(got) != 1 || got[0].Ends || math.Abs(got[0].Requests/1e8-1) > .05 {
		t.Errorf("crossings %+v, %v; want one at 100 million", got, err)
	}
	cheap.Validation.Accepted = false
	if got, err := Crossings([]Stage{cheap, large}); err != nil || len(got) != 0 {
		t.Errorf("what did not validate decides: %+v, %v", got, err)
	}
}

// calibrated is a stage with a step of each errand: browse takes half of the mean CPU in three requests, buy takes
// thrice that in six.
func calibrated(t *testing.T) (result.Stage, []result.Weight) {
	t.Helper()
	st := stageOf(t)
	for _, f := range []struct {
		name       string
		heavier    float64
		operations []result.Operation
	}{
		{"browse", .5, []result.Operation{{Name: "categories", Requests: 100}, {Name: "list", Requests: 200}}},
		{"buy", 3, []result.Operation{{Name: "product", Requests: 100}, {Name: "login", Requests: 500}}},
	} {
		s := result.Step{
			Purpose: result.PurposeCalibration, Flow: f.name, Users: 4, Throughput: 300,
			Operations: f.operations,
		}
		for _, p := range parts {
			if d := truth[p.name]; d > 0 {
				s.Usage = append(s.Usage, result.Usage{Resource: p.resource, Unit: "cores", Mean: .02 + f.heavier*d*300})
			}
		}
		s.Usage = append(s.Usage, result.Usage{
			Resource: result.ResourcePoolInUse, Unit: "connections",
			Mean: f.heavier * .0006 * 300,
		})
		st.Steps = append(st.Steps, s)
	}
	return st, []result.Weight{
		{Flow: "browse", ShareRatio: .8, Operations: []string{"categories", "list"}},
		{Flow: "buy", ShareRatio: .2, Operations: []string{"product", "login"}},
	}
}

// Declared are 0.8 of 3 and 0.2 of 6 requests: two thirds of the requests are browse's, and the mean is 4/3 of the
// mix's own, by which the errands are off. Of as many browsers as buyers two thirds of the requests are buy's: 13/6,
// which is 13/8 of the declared.
func TestWithMix(t *testing.T) {
	st, declared := calibrated(t)
	d, err := Measure(st)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.WithMix(map[string]float64{"browse": 1}); !errors.Is(err, ErrNoFlows) {
		t.Errorf("a mix of errands that were not measured: %v", err)
	}
	d.Flows = flows(st, declared, d)
	if len(d.Flows) != 2 || d.Flows[0].Requests != 3 || d.Flows[1].Requests != 6 {
		t.Fatalf("flows %+v, want browse of 3 requests and buy of 6", d.Flows)
	}
	within(t, "the errands together", 1+d.Composed(PartService), 4.0/3, .02)
	m, err := d.WithMix(map[string]float64{"browse": 50, "buy": 50})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{PartService, PartDatabase, PartProxy} {
		within(t, part, m.Of(part).Seconds.Value, d.Of(part).Seconds.Value*13/8, .02)
	}
	within(t, "hold", m.Hold.Value, d.Hold.Value*13/8, .02)
	if i := m.Of(PartService).Seconds; i.High/i.Value < 1.3 || i.Value/i.Low < 1.3 {
		t.Errorf("the interval %+v does not hold what the errands are off", i)
	}
	same, err := d.WithMix(map[string]float64{"browse": 4, "buy": 1})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the declared mix again", same.Of(PartService).Seconds.Value, d.Of(PartService).Seconds.Value, 1e-9)
	// Logins are 5/6 of buy's requests, and eleven times as heavy as lists.
	if len(m.Classes) != 2 || math.Abs(m.Classes[1].Weight/m.Classes[0].Weight-11) > .2 ||
		math.Abs(m.Classes[0].Share*m.Classes[0].Weight+m.Classes[1].Share*m.Classes[1].Weight-1) > 1e-9 {
		t.Errorf("classes %+v: want a mean weight of 1, logins 11 times lists", m.Classes)
	}
	if _, err := d.WithMix(map[string]float64{"bowse": 1}); err == nil || !strings.Contains(err.Error(), "browse, buy") {
		t.Errorf("a misspelled errand: %v", err)
	}
	if _, err := d.WithMix(map[string]float64{"buy": 0}); err == nil {
		t.Error("a mix of nothing")
	}
}
