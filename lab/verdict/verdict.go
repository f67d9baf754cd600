// Package verdict names what gave out in a step that missed its objective, from what was watched; says
// which knob tests that, and whether the test bore it out; and says which figures may be used at all. It
// measures nothing.
package verdict

import (
	"cmp"
	"fmt"
	"slices"

	"shoplab/lab/result"
)

// Thresholds of the verdict. A resource is named when it is at its end; what is merely busy is not.
const (
	Exhausted   = 0.90 // use over limit from which a resource counts as given out
	longWait    = 0.25 // share of the mean latency spent waiting for the pool
	leastLogins = 0.5  // share of the errors that must come from one operation to blame it
)

// Judge names the resource that gave out in a step that missed the objective.
func Judge(step result.Step) *result.Verdict {
	suspects := suspectsOf(step)
	v := &result.Verdict{Cause: result.CauseUnknown, Suspects: suspects}
	for _, s := range suspects {
		v.Evidence = append(v.Evidence, result.Fact{
			Text: s.Why, Value: result.Ptr(s.Pressure), Limit: result.Ptr(1.0),
			Unit: "pressure",
		})
	}
	v.Evidence = append(v.Evidence, result.Fact{Text: Symptoms(step)})
	switch {
	case len(step.Usage) == 0:
		v.Summary = "unknown: no resource could be watched from where the load came from"
	case len(suspects) == 0 || suspects[0].Pressure < Exhausted:
		v.Summary = "unknown: " + Symptoms(step) + ", but no watched resource was at its end"
	default:
		v.Cause = suspects[0].Cause
		v.Summary = fmt.Sprintf("%s: %s", suspects[0].Cause, suspects[0].Why)
	}
	return v
}

// Symptoms says how the objective was missed.
func Symptoms(s result.Step) string {
	text := "no answers"
	if s.Latency != nil {
		text = fmt.Sprintf("p95 was %.0f ms and %.1f%% of the requests failed", s.Latency.P95MS, 100*s.ErrorRatio)
	}
	if len(s.Errors) > 0 {
		kinds := make([]string, 0, len(s.Errors))
		for kind := range s.Errors {
			kinds = append(kinds, kind)
		}
		slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(s.Errors[b]-s.Errors[a], cmp.Compare(a, b)) })
		text += fmt.Sprintf(" (%s: %d)", kinds[0], s.Errors[kinds[0]])
	}
	if s.Loop == result.LoopClosed {
		return fmt.Sprintf("with %d users %s", s.Users, text)
	}
	return fmt.Sprintf("at %.0f requests a second %s", s.Rate, text)
}

// suspectsOf weighs every cause that was watched, the likeliest first. Where several resources are at their limit, the
// order of the calls below decides, because one of them usually explains the others. A generator without CPU makes
// answers look late whatever the shop does, so it comes first. An instance that used up its CPU quota holds each
// database connection for longer, so the pool fills as a consequence; a slow database does the same to the pool.
// Therefore the pool, a function's concurrency, which is as much in use, and the passwords' hashing come last: they are
// named only if nothing above is at its limit.
// Resources that are not at their limit follow, by how close they came.
func suspectsOf(step result.Step) []result.Suspect {
	w := weigher{step: step}
	w.generator()
	w.cpu()
	w.ratio(result.CauseMemory, result.ResourceMemory, "used %.0f%% of its memory", 0.97)
	w.cores(result.CauseDatabase, result.ResourceDBCPU, "PostgreSQL")
	w.locks()
	w.cores(result.CauseProxy, result.ResourceProxyCPU, "the proxy")
	w.cores(result.CauseProxy, result.ResourceSidecarCPU, "the sidecar")
	w.cores(result.CauseRedis, result.ResourceRedisCPU, "Redis")
	w.machine()
	w.ratio(result.CauseDBConns, result.ResourceDBConns, "had %.0f%% of its connections in use", Exhausted)
	w.concurrency()
	w.pool()
	w.hashing()
	slices.SortStableFunc(w.found, func(a, b result.Suspect) int {
		// Those at their end first, in the order above; the rest by how close they are.
		aEnd, bEnd := a.Pressure >= Exhausted, b.Pressure >= Exhausted
		switch {
		case aEnd && bEnd:
			return 0
		case aEnd:
			return -1
		case bEnd:
			return 1
		}
		return cmp.Compare(b.Pressure, a.Pressure)
	})
	return w.found
}

type weigher struct {
	step  result.Step
	found []result.Suspect
}

func (w *weigher) add(c result.Cause, pressure float64, format string, args ...any) {
	w.found = append(w.found, result.Suspect{Cause: c, Pressure: pressure, Why: fmt.Sprintf(format, args...)})
}

// of returns the usages of a resource.
func (w *weigher) of(r result.Resource) []result.Usage { return usages(w.step, r) }

func usages(s result.Step, r result.Resource) []result.Usage {
	var all []result.Usage
	for _, u := range s.Usage {
		if u.Resource == r {
			all = append(all, u)
		}
	}
	return all
}

// tightest returns the usage closest to its limit.
func tightest(all []result.Usage) (result.Usage, float64, bool) {
	best, most := result.Usage{}, -1.0
	for _, u := range all {
		if u.Limit != nil && *u.Limit > 0 && u.Mean / *u.Limit > most {
			best, most = u, u.Mean / *u.Limit
		}
	}
	return best, most, most >= 0
}

// generator: the process that sends the load had too little CPU to keep up.
func (w *weigher) generator() {
	s := w.step
	if s.GeneratorShare != nil && s.MachineCPU != nil && *s.MachineCPU >= 0.95 {
		// At half of a saturated machine the generator is its greatest single user.
		w.add(result.CauseGenerator, *s.GeneratorShare/0.5,
			"the load generator took %.0f%% of the CPU of a saturated machine", 100**s.GeneratorShare)
	}
}

