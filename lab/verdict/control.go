package verdict

import (
	"fmt"
	"slices"

	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// Control is the knob of a resource with room to spare, and of none that is at its end: turning it should do
// nothing. False where there is none.
func Control(suspects []result.Suspect, s stage.Stage) (Knob, bool) {
	taken := map[string]bool{}
	for _, one := range suspects {
		if k, why := KnobFor(one.Cause, s); why == "" && one.Pressure >= Exhausted {
			taken[k.Name] = true
		}
	}
	for _, one := range slices.Backward(suspects) { // the least pressed first
		k, why := KnobFor(one.Cause, s)
		if why == "" && one.Pressure < spare && !k.Down && !taken[k.Name] {
			return k, true
		}
	}
	return Knob{}, false
}

// spare is the use over limit below which a resource has room.
const spare = 0.7

// Twins are the changes that a forecast is held against, as far as the stage has what they change.
func Twins(s stage.Stage) []Knob {
	number := func(name string, from, to float64, change stage.Change) Knob {
		return Knob{Name: name, From: fmt.Sprintf("%.3g", from), To: fmt.Sprintf("%.3g", to), Down: to < from, Change: change}
	}
	var all []Knob
	for _, share := range []float64{.5, .75} {
		all = append(all, number("CPUs of this machine for the stage", s.HostCPUs, share*s.HostCPUs,
			func(o *stage.Stage) { o.HostCPUs = share * s.HostCPUs }))
	}
	if float64(s.CPU)/1024 < s.HostCPUs {
		all = append(all, number("CPU units of an instance", float64(s.CPU), float64(2*s.CPU),
			func(o *stage.Stage) { o.CPU = 2 * s.CPU }))
	}
	if s.DatabaseCPU > 0 {
		all = append(all, number("CPU units of the database", float64(s.DatabaseCPU), float64(s.DatabaseCPU)/2,
			func(o *stage.Stage) { o.DatabaseCPU = s.DatabaseCPU / 2 }))
	}
	if pool := 2 * s.PoolPerInstance; pool*s.Most() <= s.DatabaseConnections-3 {
		all = append(all, number("pool per instance", float64(s.PoolPerInstance), float64(pool),
			func(o *stage.Stage) { o.PoolPerInstance = pool }))
	}
	return all
}
