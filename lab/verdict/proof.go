package verdict

import (
	"fmt"
	"math"
	"strconv"

	"shoplab/contract"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// Knob is the one thing that a proof changes.
type Knob struct {
	Name     string // "pool per instance"
	From, To string
	// Down says that the resource could only be made scarcer here, as the machine has no more of it to give. The proof
	// then expects the shop to get worse.
	Down   bool
	Change stage.Change
	// resource and limit are what is made scarcer and where it then ends, in the unit of its use.
	resource result.Resource
	limit    float64
}

// mustHurt says that more of the resource was in use before than remains when the knob is turned down. Then the shop
// gets slower whatever limited it before, so that the experiment proves nothing.
func (k Knob) mustHurt(before result.Step) bool {
	used := 0.0
	for _, u := range usages(before, k.resource) {
		used = max(used, u.Mean)
	}
	return k.Down && k.limit > 0 && used > k.limit
}

// KnobFor returns the knob of a cause on a stage that runs as a twin, or why there is none.
func KnobFor(cause result.Cause, s stage.Stage) (Knob, string) {
	cpus := s.HostCPUs
	number := func(name string, from, to int, turn func(*stage.Stage, int)) Knob {
		return Knob{
			Name: name, From: strconv.Itoa(from), To: strconv.Itoa(to), Down: to < from,
			Change: func(o *stage.Stage) { turn(o, to) },
		}
	}
	cpu := func(to int) Knob {
		return number("CPU units of an instance", s.CPU, to, func(o *stage.Stage, n int) { o.CPU = n })
	}
	switch cause {
	case result.CausePool:
		// Twice the pool, if the database has room for it.
		most := (s.DatabaseConnections - contract.SuperuserReservedConnections) / max(1, s.Most())
		to := min(2*s.PoolPerInstance, most)
		if to <= s.PoolPerInstance {
			to = max(1, s.PoolPerInstance/2)
		}
		return number("pool per instance", s.PoolPerInstance, to, func(o *stage.Stage, n int) { o.PoolPerInstance = n }), ""
	case result.CauseConcurrency:
		// Twice as many execution environments, if the database has room for their connections.
		most := (s.DatabaseConnections - contract.SuperuserReservedConnections) / max(1, s.PoolPerInstance)
		to := min(2*s.MaxInstances, most)
		if to <= s.MaxInstances {
			to = max(1, s.MaxInstances/2)
		}
		return number("reserved concurrency", s.MaxInstances, to, func(o *stage.Stage, n int) { o.MaxInstances = n }), ""
	case result.CauseDBConns:
		return number("max_connections", s.DatabaseConnections, 2*s.DatabaseConnections,
			func(o *stage.Stage, n int) { o.DatabaseConnections = n }), ""
	case result.CauseCPU:
		if float64(2*s.CPU*s.Most()) > 1024*cpus {
			k := cpu(s.CPU / 2) // this machine has no more to give
			k.resource, k.limit = result.ResourceInstanceCPU, float64(s.CPU/2)/1024
			if s.Topology == stage.Single {
				k.resource = result.ResourceServerCPU
			}
			return k, ""
		}
		return cpu(2 * s.CPU), ""
	case result.CauseDatabase:
		units := s.DatabaseCPU
		if units == 0 {
			return Knob{}, "the database has no CPU of its own to turn"
		}
		// Less of it, because more than this machine has cannot be given.
		k := number("CPU units of the database", units, units/2, func(o *stage.Stage, n int) { o.DatabaseCPU = n })
		k.resource, k.limit = result.ResourceDBCPU, float64(units/2)/1024
		return k, ""
	case result.CauseMemory:
		return number("MiB of an instance", s.Memory, 2*s.Memory, func(o *stage.Stage, n int) { o.Memory = n }), ""
	case result.CauseMachine:
		// Cores cannot be added; what the stage may use of them can be halved.
		return Knob{
			Name: "CPUs of this machine for the stage", From: fmt.Sprintf("%.3g", cpus), To: fmt.Sprintf("%.3g", cpus/2),
			Down:     true,
			resource: result.ResourceStageCPU, limit: cpus / 2,
			Change: func(o *stage.Stage) { o.HostCPUs = cpus / 2 },
		}, ""
	case result.CauseHashing:
		return Knob{Name: "hashes at a time", From: "default", To: "1", Down: true, Change: func(o *stage.Stage) {
			o.Env = append(o.Env, contract.EnvHashConcurrency+"=1")
		}}, ""
	case result.CauseGenerator:
		return Knob{}, "more generator than the one machine has cannot be added here: repeat the run with the load from " +
			"another machine"
	case result.CauseUnknown:
		return Knob{}, "no resource was at its end, so there is no knob to turn"
	default:
		return Knob{}, fmt.Sprintf("the twin has no knob for the %s", cause)
	}
}

// LeastEffect is the change in goodput or p95 that counts as an effect when repeats say nothing of
// the noise.
const LeastEffect = 0.15

// Conclude compares the same load before and after the knob was turned. More of the resource that limits has to help,
// and less of it has to hurt, by more than the repeats differ among themselves (noise, a share) and by LeastEffect at
// least; otherwise the verdict is not confirmed.
func Conclude(k Knob, before, after result.Step, noise float64) *result.Proof {
	p := &result.Proof{Knob: k.Name, From: k.From, To: k.To, Users: before.Users, Before: before, After: after}
	if before.Latency != nil && after.Latency != nil && before.Latency.P95MS > 0 {
		p.P95Ratio = result.Ptr(after.Latency.P95MS / before.Latency.P95MS)
	}
	if before.Goodput > 0 {
		p.ThroughputRatio = result.Ptr(after.Goodput / before.Goodput)
	}
	least := max(LeastEffect, noise)
	better := improved(p.ThroughputRatio, p.P95Ratio, least)
	worse := improved(inverse(p.ThroughputRatio), inverse(p.P95Ratio), least)
	change := fmt.Sprintf("%s %s instead of %s with %d users: goodput %s, p95 %s", k.Name, k.To, k.From, before.Users,
		Times(p.ThroughputRatio), Times(p.P95Ratio))
	p.Elasticity = elasticity(k, p.ThroughputRatio)
	if p.Elasticity != nil {
		change += fmt.Sprintf(" (elasticity %.2f)", *p.Elasticity)
	}
	switch {
	case k.mustHurt(before):
		p.Conclusion = change + ". More than that was in use, so it must hurt by arithmetic: it proves nothing."
	case k.Down && worse:
		p.Confirmed = true
		p.Conclusion = change + ". Less of it hurts, as it must if it is what limits; more cannot be given here."
	case !k.Down && better:
		p.Confirmed = true
		p.Conclusion = change + ". More of it helps: it was what limited."
	default:
		p.Conclusion = fmt.Sprintf("%s. No effect beyond the noise of %.0f%%: the verdict is not confirmed.", change,
			100*least)
	}
	return p
}

// elasticity is the logarithm of the ratio of goodput over that of the knob: 1 where goodput follows the resource in
// proportion, 0 where it does not depend on it. Nil where one of the values is no positive number.
func elasticity(k Knob, throughput *float64) *float64 {
	from, err1 := strconv.ParseFloat(k.From, 64)
	to, err2 := strconv.ParseFloat(k.To, 64)
	if err1 != nil || err2 != nil || from <= 0 || to <= 0 || from == to || throughput == nil || *throughput <= 0 {
		return nil
	}
	return result.Ptr(math.Log(*throughput) / math.Log(to/from))
}

// Effect says whether turning the knob changed anything beyond the noise, for better or worse.
func Effect(p result.Proof, noise float64) bool {
	least := max(LeastEffect, noise)
	return improved(p.ThroughputRatio, p.P95Ratio, least) ||
		improved(inverse(p.ThroughputRatio), inverse(p.P95Ratio), least)
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

// Times is a ratio as text.
func Times(v *float64) string {
	if v == nil {
		return "not measured"
	}
	return fmt.Sprintf("x%.2f", *v)
}
