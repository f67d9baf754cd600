package result

import "shoplab/contract"

import "strings"

// CPUPerRequest is how much CPU a request took of the stage's servers, and of a database of its own, in
// seconds, at the declared level with the most requests; nil where that was not measured. What a load
// balancer takes is in neither: on AWS it is billed otherwise.
func (s Stage) CPUPerRequest() (servers, database *float64) {
	busiest := s.busiest()
	if busiest == nil {
		return nil, nil
	}
	// A server's CPU is that of all that runs on it; where servers are not watched, instances and sidecars are.
	if servers = s.cores(*busiest, ResourceServerCPU); servers == nil {
		servers = s.cores(*busiest, ResourceInstanceCPU, ResourceSidecarCPU)
	}
	if s.Config.DatabaseClass != "" || s.Topology != contract.Single {
		database = s.cores(*busiest, ResourceDBCPU)
	}
	for _, p := range []*float64{servers, database} {
		if p != nil {
			*p /= busiest.Throughput
		}
	}
	return servers, database
}

// FunctionPerRequest is how long a function took for a request, in seconds, at the same level; nil where that was not
// measured.
func (s Stage) FunctionPerRequest() *float64 {
	if busiest := s.busiest(); busiest != nil {
		for _, u := range busiest.Usage {
			if u.Resource == ResourceFunctionTime {
				return Ptr(u.Mean / 1000)
			}
		}
	}
	return nil
}

// busiest is the declared level with the most requests; nil where there is none that counts.
func (s Stage) busiest() *Step {
	if s.Invalid() {
		return nil
	}
	var busiest *Step
	for i := range s.Levels {
		if step := &s.Levels[i].Median; step.Throughput > 0 && (busiest == nil || step.Throughput > busiest.Throughput) {
			busiest = step
		}
	}
	return busiest
}

// cores is the mean use of all parts of some resources; nil if none was measured in cores. CloudWatch gives
// the mean of the parts, which stands for each of them.
func (s Stage) cores(step Step, resources ...Resource) *float64 {
	var sum float64
	found := false
	for _, u := range step.Usage {
		for _, r := range resources {
			if u.Resource != r || u.Unit != "cores" {
				continue
			}
			parts := 1.0
			if strings.HasPrefix(u.Of, "the mean") {
				if s.Config.Instances == nil {
					return nil
				}
				parts = float64(*s.Config.Instances)
			}
			sum, found = sum+u.Mean*parts, true
		}
	}
	if !found {
		return nil
	}
	return &sum
}
