package faults

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"shoplab/lab/cost"
	"shoplab/lab/stage"
	"shoplab/lab/twin"
)

// How each stage finds and replaces what is broken is read from its resource graph.
func TestPolicies(t *testing.T) {
	alb := twin.Check{Interval: 30 * time.Second, Timeout: 5 * time.Second, Healthy: 2, Unhealthy: 2}
	for name, want := range map[string]policy{
		"stage1": {keeper: systemd},
		"stage2": {keeper: group, check: alb, deregistration: 15 * time.Second, warmup: time.Minute, atOnce: 1},
		"stage3": {keeper: ecs, check: alb, deregistration: 15 * time.Second, atOnce: 2},
		"stage4": {
			keeper: kubernetes, check: twin.Check{
				Interval: 2 * time.Second, Timeout: 2 * time.Second, Healthy: 1,
				Unhealthy: 2, Closed: true,
			},
			drain: 10 * time.Second, liveness: 30 * time.Second, grace: time.Minute, atOnce: 1,
		},
		"stage5": {keeper: function, timeout: 20 * time.Second},
	} {
		g, s := declared(t, name)
		got, err := policyOf(g, s)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v\n%v", name, got, want, err)
		}
		if got.detection() == "" || got.replacement() == "" {
			t.Errorf("%s does not say how it finds and replaces", name)
		}
		if _, err := policyOf(cost.Graph{}, s); err == nil && name != "stage1" {
			t.Errorf("%s: a graph without the stage gives a policy", name)
		}
	}
	if _, err := policyOf(cost.Graph{}, stage.Stage{Name: "stage6", Topology: "moon"}); err == nil ||
		!strings.Contains(err.Error(), "stage6 is moon") {
		t.Errorf("a topology that is not known: %v", err)
	}
}

// Every assumption has a source, and whatever is assumed is in the table.
func TestAssumptions(t *testing.T) {
	for _, a := range assumptions {
		if a.Source == "" || a.Value <= 0 || assumed(a.Name) <= 0 {
			t.Errorf("%+v", a)
		}
	}
	for _, name := range []string{
		bootServer, bootTask, noticeTask, noticePod, rebootCache, person, placement, zoneAway,
		webhooksAway,
	} {
		assumed(name) // panics without
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	good := Plan{Repeats: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, p := range []Plan{
		{}, {Repeats: 1, Longest: -1}, {Repeats: 1, Rate: -1}, {Repeats: 1, Faults: []string{"sunshine"}},
	} {
		if p.Check() == nil {
			t.Errorf("%+v is no plan", p)
		}
	}
}

// declared are a stage's graph and configuration, as the repository has them.
func declared(t *testing.T, name string) (cost.Graph, stage.Stage) {
	t.Helper()
	s, err := stage.Read("../..", name)
	if err != nil {
		t.Fatal(err)
	}
	g, err := stage.Graph("../..", name)
	if err != nil {
		t.Fatal(err)
	}
	return g, s
}
