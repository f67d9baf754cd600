package verdict

import (
	"fmt"
	"slices"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// Limits of the validity gate.
const (
	// maxGenerator is how much of the cores that it may use the generator may have taken: beyond it
	// answers waited for the generator, whatever else the machine did.
	maxGenerator = 0.9
	// maxTimerLate is how late the generator's own timers may be, the 99th percentile, in ms: a twentieth
	// of the objective's 500 ms.
	maxTimerLate = 25.0
	// saturated is the use of all cores from which the generator and the shop take CPU time from each other.
	saturated = 0.95
	// maxForeignShare is how much of a saturated machine may have gone to processes that are neither
	// the shop nor the generator.
	maxForeignShare = 0.10
	// maxSpread is how far apart repeats may be, (max-min)/median.
	maxSpread = 0.35
)

// Valid passes the measured steps and repeats through the validity gate.
func Valid(steps []result.Step, bp *result.BreakingPoint, levels []result.Level) *result.Validity {
	gates := []result.Gate{
		requestsGate(steps), limitedGate(steps), generatorGate(steps), timerGate(steps), foreignGate(steps),
		missedGate(steps), spreadGate(bp), noiseGate(levels),
	}
	if g, ok := shardsGate(steps); ok {
		gates = append(gates, g)
	}
	v := &result.Validity{Valid: true, Gates: gates}
	for _, g := range gates {
		if !g.Passed {
			v.Valid = false
			v.Reasons = append(v.Reasons, g.Reason)
		}
	}
	return v
}

// requestsGate wants something to have been measured at all.
func requestsGate(steps []result.Step) result.Gate {
	g := result.Gate{Name: "requests", Limit: 1, Unit: "requests measured, at least", Passed: true}
	if len(steps) == 0 {
		return g
	}
	total := 0.0
	for _, s := range steps {
		if s.Purpose != result.PurposeWarmUp {
			total += float64(s.Requests)
		}
	}
	g.Value = &total
	if total < g.Limit {
		g.Passed = false
		g.Reason = "no request was measured"
	}
	return g
}

// maxLimited is the share of requests that the shop's own rate limit may have refused: then the load is not
// what the shop could carry.
const maxLimited = 0.01

// limitedGate looks for the shop's own rate limit.
func limitedGate(steps []result.Step) result.Gate {
	g := result.Gate{
		Name: "rate limit", Limit: maxLimited,
		Unit: "share of a step's requests that the shop's own rate limit refused", Passed: true,
	}
	for _, s := range steps {
		if n := s.RateLimited(); s.Requests > 0 && (g.Value == nil || float64(n)/float64(s.Requests) > *g.Value) {
			g.Value = result.Ptr(float64(n) / float64(s.Requests))
		}
	}
	if g.Value != nil && *g.Value > g.Limit {
		g.Passed = false
		g.Reason = fmt.Sprintf("the shop's own rate limit refused %.1f%% of the requests (limit %.0f%%); %s", *g.Value*100,
			g.Limit*100, result.LiftRateLimit)
	}
	return g
}

// takes notes the greatest share of a machine's CPU that something else than the shop took. It counts as 0 while the
// machine had idle CPU: the shop could have used that, so nothing was taken from it.
func takes(g *result.Gate, s result.Step, share float64) {
	if s.MachineCPU == nil || s.Purpose == result.PurposeWarmUp {
		return
	}
	if *s.MachineCPU < saturated {
		share = 0
	}
	if g.Value == nil || share > *g.Value {
		g.Value = &share
	}
}

// generatorGate looks at what the generator took of the cores that it may use.
func generatorGate(steps []result.Step) result.Gate {
	g := result.Gate{
		Name: "generator CPU", Limit: maxGenerator, Unit: "share of the cores that the generator may use",
		Passed: true,
	}
	for _, one := range generators(steps) {
		if one.CPU != nil && one.Allowance != nil && *one.Allowance > 0 {
			worst(&g, *one.CPU / *one.Allowance)
		}
	}
	if g.Value != nil && *g.Value > g.Limit {
		g.Passed = false
		g.Reason = fmt.Sprintf("the load generator used %.0f%% of the cores that it may use (limit %.0f%%)", *g.Value*100,
			g.Limit*100)
	}
	return g
}

// timerGate looks at how late the generator's own timers were.
func timerGate(steps []result.Step) result.Gate {
	g := result.Gate{Name: "generator's timers", Limit: maxTimerLate, Unit: "ms late, p99", Passed: true}
	for _, one := range generators(steps) {
		if one.TimerLateMS != nil {
			worst(&g, *one.TimerLateMS)
		}
	}
	if g.Value != nil && *g.Value > g.Limit {
		g.Passed = false
		g.Reason = fmt.Sprintf("the load generator's own timers were %.0f ms late (p99, limit %.0f ms), and so are all "+
			"latencies", *g.Value, g.Limit)
	}
	return g
}

// worst keeps the greatest value of a gate.
func worst(g *result.Gate, value float64) {
	if g.Value == nil || value > *g.Value {
		g.Value = &value
	}
}

// foreignGate looks at what else ran on the machine while it was saturated.
func foreignGate(steps []result.Step) result.Gate {
	g := result.Gate{
		Name: "other processes", Limit: maxForeignShare,
		Unit: "share of the machine's CPU while it was saturated", Passed: true,
	}
	for _, s := range steps {
		for _, u := range s.Usage {
			if u.Resource == result.ResourceForeignCPU && u.Limit != nil {
				takes(&g, s, u.Mean / *u.Limit)
			}
		}
	}
	if g.Value != nil && *g.Value > g.Limit {
		g.Passed = false
		g.Reason = fmt.Sprintf("the machine was saturated and processes that are not part of the run took %.0f%% of it "+
			"(limit %.0f%%)", *g.Value*100, g.Limit*100)
	}
	return g
}

// Disturbed says that the gate would find other processes in the step.
func Disturbed(s result.Step) bool { return !foreignGate([]result.Step{s}).Passed }

// missedGate looks at the open-loop steps whose figures are used. A step of the search for the highest rate that missed
// the objective is left out: its sends may be late because the shop was slow, and all that is used of it is that it
// failed.
func missedGate(steps []result.Step) result.Gate {
	g := result.Gate{Name: "missed sends", Limit: load.MaxMissedSends, Unit: "share of the requests due", Passed: true}
	for _, s := range steps {
		if s.MissedSends == nil || s.Requests == 0 || (s.Purpose == result.PurposeRate && !s.ObjectiveKept) {
			continue
		}
		share := load.MissedShare(s)
		if g.Value == nil || share > *g.Value {
			g.Value = &share
		}
	}
	if g.Value != nil && *g.Value > g.Limit {
		g.Passed = false
		g.Reason = fmt.Sprintf("%.1f%% of an open loop's requests left late (limit %.0f%%)", *g.Value*100, g.Limit*100)
	}
	return g
}

// spreadGate looks at the repeats of the breaking point; one repeat has no spread to measure.
func spreadGate(bp *result.BreakingPoint) result.Gate {
	g := result.Gate{
		Name: "spread of the breaking point", Limit: maxSpread, Unit: "(max-min)/median of the repeats",
		Passed: true,
	}
	if bp == nil || bp.MedianUsers == nil || len(bp.Searches) < 2 {
		return g
	}
	spread := float64(*bp.HighUsers-*bp.LowUsers) / *bp.MedianUsers
	g.Value = &spread
	if spread > g.Limit {
		g.Passed = false
		g.Reason = fmt.Sprintf("the breaking point's repeats are %.0f%% apart (limit %.0f%%)", spread*100, g.Limit*100)
	}
	return g
}

// minNoiseMS is a difference between repeats too small to matter, whatever its share.
const minNoiseMS = 20

// noiseGate looks at the repeats of each declared number of users.
func noiseGate(levels []result.Level) result.Gate {
	g := result.Gate{Name: "noise between repeats", Limit: maxSpread, Unit: "(max-min)/median of p95", Passed: true}
	for _, l := range levels {
		if len(l.AllP95MS) < 2 {
			continue
		}
		lowest, highest := slices.Min(l.AllP95MS), slices.Max(l.AllP95MS)
		spread := (highest - lowest) / stats.Median(l.AllP95MS)
		if highest-lowest < minNoiseMS {
			spread = 0
		}
		if g.Value == nil || spread > *g.Value {
			g.Value = &spread
		}
		if spread > g.Limit && g.Passed {
			g.Passed = false
			g.Reason = fmt.Sprintf("p95 at %d users differs by %.0f%% between repeats (limit %.0f%%)", l.Users, spread*100,
				g.Limit*100)
		}
	}
	return g
}
