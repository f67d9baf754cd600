package twin

import "testing"

func TestThresholds(t *testing.T) {
	var tg target
	for i, step := range []struct{ ok, changed, out bool }{
		{true, false, false}, {false, false, false}, {true, false, false}, // one failure is none
		{false, false, false}, {false, true, true}, // two in a row are
		{true, false, true}, {false, false, true}, {true, false, true}, {true, true, false},
	} {
		if changed := tg.observe(step.ok); changed != step.changed || tg.out != step.out {
			t.Errorf("check %d: changed %v, out %v; want %v, %v", i, changed, tg.out, step.changed, step.out)
		}
	}
	a, b := &target{host: "a", out: true}, &target{host: "b"}
	if got := healthy([]*target{a, b}); len(got) != 1 || got[0] != "b" {
		t.Errorf("healthy %v, want b", got)
	}
	b.out = true
	if got := healthy([]*target{a, b}); len(got) != 2 {
		t.Errorf("healthy %v when none is, want all", got)
	}
}
