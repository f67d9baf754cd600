package forecast

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"shoplab/lab/result"
)

// Flow is one errand of shoppers, measured by itself.
type Flow struct {
	Name     string
	Share    float64 // of all errands, as the run declared it
	Requests float64 // of one errand
	// CPU is the seconds that one of its requests takes of each part, Hold how long it holds a connection.
	CPU  map[string]float64
	Hold float64
	// RoundTrips is how often one of its requests asks the database, Bytes the length of its answer.
	RoundTrips, Bytes float64
	// Operations are the shares of its requests.
	Operations map[string]float64
}

// ErrNoFlows is wrapped where a result has no steps of single errands.
var ErrNoFlows = errors.New(
	"no errand was measured by itself, as full runs on this machine do and quick ones do not: run `lab run` again")

// flows are the errands of the declared mix that have a step of their own; none unless all have.
func flows(st result.Stage, declared []result.Weight, d Demands) []Flow {
	var all []Flow
	for _, w := range declared {
		i := slices.IndexFunc(st.Steps, func(s result.Step) bool {
			return s.Purpose == result.PurposeCalibration && s.Flow == w.Flow && s.Throughput > 0 && s.ErrorRatio <= .01
		})
		if i < 0 {
			return nil
		}
		f, ok := flowOf(st.Steps[i], w, d)
		if !ok {
			return nil
		}
		all = append(all, f)
	}
	return all
}

func flowOf(s result.Step, w result.Weight, d Demands) (Flow, bool) {
	f := Flow{Name: w.Flow, Share: w.ShareRatio, CPU: map[string]float64{}, Operations: map[string]float64{}}
	for _, p := range parts {
		if used, ok := total(s, p.resource); ok {
			f.CPU[p.name] = max(0, used-d.Of(p.name).Idle) / s.Throughput
		}
	}
	if used, ok := total(s, result.ResourcePoolHeld); ok {
		f.Hold = used / s.Throughput
	}
	if asked, ok := total(s, result.ResourceRoundTrips); ok {
		f.RoundTrips = asked / s.Throughput
	}
	if s.AnswerBytes != nil {
		f.Bytes = *s.AnswerBytes
	}
	requests, begun := 0, 0
	for _, o := range s.Operations {
		requests += o.Requests
		if len(w.Operations) > 0 && o.Name == w.Operations[0] { // each errand asks its first once
			begun = o.Requests
		}
	}
	if begun == 0 {
		return f, false
	}
	f.Requests = float64(requests) / float64(begun)
	for _, o := range s.Operations {
		f.Operations[o.Name] = float64(o.Requests) / float64(requests)
	}
	return f, true
}

// mixed is the mean over all requests of errands with these shares.
func mixed(all []Flow, shares map[string]float64, of func(Flow) float64) float64 {
	sum, requests := 0.0, 0.0
	for _, f := range all {
		n := shares[f.Name] * f.Requests
		sum, requests = sum+n*of(f), requests+n
	}
	return sum / requests
}

// declared are the shares of the run's own mix.
func (d Demands) declared() map[string]float64 {
	shares := map[string]float64{}
	for _, f := range d.Flows {
		shares[f.Name] = f.Share
	}
	return shares
}

// Composed is by how much of the mix's demand the errands, put together as the run mixed them, are off at a part:
// 0.05 for 5% too much. Errands by themselves find other caches, and other company, than among others.
func (d Demands) Composed(part string) float64 {
	if whole := d.Of(part).Seconds.Value; whole > 0 && len(d.Flows) > 0 {
		return mixed(d.Flows, d.declared(), func(f Flow) float64 { return f.CPU[part] })/whole - 1
	}
	return 0
}

// WithMix are the demands where errands have other shares; what is not named is not run. Errands measured by
// themselves say by how much a demand changes, and the mix's own measurement how large it is. The intervals are
// widened by what the errands, put together, are off.
func (d Demands) WithMix(shares map[string]float64) (Demands, error) {
	if len(d.Flows) == 0 {
		return d, ErrNoFlows
	}
	sum := 0.0
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		if !slices.ContainsFunc(d.Flows, func(f Flow) bool { return f.Name == name }) {
			var names []string
			for _, f := range d.Flows {
				names = append(names, f.Name)
			}
			return d, fmt.Errorf("no errand is called %q; there are %s", name, strings.Join(names, ", "))
		}
		sum += shares[name]
	}
	if !(sum > 0) {
		return d, errors.New("a mix needs an errand")
	}
	before := d.declared()
	changed := func(i result.Interval, of func(Flow) float64, off float64) result.Interval {
		was := mixed(d.Flows, before, of)
		if was == 0 {
			return i
		}
		ratio, wider := mixed(d.Flows, shares, of)/was, 1+math.Abs(off)
		return result.Interval{Value: i.Value * ratio, Low: i.Low * ratio / wider, High: i.High * ratio * wider}
	}
	parts := slices.Clone(d.Parts)
	for k, p := range parts {
		parts[k].Seconds = changed(p.Seconds, func(f Flow) float64 { return f.CPU[p.Part] }, d.Composed(p.Part))
	}
	hold := changed(d.Hold, func(f Flow) float64 { return f.Hold }, 0)
	d.RoundTrips = changed(d.RoundTrips, func(f Flow) float64 { return f.RoundTrips }, 0)
	d.Bytes = changed(d.Bytes, func(f Flow) float64 { return f.Bytes }, 0)
	d.Classes = d.classesOf(shares)
	d.Parts, d.Hold = parts, hold
	return d, nil
}

// classesOf are the kinds of requests in a mix, each as heavy over the others as in the run's own.
func (d Demands) classesOf(shares map[string]float64) []Class {
	var all []Class
	for _, c := range d.Classes {
		if c.Share = mixed(d.Flows, shares, func(f Flow) float64 { return f.Operations[c.Name] }); c.Share > 0 {
			all = append(all, c)
		}
	}
	return normal(all)
}
