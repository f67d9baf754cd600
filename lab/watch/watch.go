// Package watch reads every resource of a stage once a second, in the same seconds as the load, and sums
// the readings up.
package watch

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"shoplab/lab/result"
)

// Reading is one value of one resource.
type Reading struct {
	Resource result.Resource
	Of       string // which one: "shop-1"
	Unit     string
	Limit    float64 // 0: none
	Value    float64
}

// Probe reads some resources. Counters are turned into rates since the probe's last call, so the
// first call may return less than later ones.
type Probe func(ctx context.Context) []Reading

// Rate turns a counter into its growth per second.
type Rate struct {
	last float64
	at   time.Time
}

// Next returns the growth since the call before; false the first time and when the counter began
// anew.
func (r *Rate) Next(value float64) (float64, bool) {
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

// Watch calls each probe at begin and then once a second for n seconds, and returns what they read.
// The value of second i is what was read at its end; a probe that takes longer leaves gaps.
func Watch(ctx context.Context, probes []Probe, begin time.Time, n int) []result.Line {
	w := watching{n: n, index: map[[2]string]int{}}
	var wg sync.WaitGroup
	for _, p := range probes {
		wg.Go(func() {
			for second := -1; second < n; second++ {
				if !Until(ctx, begin.Add(time.Duration(second+1)*time.Second)) {
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

func (w *watching) add(second int, readings []Reading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range readings {
		key := [2]string{string(r.Resource), r.Of}
		i, known := w.index[key]
		if !known {
			i = len(w.lines)
			w.index[key] = i
			w.lines = append(w.lines, result.Line{Resource: r.Resource, Of: r.Of, Unit: r.Unit, Values: make([]*float64, w.n)})
			if r.Limit > 0 {
				w.lines[i].Limit = result.Ptr(r.Limit)
			}
		}
		w.lines[i].Values[second] = result.Ptr(r.Value)
	}
}

// Until waits for the moment; false if ctx ended first.
func Until(ctx context.Context, at time.Time) bool { return Pause(ctx, time.Until(at)) == nil }

// Pause waits for d, or until ctx ends, whose error it then returns.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Usage sums lines up over the step.
func Usage(lines []result.Line) []result.Usage {
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
