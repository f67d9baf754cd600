package verdict

import (
	"fmt"

	"shoplab/lab/result"
)

// maxStartLate is how long after the others a shard may begin, in ms: they have half of the time to settle, which is
// a second at the least, for their users to come.
const maxStartLate = 500

// generators are the load generators of the steps that count, each shard for itself: that the others had time
// to spare does not help its own answers.
func generators(steps []result.Step) []result.Generator {
	var all []result.Generator
	for _, s := range steps {
		switch {
		case s.Purpose == result.PurposeWarmUp:
		case len(s.Shards) > 0:
			all = append(all, s.Shards...)
		default:
			all = append(all, result.Generator{CPU: s.GeneratorCPU, Allowance: s.GeneratorAllowance, TimerLateMS: s.TimerLateMS})
		}
	}
	return all
}

// shardsGate wants every shard of a generator to have sent its part, together with the others; false where there
// are none.
func shardsGate(steps []result.Step) (g result.Gate, ok bool) {
	g = result.Gate{Name: "shards", Limit: maxStartLate, Unit: "ms that a shard began after the others", Passed: true}
	for _, one := range generators(steps) {
		if one.Shard == "" {
			continue
		}
		ok = true
		if one.StartLateMS != nil {
			worst(&g, *one.StartLateMS)
		}
		if one.Error != "" && g.Passed {
			g.Passed = false
			g.Reason = "a part of the load is missing: " + one.Error
		}
	}
	if g.Passed && g.Value != nil && *g.Value > g.Limit {
		g.Passed = false
		g.Reason = fmt.Sprintf("a shard of the load generator began %.0f ms after the others (limit %.0f ms)", *g.Value,
			g.Limit)
	}
	return g, ok
}
