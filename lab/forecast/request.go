package forecast

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
	opWake   // of who had to wait
	opAnswer // to who asked; what follows is done without anybody waiting for it
)

type op struct {
	kind     int
	machine  int
	demand   float64
	crowding Crowding
	constant bool // the demand is the same each time
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
	answered bool
}

// refused is the instance of a request that found no room at any.
const refused = -1

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
		s.occupy(instance, 1)
		s.jobs[j] = job{began: s.now, instance: instance, at: -1, route: s.routes[instance][s.class()]}
	}
	s.next(j)
}

// occupy counts a request at an instance, or with -1 one that leaves it.
func (s *simulation) occupy(instance, by int) {
	s.out[instance] += by
	for _, root := range s.roots[instance] {
		s.cores[root].visitors += by
	}
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
		crowd := s.cores[s.cores[o.machine].root].visitors
		if g.left = o.demand * o.crowding.Times(crowd); !o.constant {
			g.left *= s.spread()
		}
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
	case opAnswer:
		s.answer(g)
		s.next(j)
	}
}

func (s *simulation) measuring() bool { return s.done >= s.warm }

// answer counts an answer, and has its user think.
func (s *simulation) answer(g *job) {
	g.answered = true
	if s.done == s.warm {
		s.began = s.now
		for m := range s.cores {
			s.cores[m].used, s.cores[m].periods, s.cores[m].stopped = 0, 0, 0
		}
	}
	if s.done++; s.done > s.warm {
		took := s.now - g.began
		if s.times = append(s.times, took); took > s.patience {
			s.slow++
		}
		if g.instance == refused {
			s.turnedAway++
		}
	}
	if s.load.Rate == 0 {
		s.events.push(event{at: s.exp(s.load.Think + s.net.Pause), job: nextArrival})
	}
}

// finish has a request leave, and answers it where that is not done yet.
func (s *simulation) finish(j int) {
	g := &s.jobs[j]
	if g.instance != refused {
		s.occupy(g.instance, -1)
	}
	if !g.answered {
		s.answer(g)
	}
	s.spare = append(s.spare, j)
}
