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
