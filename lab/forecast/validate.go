package forecast

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// Acceptance of a forecast on this machine, over the twins that it has not seen.
const (
	medianError = 0.10
	worstError  = 0.20
)

// Check is a forecast of one twin beside what was measured.
type Check struct {
	Change string // "CPU of the stage: 0.67 instead of 1.33"
	// Users are the requests in flight, of all that the twin's search tried, at which the error is the median one.
	Users               int
	Predicted, Measured float64 // requests a second there
	Error               float64 // (predicted - measured)/measured
	// PredictedUsers and MeasuredUsers are the breaking points, the latter interpolated; 0 where there was none.
	PredictedUsers, MeasuredUsers int
	KneeKept                      bool // within one step of the search of what was measured, and of its interval
}

// Validation is whether a forecast may decide anything.
type Validation struct {
	Accepted bool
	Why      string // the errors, or why nothing could be held against it
	Checks   []Check
}

// Validate holds the demands of a stage against its twins with changes, whose steps they are not of.
func Validate(st result.Stage, d Demands, cores int, settings *result.Settings) Validation {
	var v Validation
	var errs []float64
	objective, precision := result.Objective{P95MS: 500, MaxErrorRatio: .01}, .1
	if settings != nil {
		objective, precision = settings.Objective, cmp.Or(settings.PrecisionRatio, precision)
	}
	v.Checks = make([]Check, len(st.Twins))
	failed := make([]error, len(st.Twins))
	var wg sync.WaitGroup
	for i, t := range st.Twins {
		wg.Go(func() { v.Checks[i], failed[i] = check(st, t, d, cores, objective, precision) })
	}
	wg.Wait()
	if err := cmp.Or(failed...); err != nil {
		return Validation{Why: err.Error()}
	}
	knees := true
	for _, c := range v.Checks {
		if c.Measured > 0 {
			errs = append(errs, math.Abs(c.Error))
		}
		knees = knees && c.KneeKept
	}
	if len(errs) == 0 {
		v.Why = "no changed twin was measured, so nothing tells whether it is right: a full run on this machine measures them"
		return v
	}
	median, worst := stats.Median(errs), slices.Max(errs)
	v.Accepted = median <= medianError && worst <= worstError && knees
	v.Why = fmt.Sprintf("throughput off by %.0f%% (median) and %.0f%% (worst) over %d twins", 100*median, 100*worst,
		len(errs))
	if !knees {
		v.Why += ", a breaking point by more than a step of the search"
	}
	return v
}

// check predicts one twin.
func check(
	st result.Stage, t result.Twin, d Demands, cores int, o result.Objective, precision float64,
) (Check, error) {
	n, err := Build(settingOf(st, t, d, cores))
	if err != nil {
		return Check{}, err
	}
	c := Check{Change: fmt.Sprintf("%s: %s instead of %s", t.Knob, t.To, t.From), KneeKept: true}
	out := n.Simulate(Load{Users: t.Step.Users}, max(2*simulated, 10*t.Step.Users))
	tried := curve{}
	if t.Search != nil && t.Search.FirstBad != nil {
		near := float64(t.Step.Users) * min(3, o.P95MS/1000/max(out.P95, 1e-6)) // p95 is in proportion to users who wait
		c.PredictedUsers, tried = n.mostUsers(o, 10_000, int(near))
		c.knee(*t.Search, o, precision)
	}
	tried[float64(t.Step.Users)] = out.Throughput
	c.throughput(t, tried, o)
	return c, nil
}

// throughput takes the median of the errors at the loads that the twin's search tried and the simulations are around.
// One step tells little: the same load on the same stage is served 15% faster or slower a minute later. A load at which
// requests fail counts only where there is no other, as those are answered sooner.
func (c *Check) throughput(t result.Twin, predicted curve, o result.Objective) {
	type one struct{ users, predicted, measured, off float64 }
	var all []one
	add := func(users, measured float64) {
		if p, ok := predicted.at(users); ok && measured > 0 {
			all = append(all, one{users, p, measured, p/measured - 1})
		}
	}
	if t.Search != nil {
		for _, p := range t.Search.Probes {
			if p.ErrorRatio <= o.MaxErrorRatio {
				add(p.Level, p.Throughput)
			}
		}
	}
	if len(all) == 0 {
		add(float64(t.Step.Users), t.Step.Throughput)
	}
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b one) int { return cmp.Compare(a.off, b.off) })
	middle := all[len(all)/2]
	if low := all[(len(all)-1)/2]; math.Abs(low.off) > math.Abs(middle.off) { // of two in the middle the worse one
		middle = low
	}
	c.Users, c.Predicted, c.Measured, c.Error = int(middle.users), middle.predicted, middle.measured, middle.off
}

// knee holds the predicted breaking point against the one interpolated over the search, with its interval, or where
// that cannot be, against where the search ended; a step of the search around.
func (c *Check) knee(s result.Search, o result.Objective, precision float64) {
	c.MeasuredUsers = int(*s.FirstBad)
	low, high := *s.FirstBad/(1+precision), *s.FirstBad
	if s.LastGood != nil {
		low = *s.LastGood
	}
	if i := load.BreakingPoint([]result.Search{s}, o).Interpolated; i != nil {
		c.MeasuredUsers, low, high = int(math.Ceil(i.Value)), i.Low, i.High
	}
	predicted := float64(c.PredictedUsers)
	c.KneeKept = predicted >= low/(1+precision) && predicted <= high*(1+precision)
}

// settingOf is a twin with a change, on this machine.
func settingOf(st result.Stage, t result.Twin, d Demands, cores int) Setting {
	s := Setting{Config: t.Config, Topology: st.Topology, Demands: d, Host: &Host{Cores: cores, CPUs: float64(cores)}}
	if t.Config.GivenCPUs != nil {
		s.Host.CPUs = *t.Config.GivenCPUs
	}
	if t.DatabaseCPUs != nil {
		s.DatabaseCPUs = *t.DatabaseCPUs
	}
	return s
}

// String says what came of it.
func (v Validation) String() string {
	var lines []string
	for _, c := range v.Checks {
		line := fmt.Sprintf("%s, %d in flight: %.0f a second predicted, %.0f measured (%+.0f%%)", c.Change, c.Users,
			c.Predicted, c.Measured, 100*c.Error)
		if c.MeasuredUsers > 0 {
			line += fmt.Sprintf("; breaking point at %d predicted, %d measured", c.PredictedUsers, c.MeasuredUsers)
		}
		lines = append(lines, line)
	}
	head := "validated"
	if !v.Accepted {
		head = "did not validate"
	}
	return strings.Join(append([]string{head + ": " + v.Why}, lines...), "\n  ")
}
