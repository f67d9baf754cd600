package forecast

import "shoplab/lab/result"

// below are the steps of ordinary load in which nothing was used up.
func below(steps []result.Step) []result.Step {
	var free []result.Step
	for _, s := range steps {
		if fits(s) && pressure(s) < unsaturated && throttled(s) < unsaturated {
			free = append(free, s)
		}
	}
	return free
}

// undisturbed are the steps in which nothing but the stage and its load had much of the machine: what others take at
// the same time changes what a request costs. All, where that leaves too few below saturation.
func undisturbed(steps []result.Step) []result.Step {
	var all []result.Step
	for _, s := range steps {
		if others, _ := total(s, result.ResourceForeignCPU); others < disturbing {
			all = append(all, s)
		}
	}
	if distinct(below(all)) < leastSteps {
		return steps
	}
	return all
}

// calm are the steps in which nobody waits for CPU, so that a connection is held for what it is used; all, where they
// are too few.
func calm(free []result.Step) []result.Step {
	var all []result.Step
	for _, s := range free {
		if pressure(s) < unsaturated/2 && throttled(s) < .05 {
			all = append(all, s)
		}
	}
	if distinct(all) < leastSteps {
		return free
	}
	return all
}

// fits says whether a step is one of ordinary load.
func fits(s result.Step) bool {
	switch s.Purpose {
	case result.PurposeDemand, result.PurposeScaling, result.PurposeLevel, result.PurposeSearch, result.PurposeRate:
		return s.Throughput > 0 && s.ErrorRatio <= 0.01
	}
	return false
}

// pressure is the use of the CPU nearest to its limit.
func pressure(s result.Step) float64 {
	most := 0.0
	for _, u := range s.Usage {
		switch u.Resource {
		case result.ResourceInstanceCPU, result.ResourceServerCPU, result.ResourceStageCPU, result.ResourceDBCPU,
			result.ResourceMachineCPU:
			if u.Limit != nil && *u.Limit > 0 {
				most = max(most, u.Mean / *u.Limit)
			}
		}
	}
	return most
}

// throttled is the share of throttled periods of the group that had most.
func throttled(s result.Step) float64 {
	most := 0.0
	for _, u := range s.Usage {
		if u.Resource == result.ResourceThrottled {
			most = max(most, u.Mean)
		}
	}
	return most
}

func distinct(steps []result.Step) int {
	seen := map[[2]float64]bool{}
	for _, s := range steps {
		seen[[2]float64{float64(s.Users), s.Rate}] = true
	}
	return len(seen)
}

// points are throughput and use of the steps that have both.
func points(steps []result.Step, r result.Resource) (x, y []float64) {
	for _, s := range steps {
		if used, ok := total(s, r); ok {
			x, y = append(x, s.Throughput), append(y, used)
		}
	}
	return x, y
}

// answers are throughput and bytes answered a second of the steps that have both.
func answers(steps []result.Step) (x, y []float64) {
	for _, s := range steps {
		if s.AnswerBytes != nil {
			x, y = append(x, s.Throughput), append(y, *s.AnswerBytes*s.Throughput)
		}
	}
	return x, y
}

// total is what all of a resource used. Sidecars that ran in one control group have, in results of twins written until
// 2026-11-28, each what all of them used: there the mean counts, told by the server's own use that only groups have.
func total(s result.Step, r result.Resource) (sum float64, ok bool) {
	n, grouped := 0, false
	for _, u := range s.Usage {
		if u.Resource == r && u.Unit != "ratio" {
			sum, ok, n = sum+u.Mean, true, n+1
		}
		grouped = grouped || u.Resource == result.ResourceServerCPU
	}
	if r == result.ResourcePoolHeld && !ok { // results until 2026-11-28 have what a look once a second saw
		return total(s, result.ResourcePoolInUse)
	}
	if r == result.ResourceSidecarCPU && grouped && n > 1 {
		sum /= float64(n)
	}
	return sum, ok
}
