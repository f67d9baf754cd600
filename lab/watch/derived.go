package watch

import (
	"slices"

	"shoplab/lab/result"
)

// sum adds lines up second by second; nil where none of them was measured.
func sum(lines []result.Line, wanted ...result.Resource) []*float64 {
	var total []*float64
	for _, l := range lines {
		if !slices.Contains(wanted, l.Resource) {
			continue
		}
		if total == nil {
			total = make([]*float64, len(l.Values))
		}
		for i, v := range l.Values {
			switch {
			case v == nil:
			case total[i] == nil:
				total[i] = result.Ptr(*v)
			default:
				*total[i] += *v
			}
		}
	}
	return total
}

// Derived are the lines that follow from those watched. The proxy's queue: in a closed loop each user has one request
// under way, so what no instance is working on waits before the instances. Foreign CPU: what the machine's cores
// did, less what the stage, the generator and the network interrupts of its load used; other processes used the rest.
func Derived(lines []result.Line, users, cores int) []result.Line {
	var more []result.Line
	if inside := sum(lines, result.ResourceInFlight); inside != nil && users > 0 {
		for _, v := range inside {
			if v != nil {
				*v = max(0, float64(users)-*v)
			}
		}
		more = append(more, result.Line{Resource: result.ResourceProxyQueue, Unit: "requests", Values: inside})
	}
	stage := sum(lines, result.ResourceStageCPU)
	if stage == nil {
		stage = sum(lines, result.ResourceInstanceCPU, result.ResourceDBCPU, result.ResourceRedisCPU,
			result.ResourceProxyCPU, result.ResourceSidecarCPU)
	}
	all := sum(lines, result.ResourceMachineCPU)
	own := sum(lines, result.ResourceGeneratorCPU, result.ResourceInterruptCPU) // by the load's own packets
	if stage != nil && all != nil && own != nil {
		for i, v := range all {
			if v == nil || own[i] == nil || stage[i] == nil {
				all[i] = nil
				continue
			}
			*v = max(0, *v*float64(cores)-*own[i]-*stage[i])
		}
		more = append(more, result.Line{
			Resource: result.ResourceForeignCPU, Unit: "cores", Limit: result.Ptr(float64(cores)),
			Values: all,
		})
	}
	return more
}
