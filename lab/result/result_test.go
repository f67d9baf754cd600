package result

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sample() Result {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	step := Step{
		Purpose: PurposeLevel, Loop: LoopClosed, Users: 50, StartedAt: at, Seconds: 10, Requests: 3,
		Latency: &Latency{MeanMS: 2, P50MS: 2, P90MS: 3, P95MS: 3, P99MS: 3, MaxMS: 3},
		Series: &Series{StartedAt: at, IntervalSeconds: 1, Lines: []Line{
			{Resource: ResourceInstanceCPU, Of: "shop-1", Unit: "cores", Values: []*float64{Ptr(0.0), nil}},
		}},
	}
	return Result{
		Version: Version, Target: TargetLocal, StartedAt: at, FinishedAt: at.Add(time.Minute),
		Stages: []Stage{{
			Name: "stage1", Topology: "single", BringUpSeconds: Ptr(0.0),
			Levels: []Level{{Users: 50, Median: step, AllP95MS: []float64{3}}},
		}},
	}
}

func TestFileRoundTrip(t *testing.T) {
	name := filepath.Join(t.TempDir(), "deep", "result.json")
	want := sample()
	if err := WriteFile(name, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	left, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(left) != 1 {
		t.Errorf("files beside the result: %v, %v", left, err)
	}
}

func TestZeroIsKeptAndUnmeasuredIsAbsent(t *testing.T) {
	data, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"bring_up_seconds":0`, `"values":[0,null]`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%s is missing in %s", want, data)
		}
	}
	for _, not := range []string{"tear_down_seconds", "breaking_point", "usl"} {
		if strings.Contains(string(data), not) {
			t.Errorf("%s was not measured but is in %s", not, data)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, other := range []string{`{"version":99}`, `{"stages":"in words","version":99}`} {
		if _, err := Read(strings.NewReader(other)); !errors.Is(err, ErrVersion) {
			t.Errorf("%s, another version: %v", other, err)
		}
	}
	if _, err := Read(strings.NewReader(`{"version":1,"stages":"in words"}`)); err == nil || errors.Is(err, ErrVersion) {
		t.Errorf("stages in words: %v", err)
	}
	if _, err := Read(strings.NewReader(`{`)); err == nil {
		t.Error("half a file was read")
	}
}

func TestFunctionPerRequest(t *testing.T) {
	took := Usage{Resource: ResourceFunctionTime, Unit: "ms", Mean: 4}
	st := Stage{
		Topology: "lambda", Levels: []Level{
			{Median: Step{Throughput: 10}}, {Median: Step{Throughput: 200, Usage: []Usage{took}}},
		},
	}
	if got := st.FunctionPerRequest(); got == nil || *got != .004 {
		t.Errorf("got %v, want 4 ms", got)
	}
	st.Validity = &Validity{}
	if got := st.FunctionPerRequest(); got != nil {
		t.Errorf("INVALID: %v", *got)
	}
	if got := (Stage{Topology: "fargate"}).FunctionPerRequest(); got != nil {
		t.Errorf("no function: %v", *got)
	}
}

func TestCPUPerRequest(t *testing.T) {
	cores := func(r Resource, of string, mean float64) Usage {
		return Usage{Resource: r, Of: of, Unit: "cores", Mean: mean}
	}
	level := func(usage ...Usage) []Level {
		return []Level{{Median: Step{Throughput: 10}}, {Median: Step{Throughput: 200, Usage: usage}}}
	}
	for name, c := range map[string]struct {
		stage             Stage
		servers, database float64 // 0: not measured
	}{
		"one server holds everything": {
			Stage{Topology: "single", Levels: level(
				cores(ResourceServerCPU, "server", .5), cores(ResourceInstanceCPU, "shop-1", .3), cores(ResourceDBCPU, "", .2))},
			.0025, 0,
		},
		"instances with sidecars": {Stage{Topology: "mesh", Levels: level(
			cores(ResourceInstanceCPU, "shop-1", .2), cores(ResourceInstanceCPU, "shop-2", .2),
			cores(ResourceSidecarCPU, "sidecar-1", .1), cores(ResourceDBCPU, "", .1))}, .0025, .0005},
		"the mean of three tasks": {Stage{
			Topology: "fargate", Config: Config{Instances: Ptr(3)},
			Levels: level(cores(ResourceInstanceCPU, "the mean task", .1)),
		}, .0015, 0},
		"the mean of who knows how many": {Stage{
			Topology: "fargate",
			Levels:   level(cores(ResourceInstanceCPU, "the mean task", .1)),
		}, 0, 0},
		"nothing measured": {Stage{Topology: "fargate"}, 0, 0},
		"INVALID": {
			Stage{Validity: &Validity{}, Levels: level(cores(ResourceServerCPU, "", .5))},
			0,
			0,
		},
	} {
		servers, database := c.stage.CPUPerRequest()
		for what, p := range map[string]struct {
			got  *float64
			want float64
		}{"servers": {servers, c.servers}, "database": {database, c.database}} {
			if (p.got == nil) != (p.want == 0) || p.got != nil && math.Abs(*p.got-p.want) > 1e-9 {
				t.Errorf("%s: %s %v, want %g", name, what, p.got, p.want)
			}
		}
	}
}
