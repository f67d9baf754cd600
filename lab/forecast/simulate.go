package forecast

import (
	"math/rand/v2"

	"shoplab/contract"
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
	slice = 0.010
)

// Simulate runs the network with the load, event by event, until so many requests have been answered after
// a tenth of them as warm-up. Equal calls give equal outcomes.
func (n Network) Simulate(l Load, requests int) Outcome {
	s := newSimulation(n, l, requests)
	s.run()
	return s.outcome()
}

// What a request does next.
const (
	opDelay = iota
	opCPU
	opLock // one of the connections that may wait for locks, and then any
	opAcquire
	opRelease
	opUnlock
	opHash // one of the passwords that are hashed at once
	opHashed
	opWake // of who had to wait
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
	route    []op
	instance int     // refused: none
	at       int     // the op
	left     float64 // CPU seconds of it
	waited   bool    // for what it has
	ticket   int     // by which it waits for a core
	asked    float64 // when a connection was wanted
}

// refused is the instance of a request that found no room at any.
const refused = -1

type simulation struct {
	net    Network
	load   Load
	rng    *rand.Rand
	routes [][][]op // by instance and class
	away   []op     // of what is refused
	cores  []core
	heads  []int   // the ticket that waits first for each machine
	within [][]int // the machines within each that is a root, itself among them
	pools  []pool
	locks  []pool
	hashes []pool
	out    []int // requests at each instance
	jobs   []job
	spare  []int
	deck   []int // classes of the next requests
	events events
	// tickets are how often one began to.
	tickets int
	now     float64

	warm, want, done, sent int
	times                  []float64
	began                  float64 // of what is measured
	turnedAway             int     // of what is measured
}

func newSimulation(n Network, l Load, requests int) *simulation {
	s := &simulation{
		net: n, load: l, rng: rand.New(rand.NewPCG(11, 13)), //nolint:gosec // reproducible on purpose
		pools: make([]pool, len(n.Instances)), locks: make([]pool, len(n.Instances)),
		hashes: make([]pool, len(n.Instances)), out: make([]int, len(n.Instances)),
		warm: requests / 10, want: requests, times: make([]float64, 0, requests),
	}
	s.addMachines(n.Machines)
	for i, in := range n.Instances {
		var routes [][]op
		for _, c := range n.classes() {
			routes = append(routes, n.route(in, c))
		}
		s.routes = append(s.routes, routes)
		s.pools[i].free, s.locks[i].free = in.Pool, contract.LockingConnections(in.Pool)
		s.hashes[i].free = in.Hashing
	}
	s.away = append(n.arrival(), op{kind: opDelay, demand: refusal})
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
		s.events.push(event{at: s.exp(s.load.Think + s.net.Pause), job: nextArrival})
	}
	for s.done < s.warm+s.want && len(s.events) > 0 {
		e := s.events.pop()
		s.now = e.at
		switch {
		case e.job == nextArrival:
			s.arrive()
		case e.job <= wake:
			c := &s.cores[wake-e.job]
			c.woken = false
			s.dispatch(c.root)
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
	j := s.new()
	if most := s.net.Instances[instance].Concurrency; most > 0 && s.out[instance] >= most {
		s.jobs[j] = job{began: s.now, instance: refused, at: -1, route: s.away}
	} else {
		s.out[instance]++
		s.jobs[j] = job{began: s.now, instance: instance, at: -1, route: s.routes[instance][s.class()]}
	}
	s.next(j)
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

// spread is a demand over its mean: exponential where requests are all alike, and Erlang's of four phases where classes
// account for most of what makes them differ.
func (s *simulation) spread() float64 {
	if len(s.net.Classes) == 0 {
		return s.rng.ExpFloat64()
	}
	return (s.rng.ExpFloat64() + s.rng.ExpFloat64() + s.rng.ExpFloat64() + s.rng.ExpFloat64()) / 4
}

// deckSize is how many requests have the classes' shares to within one.
const deckSize = 1000

// class draws a request's class: from a shuffled deck that has each as often as its share says, so that a heavy class
// that is rare comes up at random moments, and yet neither too often nor too seldom in the end.
func (s *simulation) class() int {
	if len(s.net.Classes) == 0 {
		return 0
	}
	if len(s.deck) == 0 {
		s.deck = s.deck[:0]
		upTo := 0.0
		for i, c := range s.net.Classes {
			upTo += c.Share * deckSize
			for len(s.deck) < int(upTo+.5) {
				s.deck = append(s.deck, i)
			}
		}
		s.rng.Shuffle(len(s.deck), func(i, j int) { s.deck[i], s.deck[j] = s.deck[j], s.deck[i] })
	}
	last := len(s.deck) - 1
	drawn := s.deck[last]
	s.deck = s.deck[:last]
	return drawn
}

// proceed goes on with a job whose delay is over or whose slice has run.
func (s *simulation) proceed(j int, ran float64) {
	o := &s.jobs[j].route[s.jobs[j].at]
	if o.kind != opCPU && o.kind != opWake {
		s.next(j)
		return
	}
	for m := o.machine; m >= 0; m = s.cores[m].Within {
		s.cores[m].busy--
	}
	if s.jobs[j].left -= ran; s.jobs[j].left > 1e-12 {
		s.enqueue(j, o.machine)
		return
	}
	s.next(j)
	s.dispatch(s.cores[o.machine].root)
}

// next begins the job's next op.
func (s *simulation) next(j int) {
	s.jobs[j].at++
	g := &s.jobs[j]
	if g.at == len(g.route) {
		s.finish(j)
		return
	}
	o := &g.route[g.at]
	switch o.kind {
	case opDelay:
		s.events.push(event{at: s.now + o.demand, job: j})
	case opCPU:
		grown := 1 + o.growth*s.throttled(o.machine)
		g.left = o.demand * grown * s.spread()
		s.enqueue(j, o.machine)
	case opWake:
		if !g.waited {
			s.next(j)
			return
		}
		g.left = o.demand
		s.enqueue(j, o.machine)
	case opLock:
		s.take(&s.locks[g.instance], j)
	case opAcquire:
		s.take(&s.pools[g.instance], j)
	case opRelease:
		if s.measuring() {
			s.pools[g.instance].used += s.now - g.asked
		}
		s.giveBack(&s.pools[g.instance], j)
	case opHash:
		s.take(&s.hashes[g.instance], j)
	case opHashed:
		s.giveBack(&s.hashes[g.instance], j)
	case opUnlock:
		s.giveBack(&s.locks[g.instance], j)
	}
}

func (s *simulation) measuring() bool { return s.done >= s.warm }

// finish counts an answer, and has its user think.
func (s *simulation) finish(j int) {
	g := &s.jobs[j]
	if g.instance != refused {
		s.out[g.instance]--
	}
	if s.done == s.warm {
		s.began = s.now
		for m := range s.cores {
			s.cores[m].used, s.cores[m].periods, s.cores[m].stopped = 0, 0, 0
		}
	}
	if s.done++; s.done > s.warm {
		s.times = append(s.times, s.now-g.began)
		if g.instance == refused {
			s.turnedAway++
		}
	}
	s.spare = append(s.spare, j)
	if s.load.Rate == 0 {
		s.events.push(event{at: s.exp(s.load.Think + s.net.Pause), job: nextArrival})
	}
}
