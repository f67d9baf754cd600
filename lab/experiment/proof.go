package experiment

import (
	"fmt"
	"strconv"

	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// knob is the one thing that a proof changes.
type knob struct {
	name     string
	from, to string
	// down says that the resource could only be made scarcer here: the proof then expects harm.
	down bool
	turn stage.Change
}

// knobFor returns the knob of a cause, or why there is none. cpus is how many of this machine's the
// stage may use.
func knobFor(cause result.Cause, s stage.Stage, cpus float64) (knob, string) {
	number := func(name string, from, to int, turn func(*stage.Stage, int)) knob {
		return knob{name: name, from: strconv.Itoa(from), to: strconv.Itoa(to), down: to < from, turn: func(o *stage.Stage) { turn(o, to) }}
	}
	cpu := func(to int) knob {
		return number("CPU units of an instance", s.CPU, to, func(o *stage.Stage, n int) { o.CPU = n })
	}
	switch cause {
	case result.CausePool:
		// Twice the pool, if the database has room for it.
		most := (s.DatabaseConnections - 3) / s.Instances
		to := min(2*s.PoolPerInstance, most)
		if to <= s.PoolPerInstance {
			to = max(1, s.PoolPerInstance/2)
		}
		return number("pool per instance", s.PoolPerInstance, to, func(o *stage.Stage, n int) { o.PoolPerInstance = n }), ""
	case result.CauseDBConns:
		return number("max_connections", s.DatabaseConnections, 2*s.DatabaseConnections,
			func(o *stage.Stage, n int) { o.DatabaseConnections = n }), ""
	case result.CauseCPU:
		if float64(2*s.CPU*s.Instances) > 1024*cpus {
			return cpu(s.CPU / 2), "" // this machine has no more to give
		}
		return cpu(2 * s.CPU), ""
	case result.CauseDatabase:
		units := s.DatabaseCPU
		if units == 0 {
			return knob{}, "the database has no CPU of its own to turn"
		}
		// Less of it, because more than this machine has cannot be given.
		return number("CPU units of the database", units, units/2, func(o *stage.Stage, n int) { o.DatabaseCPU = n }), ""
	case result.CauseMemory:
		return number("MiB of an instance", s.Memory, 2*s.Memory, func(o *stage.Stage, n int) { o.Memory = n }), ""
	case result.CauseMachine:
		// Cores cannot be added; what the stage may use of them can be halved.
		return knob{
			name: "CPUs of this machine for the stage", from: fmt.Sprintf("%.3g", cpus), to: fmt.Sprintf("%.3g", cpus/2), down: true,
			turn: func(o *stage.Stage) { o.HostCPUs = cpus / 2 },
		}, ""
	case result.CauseHashing:
		return knob{name: "hashes at a time", from: "default", to: "1", down: true, turn: func(o *stage.Stage) {
			o.Env = append(o.Env, "HASH_CONCURRENCY=1")
		}}, ""
	case result.CauseGenerator:
		return knob{}, "more generator than the one machine has cannot be added here: repeat the run with the load from another machine"
	case result.CauseUnknown:
		return knob{}, "no resource was at its end, so there is no knob to turn"
	default:
		return knob{}, fmt.Sprintf("the twin has no knob for the %s", cause)
	}
}

// leastEffect is the change in goodput or p95 that counts as an effect when repeats say nothing of
// the noise.
const leastEffect = 0.15

// conclude compares the same load before and after the knob was turned.
func conclude(k knob, before, after result.Step, noise float64) *result.Proof {
	p := &result.Proof{Knob: k.name, From: k.from, To: k.to, Users: before.Users, Before: before, After: after}
	if before.Latency != nil && after.Latency != nil && before.Latency.P95MS > 0 {
		p.P95Ratio = result.Ptr(after.Latency.P95MS / before.Latency.P95MS)
	}
	if before.Goodput > 0 {
		p.ThroughputRatio = result.Ptr(after.Goodput / before.Goodput)
	}
	least := max(leastEffect, noise)
	better := improved(p.ThroughputRatio, p.P95Ratio, least)
	worse := improved(inverse(p.ThroughputRatio), inverse(p.P95Ratio), least)
	change := fmt.Sprintf("%s %s instead of %s with %d users: goodput %s, p95 %s", k.name, k.to, k.from, before.Users,
		times(p.ThroughputRatio), times(p.P95Ratio))
	switch {
	case k.down && worse:
		p.Confirmed = true
		p.Conclusion = change + ". Less of it hurts, as it must if it is what limits; more cannot be given here."
	case !k.down && better:
		p.Confirmed = true
		p.Conclusion = change + ". More of it helps: it was what limited."
	default:
		p.Conclusion = fmt.Sprintf("%s. No effect beyond the noise of %.0f%%: the verdict is not confirmed.", change, 100*least)
	}
	return p
}

// improved says whether goodput rose or p95 fell by more than least.
func improved(throughput, p95 *float64, least float64) bool {
	return throughput != nil && *throughput > 1+least || p95 != nil && *p95 < 1-least
}

func inverse(v *float64) *float64 {
	if v == nil || *v == 0 {
		return nil
	}
	return result.Ptr(1 / *v)
}

func times(v *float64) string {
	if v == nil {
		return "not measured"
	}
	return fmt.Sprintf("x%.2f", *v)
}
