package aws

import (
	"slices"
	"testing"

	"shoplab/lab/stage"
)

// TestSettings: what scales is held still, unless the caller says otherwise; a function keeps its reserved concurrency,
// without which it would handle one request at a time.
func TestSettings(t *testing.T) {
	const held = "shoplab:maxInstances="
	for _, c := range []struct {
		topology stage.Topology
		config   []string
		want     []string // of those that begin with held
	}{
		{stage.Fargate, nil, []string{held + "2"}},
		{stage.Balanced, []string{"shoplab:instances=3"}, []string{held + "3"}},
		{stage.Fargate, []string{held + "8"}, []string{held + "2", held + "8"}}, // where two set a key, the later counts
		{stage.Lambda, nil, nil},
		{stage.Lambda, []string{held + "10"}, []string{held + "10"}},
	} {
		a := &AWS{config: c.config}
		got := a.settings(stage.Stage{Topology: c.topology, Instances: 2, MaxInstances: 34})
		if !slices.Contains(got, "shoplab:rateLimit=off") || !slices.Contains(got, "shoplab:payments=simulated") {
			t.Errorf("%s: %v", c.topology, got)
		}
		got = slices.DeleteFunc(got, func(s string) bool { return len(s) < len(held) || s[:len(held)] != held })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s with %v: %v, want %v", c.topology, c.config, got, c.want)
		}
	}
}
