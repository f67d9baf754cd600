package findings

import (
	"math"
	"testing"

	"shoplab/lab/result"
)

// TestCPUOfARequest adds up what parts of one kind used, and says nothing where there are none.
func TestCPUOfARequest(t *testing.T) {
	step := result.Step{Throughput: 500, Usage: []result.Usage{
		{Resource: result.ResourceProxyCPU, Mean: .1},
		{Resource: result.ResourceSidecarCPU, Of: "sidecar-1", Mean: .05},
		{Resource: result.ResourceSidecarCPU, Of: "sidecar-2", Mean: .07},
		{Resource: result.ResourceInstanceCPU, Mean: .3},
	}}
	got := cpuOf(result.ResourceProxyCPU, result.ResourceSidecarCPU)(step)
	if got == nil || math.Abs(*got-.44) > 1e-9 {
		t.Errorf("the proxies used %v ms, want 0.44", got)
	}
	if got := cpuOf(result.ResourceRedisCPU)(step); got != nil {
		t.Errorf("what was not measured used %v ms", *got)
	}
}