// cpu: an instance, or the machine that several parts share, used up its CPU limit.
func (w *weigher) cpu() {
	u, share, ok := tightest(append(w.of(result.ResourceInstanceCPU), w.of(result.ResourceServerCPU)...))
	if !ok {
		return
	}
	if whole, _, limited := tightest(w.of(result.ResourceStageCPU)); limited && *u.Limit >= *whole.Limit {
		return // its limit is no lower than that of the whole stage: machine() judges that one
	}
	throttled, known := w.throttled(u.Of), ""
	if throttled > 0 {
		known = fmt.Sprintf(" and was throttled in %.0f%% of the periods", 100*throttled)
	}
	// The kernel grants a quota anew in each period. An instance that used it up in most periods waited in
	// them, even where its mean use over the step is below the limit.
	w.add(result.CauseCPU, max(share, throttled), "%s used %.2f of its %.2f CPUs%s", u.Of, u.Mean, *u.Limit, known)
}

// throttled is the share of the scheduler's periods in which a part had used up its quota.
func (w *weigher) throttled(of string) float64 {
	for _, t := range w.of(result.ResourceThrottled) {
		if t.Of == of {
			return t.Mean
		}
	}
	return 0
}

// ratio: a resource with a limit. Below the share least it does not count as exhausted.
func (w *weigher) ratio(c result.Cause, r result.Resource, format string, least float64) {
	u, share, ok := tightest(w.of(r))
	if !ok {
		return
	}
	pressure := share
	if share < least {
		pressure = min(share, Exhausted-0.01)
	}
	w.add(c, pressure, "%s "+format, cmp.Or(u.Of, "the database"), 100*share)
}

// cores: a process that has a limit of its own, or is known to use one core at most.
func (w *weigher) cores(c result.Cause, r result.Resource, name string) {
	for _, u := range w.of(r) {
		limit := 0.0
		if u.Limit != nil {
			limit = *u.Limit
		} else if c == result.CauseRedis {
			limit = 1 // commands run on one thread
		}
		if limit > 0 {
			w.add(c, u.Mean/limit, "%s used %.2f of its %.2f CPUs", name, u.Mean, limit)
		}
	}
}

// locks: most of the running statements wait for each other.
func (w *weigher) locks() {
	waiting, active := w.of(result.ResourceDBLockWaits), w.of(result.ResourceDBActive)
	if len(waiting) == 1 && len(active) == 1 && active[0].Mean >= 2 {
		w.add(result.CauseDatabase, waiting[0].Mean/active[0].Mean, "%.0f of %.0f running statements waited for locks",
			waiting[0].Mean, active[0].Mean)
	}
}

// refused is the share of the requests from which a function counts as throttled: the objective's share of errors.
const refused = 0.01

// concurrency: a function refuses what comes while its reserved concurrency is in use. Where all of it is in use and
// nothing is refused, it is enough.
func (w *weigher) concurrency() {
	u, share, ok := tightest(w.of(result.ResourceConcurrency))
	if !ok {
		return
	}
	throttled := 0.0
	for _, t := range w.of(result.ResourceThrottles) {
		throttled += t.Mean
	}
	pressure := min(share, Exhausted-0.01)
	if throttled > 0 && throttled >= refused*w.step.Throughput {
		pressure = 1
	}
	w.add(result.CauseConcurrency, pressure,
		"the function had %.1f of %.0f execution environments in use and refused %.1f requests a second",
		u.Mean, *u.Limit, throttled)
}

// pool: requests wait for a connection of their instance's pool.
func (w *weigher) pool() {
	u, share, ok := tightest(w.of(result.ResourcePoolInUse))
	if !ok {
		return
	}
	wait, mean := 0.0, 0.0
	for _, p := range w.of(result.ResourcePoolWait) {
		wait = max(wait, p.Mean)
	}
	if w.step.Latency != nil {
		mean = w.step.Latency.MeanMS
	}
	pressure := share
	if mean == 0 || wait < longWait*mean {
		pressure = min(share, Exhausted-0.01) // full, but nobody waits for long
	}
	w.add(result.CausePool, pressure, "%s had %.1f of its %.0f connections in use; an acquire waited %.0f ms, and the "+
		"mean request, with and without the database, took %.0f ms",
		u.Of, u.Mean, *u.Limit, wait, mean)
}

// hashing: the errors are those of signing in.
func (w *weigher) hashing() {
	for _, o := range w.step.Operations {
		if o.Name == "login" && w.step.Failed > 0 && float64(o.Failed) >= leastLogins*float64(w.step.Failed) &&
			w.step.ErrorRatio > 0.01 {
			w.add(result.CauseHashing, 1, "%d of %d failed requests were sign-ins", o.Failed, w.step.Failed)
		}
	}
}

// machine: everything together used up what the machine that the twin runs on gives the stage, or all
// of it.
func (w *weigher) machine() {
	if u, share, ok := tightest(w.of(result.ResourceStageCPU)); ok {
		throttled := w.throttled(u.Of)
		w.add(result.CauseMachine, max(share, throttled),
			"%s used %.2f of the %.2f CPUs that this machine gives it and was throttled in %.0f%% of the periods", u.Of, u.Mean,
			*u.Limit, 100*throttled)
	}
	others := ""
	for _, u := range w.of(result.ResourceForeignCPU) {
		if u.Limit != nil {
			others = fmt.Sprintf(", %.0f%% by processes that are not part of the run", 100*u.Mean / *u.Limit)
		}
	}
	for _, u := range w.of(result.ResourceMachineCPU) {
		w.add(result.CauseMachine, u.Mean, "all processes together used %.0f%% of this machine's CPUs%s", 100*u.Mean, others)
	}
}
