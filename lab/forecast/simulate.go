package forecast

import (
	"math"
	"math/rand/v2"
	"slices"

	"shoplab/contract"
	"shoplab/lab/result"
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

type simulation struct {
	net    Network
	load   Load
	rng    *rand.Rand
	routes [][][]op // by instance and class
	roots  [][]int  // by instance: the machines that its requests take CPU of, or those are within
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
	deck   []int     // classes of the next requests
	owed   []float64 // by class: requests that the decks so far have too few
	erlang []float64
	events events
	// tickets are how often one began to.
	tickets int
	now     float64

	warm, want, done, sent int
	times                  []float64
	began                  float64 // of what is measured
	turnedAway             int     // of what is measured

	patience   float64 // seconds
	slow, most int     // how many answers took longer, and how many may before nobody needs to know the rest
}

// keeps says whether the network keeps the objective with the load, and the outcome if so: a simulation that has seen
// too many slow answers ends there.
func (n Network) keeps(l Load, requests int, o result.Objective) (Outcome, bool) {
	s := newSimulation(n, l, requests)
	s.patience, s.most = o.P95MS/1000, requests/20
	s.run()
	if s.slow > s.most {
		return Outcome{}, false
	}
	out := s.outcome()
	return out, out.Keeps(o)
}

func newSimulation(n Network, l Load, requests int) *simulation {
	s := &simulation{
		net: n, load: l, rng: rand.New(rand.NewPCG(11, 13)), //nolint:gosec // reproducible on purpose
		pools: make([]pool, len(n.Instances)), locks: make([]pool, len(n.Instances)),
		hashes: make([]pool, len(n.Instances)), out: make([]int, len(n.Instances)),
		erlang: erlang(), owed: make([]float64, len(n.Classes)), warm: requests / 10, want: requests,
		times:    make([]float64, 0, requests),
		patience: math.Inf(1),
	}
	s.addMachines(n.Machines)
	for i, in := range n.Instances {
		var routes [][]op
		for _, c := range n.classes() {
			routes = append(routes, n.route(in, c))
		}
		s.routes, s.roots = append(s.routes, routes), append(s.roots, s.rootsOf(routes))
		s.pools[i].free, s.locks[i].free = in.Pool, contract.LockingConnections(in.Pool)
		s.hashes[i].free = in.Hashing
	}
	s.away = append(n.arrival(), op{kind: opDelay, demand: refusal})
	return s
}

// rootsOf are the machines that requests on the routes take CPU of, or the ones that those are within.
func (s *simulation) rootsOf(routes [][]op) []int {
	var all []int
	for _, o := range slices.Concat(routes...) {
		if root := s.cores[o.machine].root; o.kind == opCPU && !slices.Contains(all, root) {
			all = append(all, root)
		}
	}
	return all
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
	for s.done < s.warm+s.want && s.slow <= s.most && len(s.events) > 0 {
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
