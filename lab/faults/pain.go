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

// kept says whether the objective was kept by the requests that were due in a piece of time. Fewer than a tenth of
// those expected say nothing good of it.
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

// pieces cut the time from a fault until the end where stretches begin and end, and what lies between into parts of
// about a bucket: a piece that reached into a wait would count for as much as the wait.
func (c clock) pieces(fault, end time.Time) (cuts []time.Time) {
	edges := []time.Time{fault, end}
	for _, s := range c {
		edges = append(edges, s.from, s.to)
	}
	slices.SortFunc(edges, time.Time.Compare)
	cuts = append(cuts, fault)
	for n, edge := range edges[1:] {
		from := edges[n]
		if from.Before(fault) || edge.After(end) || !edge.After(from) {
			continue
		}
		parts := max(1, int(edge.Sub(from).Round(bucket)/bucket))
		for i := range parts {
			cuts = append(cuts, from.Add(edge.Sub(from)*time.Duration(i+1)/time.Duration(parts)))
		}
	}
	return cuts
}

// judge sums up what shoppers saw from a fault until the end of the load. Of a piece of time in which less than one
// request was due nothing is said.
func judge(all []load.Seen, fault, end time.Time, c clock, rate float64, o result.Objective) result.FaultyRun {
	run := result.FaultyRun{StartedAt: fault.UTC(), Errors: map[string]int{}, Waits: c.waits()}
	cuts := c.pieces(fault, end)
	due := make([][]load.Seen, len(cuts))
	for _, one := range all {
		if one.End.Before(fault) {
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
		if one.Due.Before(fault) { // it was under way
			continue
		}
		i, exact := slices.BinarySearchFunc(cuts, one.Due, time.Time.Compare)
		if exact {
			i++
		}
		if i < len(cuts) {
			due[i] = append(due[i], one) // from cut i-1 until cut i
		}
	}
	for i := 1; i < len(cuts); i++ {
		expected := rate * cuts[i].Sub(cuts[i-1]).Seconds()
		if expected < 1 && len(due[i]) == 0 || kept(due[i], expected, o) {
			continue
		}
		run.MissedSeconds += c.between(cuts[i-1], cuts[i]).Seconds()
		run.RecoverySeconds = c.between(fault, cuts[i]).Seconds()
		if !slices.ContainsFunc(due[i], func(one load.Seen) bool { bad, counts := failed(one); return counts && !bad }) {
			run.Unavailable = true
		}
	}
	return run
}
