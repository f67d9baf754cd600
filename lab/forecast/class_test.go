package forecast

import (
	"testing"

	"shoplab/lab/result"
)

// Errands that were measured by themselves tell what their operations take: lists ask no database, a guest's cart does
// once for each of its three, and the sum over the mix is the mix's own.
func TestClassesByErrand(t *testing.T) {
	d := Demands{
		RoundTrips: result.Interval{Value: .1},
		Classes: []Class{
			{Name: "list", Share: .8, Weight: .5},
			{Name: "guest cart add", Share: .1, Weight: 4},
			{Name: "guest cart", Share: .1, Weight: 2},
		},
		Flows: []Flow{
			{
				Name: "browse", Share: .8, Requests: 1, CPU: map[string]float64{PartService: .0001},
				Operations: map[string]float64{"list": 1},
			},
			{
				Name: "cart", Share: .1, Requests: 2, RoundTrips: 1.1,
				CPU:        map[string]float64{PartService: .0006, PartDatabase: .0005},
				Operations: map[string]float64{"guest cart add": .5, "guest cart": .5},
			},
		},
	}
	got := d.byErrand().Classes
	if len(got) != 3 || got[0].trips() != 0 || got[1].trips() != 1 || !got[1].Locks || got[2].Locks {
		t.Fatalf("classes %+v", got)
	}
	// Of 0.1 ms and 0.8 and 0.4 ms the mean is 0.2 ms.
	for i, want := range []float64{.5, 4, 2} {
		within(t, got[i].Name, got[i].Weight, want, 1e-9)
	}
	for i, want := range []float64{0, 5, 5} {
		within(t, got[i].Name+"'s database", got[i].Held, want, 1e-9)
	}
	d.Flows = d.Flows[:1] // nothing is known of carts
	if got := d.byErrand().Classes; got[1].Weight != 4 {
		t.Errorf("classes %+v, want them as they were", got)
	}
}

// A step of a thousand requests has ten sign-ins or so, give or take three, and they are half of the service's CPU. So
// their share is that of all steps, and a step with many is no dearer for it.
func TestSignInsOfAStep(t *testing.T) {
	st := stageOf(t)
	const dear = 30. // times a list
	d := Demands{Classes: []Class{{Name: "list", Weight: 1, Held: 1}, {Name: "login", Weight: dear, Held: 1}}}
	mean, logins := 0.0, []int{50, 150, 100, 60, 140, 130, 70}
	for i, n := range logins {
		s := &st.Steps[i]
		s.Operations[0].Requests, s.Operations[1].Requests = 1000-n, n
		mean += (1000 + (dear-1)*float64(n)) / 1000 / float64(len(logins))
	}
	for _, c := range classes(st.Steps) {
		if c.Name == "login" {
			within(t, "the share of sign-ins", c.Share, .1, 1e-9)
		}
	}
	for i := range d.Classes {
		d.Classes[i].Weight /= mean
	}
	for i := range st.Steps {
		s := &st.Steps[i]
		for u := range s.Usage {
			if s.Usage[u].Resource == result.ResourceInstanceCPU {
				s.Usage[u].Mean = .02 + truth[PartService]*s.Throughput*d.work(*s, PartService)
			}
		}
	}
	d.fit(st.Steps)
	within(t, "the service", d.Of(PartService).Seconds.Value, truth[PartService], 1e-6)
	within(t, "the database", d.Of(PartDatabase).Seconds.Value, truth[PartDatabase], .01)
}

// Classes come as often as their shares say, however small those are.
func TestDecks(t *testing.T) {
	n := Network{
		Machines:  []Machine{{Name: "m", Cores: 1, CPUs: 1, Within: -1}},
		Instances: []Instance{{Visits: []Visit{{Part: PartService, Demand: .001}}}},
		Classes:   []Class{{Name: "list", Share: .9926, Weight: 1}, {Name: "login", Share: .0074, Weight: 1}},
	}
	s := newSimulation(n, Load{Users: 1}, 1)
	logins := 0
	for range 100 * deckSize {
		logins += s.class()
	}
	if logins < 739 || logins > 741 {
		t.Errorf("%d sign-ins of %d requests, want 740", logins, 100*deckSize)
	}
}
