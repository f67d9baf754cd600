package faults

import (
	"slices"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// stretch is a time of which each second stands for several of the stage's: a wait that was cut short.
type stretch struct {
	what     string
	from, to time.Time
	stands   time.Duration
}

func (s stretch) factor() float64 { return float64(s.stands) / float64(s.to.Sub(s.from)) }

// clock turns this machine's time into the stage's. Its stretches do not overlap.
type clock []stretch

// factor is what a moment's second stands for.
func (c clock) factor(at time.Time) float64 {
	for _, s := range c {
		if !at.Before(s.from) && at.Before(s.to) {
			return s.factor()
		}
	}
	return 1
}

// between is how much of the stage's time lies between two moments.
func (c clock) between(from, to time.Time) time.Duration {
	total := to.Sub(from)
	for _, s := range c {
		a, b := s.from, s.to
		if a.Before(from) {
			a = from
		}
		if b.After(to) {
			b = to
		}
		if inside := b.Sub(a); inside > 0 {
			total += time.Duration(float64(inside) * (s.factor() - 1))
		}
	}
	return total
}

func (c clock) waits() (all []result.Wait) {
	for _, s := range c {
		all = append(all, result.Wait{For: s.what, Seconds: s.to.Sub(s.from).Seconds(), Stands: s.stands.Seconds()})
	}
	return all
}

// bucket is how long a piece of time is of which it is said whether the objective was kept.
const bucket = time.Second

// late is how old a request has to be that the end of a load broke off to count as failed: younger ones say nothing.
const late = time.Second

// failed says whether a request was, and whether it counts at all.
func failed(o load.Seen) (bad, counts bool) {
	if o.Canceled() {
		old := o.End.Sub(o.Due) > late
		return old, old
	}
	return o.Error != "", true
}

// kept says whether the objective was kept by the requests that were due in a piece of time. Fewer than a tenth of those
// expected say nothing good of it.
func kept(due []load.Seen, expected float64, o result.Objective) bool {
	var ms []float64
	bad := 0
	for _, one := range due {
		fails, counts := failed(one)
		if !counts {
			continue
		}
		if fails {
			bad++
		}
		ms = append(ms, float64(one.End.Sub(one.Due))/float64(time.Millisecond))
	}
	if len(ms) == 0 || float64(len(ms)) < expected/10 {
		return false
	}
	slices.Sort(ms)
	return float64(bad)/float64(len(ms)) <= o.MaxErrorRatio && stats.Percentile(ms, .95) <= o.P95MS
}

// judge sums up what shoppers saw from a fault until the end of the load.
func judge(all []load.Seen, fault, end time.Time, c clock, rate float64, o result.Objective) result.FaultyRun {
	run := result.FaultyRun{StartedAt: fault.UTC(), Errors: map[string]int{}, Waits: c.waits()}
	buckets := make([][]load.Seen, int(end.Sub(fault)/bucket))
	for _, one := range all {
		if one.Due.Before(fault) {
			continue
		}
		if bad, _ := failed(one); bad {
			run.FailedRequests += c.factor(one.Due)
			kind := one.Error
			if one.Canceled() {
				kind = "no answer"
			}
			run.Errors[kind]++
		}
		if i := int(one.Due.Sub(fault) / bucket); i < len(buckets) {
			buckets[i] = append(buckets[i], one)
		}
	}
	for i, due := range buckets {
		from, to := fault.Add(time.Duration(i)*bucket), fault.Add(time.Duration(i+1)*bucket)
		if kept(due, rate*bucket.Seconds(), o) {
			continue
		}
		run.MissedSeconds += c.between(from, to).Seconds()
		run.RecoverySeconds = c.between(fault, to).Seconds()
		if !slices.ContainsFunc(due, func(one load.Seen) bool { bad, counts := failed(one); return counts && !bad }) {
			run.Unavailable = true
		}
	}
	return run
}
