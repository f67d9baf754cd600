package twin

import (
	"io"
	"slices"
	"testing"
	"time"
)

func TestThresholds(t *testing.T) {
	check := Check{}.withDefaults(time.Second)
	var tg target
	for i, step := range []struct{ ok, changed, out bool }{
		{true, false, false}, {false, false, false}, {true, false, false}, // one failure is none
		{false, false, false}, {false, true, true}, // two in a row are
		{true, false, true}, {false, false, true}, {true, false, true}, {true, true, false},
	} {
		if changed := tg.observe(step.ok, check); changed != step.changed || tg.out != step.out {
			t.Errorf("check %d: changed %v, out %v; want %v, %v", i, changed, tg.out, step.changed, step.out)
		}
	}
}

// told notes whom it was told to send requests to.
type told struct{ hosts []string }

func (f *told) use(hosts []string) error { f.hosts = hosts; return nil }

func TestRotation(t *testing.T) {
	a, b := &target{host: "a"}, &target{host: "b"}
	front := &told{}
	r := newRotation(Check{}.withDefaults(time.Second), front, []*target{a, b}, io.Discard)
	c := &target{host: "c"}
	r.add(c)
	if got := r.hosts(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%v get requests before the new one has passed a check", got)
	}
	if !c.observe(true, r.check) || !slices.Equal(r.hosts(), []string{"a", "b", "c"}) {
		t.Errorf("one good check put a new target not in: %v", r.hosts())
	}
	r.remove("a")
	if !slices.Equal(front.hosts, []string{"b", "c"}) {
		t.Errorf("the balancer was told %v", front.hosts)
	}
	b.out, c.out = true, true
	if got := r.hosts(); len(got) != 2 {
		t.Errorf("healthy %v when none is, want all as an ALB has it", got)
	}
	r.check.Closed = true
	if got := r.hosts(); len(got) != 0 {
		t.Errorf("healthy %v when none is, want none as Kubernetes has it", got)
	}
}
