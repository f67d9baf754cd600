package watch

import (
	"context"
	"os"
	"testing"
	"time"

	"shoplab/lab/result"
)

func TestWatchJoinsSecondsAndLeavesGaps(t *testing.T) {
	calls := 0
	lines := Watch(t.Context(), []Probe{
		func(context.Context) []Reading {
			calls++
			if calls == 3 { // the second second is not measured
				return nil
			}
			return []Reading{{Resource: result.ResourceDBConns, Unit: "connections", Limit: 10, Value: float64(calls)}}
		},
		func(context.Context) []Reading { return []Reading{{Resource: result.ResourceMachineCPU, Value: .5}} },
	}, time.Now(), 2)
	if len(lines) != 2 {
		t.Fatalf("%+v", lines)
	}
	for _, l := range lines {
		if l.Resource == result.ResourceDBConns && (len(l.Values) != 2 || *l.Values[0] != 2 || l.Values[1] != nil ||
			*l.Limit != 10) {
			t.Errorf("%+v", l)
		}
	}
	u := Usage(lines)
	if len(u) != 2 || u[0].Mean != 2 {
		t.Errorf("the mean of what was measured: %+v", u)
	}
}

func TestForeignCPUIsWhatNobodyOfTheRunUsed(t *testing.T) {
	line := func(r result.Resource, values ...float64) result.Line {
		l := result.Line{Resource: r}
		for _, v := range values {
			l.Values = append(l.Values, &v)
		}
		return l
	}
	more := Derived([]result.Line{
		line(result.ResourceMachineCPU, 1, .5), line(result.ResourceGeneratorCPU, .2, .1),
		line(result.ResourceInterruptCPU, .1, .1), // for the packets of the run
		line(result.ResourceInstanceCPU, .5, .4), line(result.ResourceDBCPU, .2, .4),
		line(result.ResourceServerCPU, .7, .8), // the two above together, not once more
		line(result.ResourceInFlight, 3, 5), line(result.ResourceInFlight, 4, 5),
	}, 10, 2)
	if len(more) != 2 {
		t.Fatalf("%+v", more)
	}
	if q := more[0].Values; *q[0] != 3 || *q[1] != 0 {
		t.Errorf("proxy queue %v %v", *q[0], *q[1])
	}
	if f := more[1].Values; *f[0] < .99 || *f[0] > 1.01 || *f[1] > .001 {
		t.Errorf("foreign CPU %v %v, want 1 and 0", *f[0], *f[1])
	}
}

// The CPU of a shard is the generator's: without it, it would count as somebody else's.
func TestGeneratorsOfOtherProcesses(t *testing.T) {
	if _, ok := ReadCPU(); !ok {
		t.Skip("no /proc")
	}
	probe := Generators([]int{os.Getpid(), 1 << 30}) // the second is none
	probe(t.Context())
	time.Sleep(time.Millisecond)
	found := probe(t.Context())
	if len(found) != 1 || found[0].Resource != result.ResourceGeneratorCPU || found[0].Of != "shard 1" ||
		found[0].Unit != "cores" {
		t.Fatalf("%+v", found)
	}
	line := func(r result.Resource, cores float64) result.Line {
		return result.Line{Resource: r, Values: []*float64{&cores}}
	}
	// One of two cores is busy: the stage has half of one, the laboratory and its shard the rest.
	all := Derived([]result.Line{
		line(result.ResourceStageCPU, .5), line(result.ResourceMachineCPU, .5), line(result.ResourceGeneratorCPU, .1),
		line(result.ResourceGeneratorCPU, .4),
	}, 0, 2)
	if len(all) != 1 || *all[0].Values[0] > 1e-9 {
		t.Errorf("foreign CPU %+v, want none", all)
	}
}
