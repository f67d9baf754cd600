package forecast

import "math"

// core is a machine's cores and its quota.
type core struct {
	queue            fifo
	busy             int
	tokens           float64 // CPU seconds left of the period
	in               int     // the period
	ranOut           bool    // in it
	woken            bool    // a wake for the next period is due
	throttled        float64 // lately: moving share of throttled periods
	periods, stopped float64
	used             float64 // CPU seconds
}

// dispatch gives free cores with quota left to who waits, in the order of their coming, whichever machine it is on:
// what shares cores is on a level, as threads are to a kernel.
func (s *simulation) dispatch() {
	for s.queued > 0 {
		if s.shared {
			if _, ok := s.room(0); !ok {
				return
			}
		}
		next, first := -1, 0
		for m := range s.cores {
			q := &s.cores[m].queue
			if q.len() == 0 {
				continue
			}
			if ticket := s.jobs[q.first()].ticket; next < 0 || ticket < first {
				if _, ok := s.room(m); ok {
					next, first = m, ticket
				}
			}
		}
		if next < 0 {
			return
		}
		s.begin(next)
	}
}

// begin starts a slice of the job that waits first for the machine.
func (s *simulation) begin(machine int) {
	quota, _ := s.room(machine)
	j := s.cores[machine].queue.pop()
	s.queued--
	ran := min(s.jobs[j].left, slice, quota)
	for m := machine; m >= 0; m = s.net.Machines[m].Within {
		c := &s.cores[m]
		c.busy++
		c.tokens -= ran
		c.used += ran
	}
	s.events.push(event{at: s.now + ran, job: j, ran: ran})
}

// enqueue has the job wait for the machine.
func (s *simulation) enqueue(j, machine int) {
	s.tickets++
	s.jobs[j].ticket = s.tickets
	s.cores[machine].queue.push(j)
	s.queued++
}

// room says whether a slice can begin on the machine, and how much quota is left for it.
func (s *simulation) room(m int) (quota float64, ok bool) {
	quota = math.Inf(1)
	for ; m >= 0; m = s.net.Machines[m].Within {
		c, machine := &s.cores[m], s.net.Machines[m]
		if c.busy >= machine.Cores {
			return 0, false
		}
		if machine.CPUs >= float64(machine.Cores) {
			continue
		}
		s.refill(c, machine)
		if c.tokens <= 1e-12 {
			c.ranOut = true
			if !c.woken {
				c.woken = true
				s.events.push(event{at: float64(c.in+1) * period, job: wake - m})
			}
			return 0, false
		}
		quota = min(quota, c.tokens)
	}
	return quota, true
}

// refill begins the period that it is now. Nothing is carried over from the last one.
func (s *simulation) refill(c *core, m Machine) {
	in := int(s.now/period + 1e-9)
	for ; c.in < in; c.in++ {
		c.periods++
		stopped := 0.0
		if c.ranOut {
			stopped = 1
			c.stopped++
		}
		c.throttled = 0.8*c.throttled + 0.2*stopped
		c.ranOut = false
		c.tokens = m.CPUs * period
	}
}

func (s *simulation) throttled(m int) float64 {
	most := 0.0
	for ; m >= 0; m = s.net.Machines[m].Within {
		most = max(most, s.cores[m].throttled)
	}
	return most
}
