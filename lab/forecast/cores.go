package forecast

import "math"

// core is a machine's cores and its quota.
type core struct {
	Machine
	root             int // the machine that it is within at last; itself
	limited          bool
	busy             int
	queued           int     // jobs that wait for it or for one within it, where it is a root
	visitors         int     // requests in flight that take CPU of them
	tokens           float64 // CPU seconds left of the period
	end              float64 // of the period
	in               int     // the period
	ranOut           bool    // in it
	woken            bool    // a wake for the next period is due
	periods, stopped float64
	used             float64 // CPU seconds
	queue            fifo
}

// nobody is the ticket that is after all others.
const nobody = math.MaxInt

// addMachines readies the machines of the network, with full quotas.
func (s *simulation) addMachines(all []Machine) {
	s.cores, s.heads, s.within = make([]core, len(all)), make([]int, len(all)), make([][]int, len(all))
	for m, machine := range all {
		root := m
		for all[root].Within >= 0 {
			root = all[root].Within
		}
		s.cores[m] = core{Machine: machine, root: root, limited: machine.CPUs < float64(machine.Cores)}
		s.cores[m].begin(0)
		s.heads[m] = nobody
		s.within[root] = append(s.within[root], m)
	}
}

// dispatch gives free cores with quota left to who waits within the machine root, in the order of their coming,
// whichever machine of those they are on: what shares cores is on a level, as threads are to a kernel.
func (s *simulation) dispatch(root int) {
	for s.cores[root].queued > 0 {
		if !s.free(root) {
			return
		}
		next, first := -1, nobody
		for _, m := range s.within[root] {
			if ticket := s.heads[m]; ticket < first && s.room(m) {
				next, first = m, ticket
			}
		}
		if next < 0 {
			return
		}
		s.begin(next)
	}
}

// begin starts a slice of the job that waits first for the machine, which has room.
func (s *simulation) begin(machine int) {
	c := &s.cores[machine]
	j := c.queue.pop()
	if s.heads[machine] = nobody; c.queue.len() > 0 {
		s.heads[machine] = s.jobs[c.queue.first()].ticket
	}
	s.cores[c.root].queued--
	ran := min(s.jobs[j].left, slice)
	for m := machine; m >= 0; m = s.cores[m].Within {
		if c := &s.cores[m]; c.limited {
			ran = min(ran, c.tokens)
		}
	}
	for m := machine; m >= 0; m = s.cores[m].Within {
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
	c := &s.cores[machine]
	if c.queue.len() == 0 {
		s.heads[machine] = s.tickets
	}
	c.queue.push(j)
	s.cores[c.root].queued++
	s.dispatch(c.root)
}

// room says whether a slice can begin on the machine, whose root is free.
func (s *simulation) room(m int) bool {
	for ; s.cores[m].Within >= 0; m = s.cores[m].Within {
		if !s.free(m) {
			return false
		}
	}
	return true
}

// free says whether the machine has a core and quota left for another slice, whatever it is within.
func (s *simulation) free(m int) bool {
	c := &s.cores[m]
	if c.busy >= c.Cores {
		return false
	}
	if !c.limited {
		return true
	}
	if s.now >= c.end {
		c.refill(s.now)
	}
	if c.tokens > 1e-12 {
		return true
	}
	c.ranOut = true
	if !c.woken {
		c.woken = true
		s.events.push(event{at: float64(c.in+1) * period, job: wake - m})
	}
	return false
}

// refill begins the period that it is now. Nothing is carried over from the last one.
func (c *core) refill(now float64) {
	in := int(now/period + rounding)
	for at := c.in; at < in; at++ {
		c.periods++
		if c.ranOut {
			c.stopped++
		}
		c.ranOut = false
	}
	c.begin(in)
}

// rounding is by how much of a period one may begin too early: a wake for it must find it begun.
const rounding = 1e-9

// begin gives the core the quota of a period.
func (c *core) begin(in int) {
	c.in, c.end, c.tokens = in, (float64(in)+1-rounding)*period, c.CPUs*period
}
