package forecast

import (
	"math"
	"math/rand/v2"
)

// Load is what a simulation is loaded with: a rate of arrivals at random moments, or users who each send
// when their last answer is in and they have thought.
type Load struct {
	Rate  float64 // requests a second; 0: users
	Users int
	Think float64 // seconds, exponential
}

const (
	// period is the kernel's period of a CPU quota, which Fargate and Kubernetes leave as it is.
	period = 0.1
	// slice is how long a request has a core before the next one's turn: Go preempts after 10 ms, the
	// kernel earlier.
	slice = 0.005
)

// Simulate runs the network with the load, event by event, until so many requests have been answered after
// a tenth of them as warm-up. Demands are exponential around the mean of their class. Equal calls give
// equal outcomes.
func (n Network) Simulate(l Load, requests int) Outcome {
	s := newSimulation(n, l, requests)
	s.run()
	return s.outcome()
}

// What a request does next.
const (
	opDelay = iota
	opCPU
	opAcquire
	opRelease
)

type op struct {
	kind    int
	machine int
	demand  float64
	growth  float64
}

// job is a request, or a user who sends one after the other.
type job struct {
	began    float64
	instance int
	at       int     // the op
	left     float64 // CPU seconds of it
	weight   float64
	asked    float64 // when a connection was wanted
}

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

type pool struct {
	free  int
	queue fifo
	used  float64 // connection seconds
}

type simulation struct {
	net    Network
	load   Load
	rng    *rand.Rand
	routes [][]op
	cores  []core
	pools  []pool
	out    []int // requests at each instance
	jobs   []job
	spare  []int
	events events
	queued int // jobs that wait for a core
	now    float64

	warm, want, done, sent int
	times                  []float64
	began                  float64 // of what is measured
	waited                 float64
}

func newSimulation(n Network, l Load, requests int) *simulation {
	s := &simulation{
		net: n, load: l, rng: rand.New(rand.NewPCG(11, 13)), //nolint:gosec // reproducible on purpose
		cores: make([]core, len(n.Machines)), pools: make([]pool, len(n.Instances)), out: make([]int, len(n.Instances)),
		warm: requests / 10, want: requests, times: make([]float64, 0, requests),
	}
	for m := range s.cores {
		s.cores[m].tokens = n.Machines[m].CPUs * period
	}
	visits := func(to []op, all []Visit) []op {
		for _, v := range all {
			if v.Demand > 0 {
				to = append(to, op{kind: opCPU, machine: v.Machine, demand: v.Demand, growth: v.Growth})
			}
		}
		return to
	}
	for i, in := range n.Instances {
		route := []op{}
		if n.Delay > 0 {
			route = append(route, op{kind: opDelay, demand: n.Delay})
		}
		route = visits(visits(route, n.Front), in.Visits)
		s.pools[i].free = in.Pool
		if in.Pool > 0 {
			route = append(route, op{kind: opAcquire})
		}
		route = visits(route, in.Held)
		if in.HeldDelay > 0 {
			route = append(route, op{kind: opDelay, demand: in.HeldDelay})
		}
		if in.Pool > 0 {
			route = append(route, op{kind: opRelease})
		}
		s.routes = append(s.routes, route)
	}
	return s
}

// The kinds of events beside a job's next op: an arrival, and a period that begins.
const (
	nextArrival = -1
	wake        = -2 // and below: of machine wake-event
)

func (s *simulation) run() {
	if s.load.Rate > 0 {
		s.events.push(event{at: s.exp(1 / s.load.Rate), job: nextArrival})
	}
	for range s.load.Users {
		s.events.push(event{at: s.exp(s.load.Think), job: nextArrival})
	}
	for s.done < s.warm+s.want && len(s.events) > 0 {
		e := s.events.pop()
		s.now = e.at
		switch {
		case e.job == nextArrival:
			s.arrive()
		case e.job <= wake:
			s.cores[wake-e.job].woken = false
			s.dispatch()
		default:
			s.proceed(e.job, e.ran)
		}
	}
}

func (s *simulation) exp(mean float64) float64 {
	if mean == 0 {
		return s.now
	}
	return s.now + s.rng.ExpFloat64()*mean
}

