package forecast

import (
	"slices"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// classes are the operations with what each takes over the mean, by their mean latency in the step with the least load
// in which nothing was used up: there latency is demand and little else. A demand step is none of those: between its
// few requests the CPU falls asleep, and waking up takes every operation the same. Their shares are of the requests of
// all steps of ordinary load, as a single one has ten sign-ins or so.
func classes(all []result.Step) []Class {
	steps := slices.DeleteFunc(below(all), func(s result.Step) bool { return s.Purpose == result.PurposeDemand })
	if len(steps) == 0 {
		return nil
	}
	lightest := slices.MinFunc(steps, func(a, b result.Step) int {
		switch pa, pb := a.Throughput, b.Throughput; {
		case pa < pb:
			return -1
		case pa > pb:
			return 1
		}
		return 0
	})
	sent := map[string]int{}
	for _, s := range all {
		for _, o := range s.Operations {
			if fits(s) {
				sent[o.Name] += o.Requests
			}
		}
	}
	var told []Class
	for _, o := range lightest.Operations {
		if o.Latency != nil && o.Requests > 0 {
			mean := o.Latency.MeanMS
			told = append(told, Class{Name: o.Name, Share: float64(sent[o.Name]), Weight: mean, Held: mean, Trips: 1})
		}
	}
	return normal(told)
}

// byErrand tells the classes apart by what the errands took that were measured by themselves. The service's CPU of an
// errand is shared out among its operations by their latency where nothing waits; the database's CPU and its round
// trips by how often each asks, or as often as is declared where the round trips were not counted. Without errands of
// their own, all classes ask the database alike.
func (d Demands) byErrand() Demands {
	type sum struct{ requests, service, database, trips float64 }
	of := map[string]sum{}
	for _, f := range d.Flows {
		var latency, asks float64
		for name, share := range f.Operations {
			latency, asks = latency+share*d.class(name).Weight, asks+share*asksOf(name)
		}
		for name, share := range f.Operations {
			requests, o := f.Share*f.Requests*share, of[name]
			o.requests += requests
			if latency > 0 {
				o.service += requests * f.CPU[PartService] * d.class(name).Weight / latency
			}
			if n := asksOf(name); n > 0 {
				o.database += requests * f.CPU[PartDatabase] * n / asks
				if d.RoundTrips.Value > 0 {
					n = f.RoundTrips * n / asks
				}
				o.trips += requests * n
			}
			of[name] = o
		}
	}
	var classes []Class
	for _, c := range d.Classes {
		o := of[c.Name]
		if o.requests == 0 {
			return d
		}
		work := load.Asks(c.Name)
		classes = append(classes, Class{
			Name: c.Name, Share: c.Share, Weight: o.service / o.requests, Held: o.database / o.requests,
			Trips: o.trips / o.requests, Locks: work.Locks, Hashes: work.Hashes, After: work.After,
		})
	}
	d.Classes = normal(classes)
	return d
}

// asksOf is how often an operation asks the database, as declared.
func asksOf(operation string) float64 {
	return float64(load.Asks(operation).Trips)
}

// class is the one of that name; one that takes nothing where there is none.
func (d Demands) class(name string) Class {
	for _, c := range d.Classes {
		if c.Name == name {
			return c
		}
	}
	return Class{Name: name}
}

// normal are the classes with shares that add up to one, and weights whose mean is one.
func normal(classes []Class) []Class {
	var share, weight, held float64
	for _, c := range classes {
		share, weight, held = share+c.Share, weight+c.Share*c.Weight, held+c.Share*c.Held
	}
	for i := range classes {
		c := &classes[i]
		c.Share /= share
		if weight > 0 {
			c.Weight *= share / weight
		}
		if held > 0 {
			c.Held *= share / held
		}
	}
	return classes
}

// withFlows adds the errands that a stage has steps of.
func (d Demands) withFlows(st result.Stage, settings *result.Settings) Demands {
	if settings == nil {
		return d
	}
	d.Flows = flows(st, settings.Mix, d)
	if len(d.Flows) > 0 {
		d = d.byErrand()
		d.fit(undisturbed(st.Steps))
	}
	return d
}

// work is what the requests of a step ask of a part, over as many of the mix: where a step has a third more sign-ins,
// which are half of the service's CPU, a sixth more.
func (d Demands) work(s result.Step, part string) float64 {
	var requests, asked float64
	for _, o := range s.Operations {
		weight := 1.0
		if i := slices.IndexFunc(d.Classes, func(c Class) bool { return c.Name == o.Name }); i >= 0 {
			switch part {
			case PartService:
				weight = d.Classes[i].Weight
			case PartDatabase:
				weight = d.Classes[i].Held
			}
		}
		requests, asked = requests+float64(o.Requests), asked+float64(o.Requests)*weight
	}
	if asked == 0 {
		return 1
	}
	return asked / requests
}
