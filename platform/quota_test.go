package platform

import (
	"strings"
	"testing"
)

// TestQuota asks for what a young account may not run: an error only if the stage could not come up.
func TestQuota(t *testing.T) {
	for name, test := range map[string]struct {
		stack string
		quota int
		want  string // empty: nothing is said
		short bool
	}{
		"a fleet that cannot come up":         {"stage2", 3, "needs 4 to come up", true},
		"a fleet that cannot be updated":      {"stage2", 5, "6 to be updated", false},
		"a fleet that cannot scale out":       {"stage2", 6, "up to 10 to scale out to 4 servers", false},
		"a fleet with room":                   {"stage2", 10, "", false},
		"one server":                          {"stage1", 5, "", false},
		"one server in a closed account":      {"stage1", 0, "needs 2 to come up", true},
		"a mesh of two pods and one server":   {"stage4", 2, "", false},
		"a mesh without room for its server ": {"stage4", 1, "needs 2 to come up", true},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, test.stack, operator(test.stack))
			if err != nil {
				t.Fatal(err)
			}
			problem, short := c.overQuota(2, test.quota)
			if short != test.short || (problem == "") != (test.want == "") || !strings.Contains(problem, test.want) {
				t.Errorf("%q, %v; want %q, %v", problem, short, test.want, test.short)
			}
		})
	}
}
