package load

import (
	"sync"
	"time"
)

// Part is which of several generators sends its part of a load. Together they send exactly the load: every
// user is one generator's, and their rates interleave to the rate that one of them would have sent.
type Part struct{ Index, Of int }

// of is how many generators there are.
func (p Part) of() int { return max(1, p.Of) }

// users is the part of some users.
func (p Part) users(all int) int {
	return all*(p.Index+1)/p.of() - all*p.Index/p.of()
}

// paceOf is the pace of a part of a load.
func paceOf(l Load) *pace {
	p := &pace{ramp: l.Settle / 2, users: uint64(l.Part.users(l.Users))}
	if l.Rate > 0 {
		interval := time.Duration(float64(time.Second) / l.Rate)
		p.interval, p.phase = interval*time.Duration(l.Part.of()), interval*time.Duration(l.Part.Index)
	}
	return p
}

// pace is a constant rate, or none: an interval of 0 sends as soon as a worker is free, which with
// a fixed number of workers is a closed loop. It also notes when the attack began, because a
// request's due time is counted from there.
type pace struct {
	interval time.Duration
	phase    time.Duration // when the first request of a rate is due
	ramp     time.Duration // in which the users of a closed loop come, one after the other
	users    uint64
	once     sync.Once
	began    time.Time
}

// Pace implements vegeta.Pacer.
func (p *pace) Pace(elapsed time.Duration, hits uint64) (time.Duration, bool) {
	p.once.Do(func() { p.began = time.Now().Add(-elapsed) })
	if p.interval == 0 && hits < p.users {
		return p.ramp*time.Duration(hits)/time.Duration(p.users) - elapsed, false
	}
	return p.due(hits) - elapsed, false
}

// Rate implements vegeta.Pacer.
func (p *pace) Rate(time.Duration) float64 {
	if p.interval == 0 {
		return 0
	}
	return float64(time.Second) / float64(p.interval)
}

// due is when request seq should be sent, counted from the beginning.
func (p *pace) due(seq uint64) time.Duration { return p.phase + time.Duration(seq)*p.interval }

// planned is how many requests of a rate are due in a window.
func (p *pace) planned(w window) int {
	before := func(t time.Duration) int { return int(max(0, t-p.phase+p.interval-1) / p.interval) }
	return before(w.to) - before(w.from)
}