func (s *simulation) arrive() {
	if s.load.Rate > 0 {
		s.events.push(event{at: s.exp(1 / s.load.Rate), job: nextArrival})
	}
	instance := s.sent % len(s.out) // equals take turns
	s.sent++
	for i, n := range s.out {
		if n < s.out[instance] {
			instance = i
		}
	}
	s.out[instance]++
	j := s.new()
	s.jobs[j] = job{began: s.now, instance: instance, at: -1, weight: s.weight()}
	s.next(j)
	s.dispatch()
}

func (s *simulation) new() int {
	if n := len(s.spare); n > 0 {
		j := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return j
	}
	s.jobs = append(s.jobs, job{})
	return len(s.jobs) - 1
}

func (s *simulation) weight() float64 {
	if len(s.net.Classes) == 0 {
		return 1
	}
	x := s.rng.Float64()
	for _, c := range s.net.Classes {
		if x -= c.Share; x < 0 {
			return c.Weight
		}
	}
	return s.net.Classes[len(s.net.Classes)-1].Weight
}

// proceed goes on with a job whose delay is over or whose slice has run.
func (s *simulation) proceed(j int, ran float64) {
	o := s.routes[s.jobs[j].instance][s.jobs[j].at]
	if o.kind == opCPU {
		for m := o.machine; m >= 0; m = s.net.Machines[m].Within {
			s.cores[m].busy--
		}
		if s.jobs[j].left -= ran; s.jobs[j].left > 1e-12 {
			s.cores[o.machine].queue.push(j)
			s.queued++
			s.dispatch()
			return
		}
	}
	s.next(j)
	s.dispatch()
}

// next begins the job's next op.
func (s *simulation) next(j int) {
	s.jobs[j].at++
	g := &s.jobs[j]
	route := s.routes[g.instance]
	if g.at == len(route) {
		s.finish(j)
		return
	}
	o := route[g.at]
	p := &s.pools[g.instance]
	switch o.kind {
	case opDelay:
		s.events.push(event{at: s.now + o.demand, job: j})
	case opCPU:
		grown := 1 + o.growth*s.throttled(o.machine)
		g.left = o.demand * grown * g.weight * s.rng.ExpFloat64()
		s.cores[o.machine].queue.push(j)
		s.queued++
	case opAcquire:
		g.asked = s.now
		if p.free == 0 {
			p.queue.push(j)
			return
		}
		p.free--
		s.lend(j)
	case opRelease:
		if s.measuring() {
			p.used += s.now - g.asked
		}
		if p.queue.len() > 0 {
			s.lend(p.queue.pop())
		} else {
			p.free++
		}
		s.next(j)
	}
}

// lend gives the job a connection.
func (s *simulation) lend(j int) {
	if s.measuring() {
		s.waited += s.now - s.jobs[j].asked
	}
	s.jobs[j].asked = s.now // from here on it is held
	s.next(j)
}

func (s *simulation) measuring() bool { return s.done >= s.warm }

func (s *simulation) finish(j int) {
	s.out[s.jobs[j].instance]--
	if s.done == s.warm {
		s.began = s.now
		for m := range s.cores {
			s.cores[m].used, s.cores[m].periods, s.cores[m].stopped = 0, 0, 0
		}
	}
	if s.done++; s.done > s.warm {
		s.times = append(s.times, s.now-s.jobs[j].began)
	}
	s.spare = append(s.spare, j)
	if s.load.Rate == 0 {
		s.events.push(event{at: s.exp(s.load.Think), job: nextArrival})
	}
}

func (s *simulation) throttled(m int) float64 {
	most := 0.0
	for ; m >= 0; m = s.net.Machines[m].Within {
		most = max(most, s.cores[m].throttled)
	}
	return most
}

// dispatch gives free cores with quota left to who waits.
func (s *simulation) dispatch() {
	for m := range s.cores {
		if s.queued == 0 {
			return
		}
		for s.cores[m].queue.len() > 0 {
			quota, ok := s.room(m)
			if !ok {
				break
			}
			j := s.cores[m].queue.pop()
			s.queued--
			ran := min(s.jobs[j].left, slice, quota)
			for at := m; at >= 0; at = s.net.Machines[at].Within {
				c := &s.cores[at]
				c.busy++
				c.tokens -= ran
				c.used += ran
			}
			s.events.push(event{at: s.now + ran, job: j, ran: ran})
		}
	}
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
