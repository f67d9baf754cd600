package findings

import (
	"testing"

	"shoplab/lab/result"
)

func TestPerRequest(t *testing.T) {
	of := perRequest(result.ResourceDBCPU)
	step := result.Step{Throughput: 500, Usage: []result.Usage{
		{Resource: result.ResourceRedisCPU, Mean: 9}, {Resource: result.ResourceDBCPU, Mean: .25},
	}}
	if ms := of(step); ms == nil || *ms != .5 {
		t.Errorf("0.25 cores at 500 requests a second: %v ms a request, want 0.5", ms)
	}
	if of(result.Step{Usage: step.Usage}) != nil || of(result.Step{Throughput: 500}) != nil {
		t.Error("without requests, or without the database's CPU, there is a figure")
	}
}
