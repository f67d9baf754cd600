// Package experiment runs the laboratory's experiments: it brings stages up, has package load send
// shoppers, watches every resource in the same seconds, names what gave out and proves it by turning
// one knob, and takes everything down again.
package experiment

import (
	"context"
	"sync"
	"time"

	"shoplab/lab/result"
)

// reading is one value of one resource.
type reading struct {
	resource result.Resource
	of       string
	unit     string
	limit    float64 // 0: none
	value    float64
}

// probe reads some resources. Counters are turned into rates since the probe's last call, so the
// first call may return less than later ones.
type probe func(ctx context.Context) []reading

// rate turns a counter into its growth per second.
type rate struct {
	last float64
	at   time.Time
}

// next returns the growth since the call before; false the first time and when the counter began
// anew.
func (r *rate) next(value float64) (float64, bool) {
	now := time.Now()
	seconds := now.Sub(r.at).Seconds()
	grown, ok := value-r.last, !r.at.IsZero() && value >= r.last && seconds > 0
	r.last, r.at = value, now
	if !ok {
		return 0, false
	}
	return grown / seconds, true
}

// watch calls the probes at begin and then once a second for n seconds, and returns what they read.
// The value of second i is what was read at its end.
func watch(ctx context.Context, probes []probe, begin time.Time, n int) []result.Line {
	var lines []result.Line
	index := map[[2]string]int{}
	for second := -1; second < n; second++ {
		if !until(ctx, begin.Add(time.Duration(second+1)*time.Second)) {
			return lines
		}
		for _, r := range readAll(ctx, probes) {
			if second < 0 {
				continue // primes the counters
			}
			key := [2]string{string(r.resource), r.of}
			i, known := index[key]
			if !known {
				i = len(lines)
				index[key] = i
				lines = append(lines, result.Line{Resource: r.resource, Of: r.of, Unit: r.unit, Values: make([]*float64, n)})
				if r.limit > 0 {
					lines[i].Limit = result.Ptr(r.limit)
				}
			}
			lines[i].Values[second] = result.Ptr(r.value)
		}
	}
	return lines
}

// readAll calls the probes at once and gives them most of a second.
func readAll(ctx context.Context, probes []probe) []reading {
	ctx, cancel := context.WithTimeout(ctx, 800*time.Millisecond)
	defer cancel()
	found := make([][]reading, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() { found[i] = p(ctx) })
	}
	wg.Wait()
	var all []reading
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

// until waits for the moment; false if ctx ended first.
func until(ctx context.Context, at time.Time) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// usage sums lines up over the step.
func usage(lines []result.Line) []result.Usage {
	var all []result.Usage
	for _, l := range lines {
		u := result.Usage{Resource: l.Resource, Of: l.Of, Unit: l.Unit, Limit: l.Limit}
		n := 0
		for _, v := range l.Values {
			if v == nil {
				continue
			}
			if n == 0 || *v > u.Max {
				u.Max = *v
			}
			u.Mean += *v
			n++
		}
		if n > 0 {
			u.Mean /= float64(n)
			all = append(all, u)
		}
	}
	return all
}
