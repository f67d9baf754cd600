// Package experiment runs the laboratory's experiments: it brings stages up, has package load send
// shoppers, watches every resource in the same seconds, names what gave out and proves it by turning
// one knob, and takes everything down again.
package experiment

import (
	"cmp"
	"context"
	"slices"
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

// probeTimeout is how long one reading may take: a shop without CPU answers late, and that is when
// its answer is wanted most.
const probeTimeout = 3 * time.Second

// watch calls each probe at begin and then once a second for n seconds, and returns what they read.
// The value of second i is what was read at its end; a probe that takes longer leaves gaps.
func watch(ctx context.Context, probes []probe, begin time.Time, n int) []result.Line {
	w := watching{n: n, index: map[[2]string]int{}}
	var wg sync.WaitGroup
	for _, p := range probes {
		wg.Go(func() {
			for second := -1; second < n; second++ {
				if !until(ctx, begin.Add(time.Duration(second+1)*time.Second)) {
					return
				}
				limited, cancel := context.WithTimeout(ctx, probeTimeout)
				readings := p(limited)
				cancel()
				took := int(time.Since(begin)/time.Second) - 1
				if second < 0 { // primes the counters
					second = max(second, min(n-2, took))
					continue
				}
				second = max(second, min(n-1, took))
				w.add(second, readings)
			}
		})
	}
	wg.Wait()
	slices.SortStableFunc(w.lines, func(a, b result.Line) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Of, b.Of))
	})
	return w.lines
}

// watching gathers readings into lines.
type watching struct {
	n     int
	mu    sync.Mutex
	lines []result.Line
	index map[[2]string]int // by resource and part
}

func (w *watching) add(second int, readings []reading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range readings {
		key := [2]string{string(r.resource), r.of}
		i, known := w.index[key]
		if !known {
			i = len(w.lines)
			w.index[key] = i
			w.lines = append(w.lines, result.Line{Resource: r.resource, Of: r.of, Unit: r.unit, Values: make([]*float64, w.n)})
			if r.limit > 0 {
				w.lines[i].Limit = result.Ptr(r.limit)
			}
		}
		w.lines[i].Values[second] = result.Ptr(r.value)
	}
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
