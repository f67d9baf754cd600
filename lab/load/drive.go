package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/tsenart/vegeta/v12/lib"

	"shoplab/lab/result"
	"shoplab/lab/watch"
)

// MaxUsers bounds a closed loop, and how many requests of an open loop may be under way.
const MaxUsers = 10_000

// ShareMachine keeps the generator to half of the cores that it shares with the shop: fewer threads
// wake each other, and a request costs the generator less CPU. The function that it returns undoes it.
func ShareMachine() func() {
	before := runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	return func() { runtime.GOMAXPROCS(before) }
}

// Load is one step's load: Users for a closed loop, Rate for an open one.
type Load struct {
	Purpose  result.Purpose
	Repeat   int
	Users    int
	Rate     float64       // requests per second
	Settle   time.Duration // at the start, not measured
	Duration time.Duration // measured
	// Think is how long a user waits between an answer and the next request, exponential around this mean:
	// users are shoppers then, and requests in flight without it.
	Think time.Duration
}

// Run holds the load and returns what the shoppers saw. Errors of the shop are part of the step. When ctx
// ends early its error comes with what was measured until then; another error means that there is no step.
func (c *Crowd) Run(ctx context.Context, l Load) (result.Step, error) {
	if err := l.Check(); err != nil {
		return result.Step{}, err
	}
	if err := c.Prepare(ctx, 1, nil); err != nil {
		return result.Step{}, err
	}
	r := &runner{crowd: c, ctx: ctx, think: l.Think, pace: pace{ramp: l.Settle / 2, users: uint64(l.Users)}}
	workers, limit := uint64(l.Users), uint64(l.Users)
	if l.Rate > 0 {
		r.pace.interval = time.Duration(float64(time.Second) / l.Rate)
		workers, limit = uint64(min(MaxUsers, 16+int(l.Rate/20))), MaxUsers
	}
	attacker := vegeta.NewAttacker(
		vegeta.Client(&http.Client{Transport: r}), vegeta.Redirects(vegeta.NoFollow),
		vegeta.Workers(workers), vegeta.MaxWorkers(limit),
	)
	stop := context.AfterFunc(ctx, func() { attacker.Stop() })
	defer stop()
	before, metered := watch.ReadCPU()
	var timers lateness
	if !c.inMemory {
		timers = watchTimers(ctx)
		defer timers.stop()
	}
	wall := time.Now()
	for range attacker.Attack(r.target, &r.pace, l.Settle+l.Duration, "") {
		// What happened is in r.samples: the transport knows the shopper and the operation.
	}
	err := ctx.Err()
	if err != nil {
		if l.Duration = r.measured(l); l.Duration <= 0 {
			return result.Step{}, err
		}
	}
	step := r.summary(l, c.objective)
	step.StartedAt = wall.Add(l.Settle).UTC()
	if step.Series != nil {
		step.Series.StartedAt = step.StartedAt
	}
	if after, ok := watch.ReadCPU(); ok && metered && !c.inMemory {
		after.Since(before, &step)
		step.GeneratorAllowance = result.Ptr(float64(runtime.GOMAXPROCS(0)))
	}
	if !c.inMemory {
		timers.read(&step)
	}
	return step, err
}

// measured is how much of a load's measured window has passed.
func (r *runner) measured(l Load) time.Duration {
	if r.pace.began.IsZero() {
		return 0
	}
	return min(l.Duration, time.Since(r.pace.began)-l.Settle).Truncate(time.Millisecond)
}

// MaxRate bounds an open loop, in requests a second.
const MaxRate = 100_000

// MaxThink bounds the time that a user thinks.
const MaxThink = 10 * time.Minute

// Check says whether the load can be sent.
func (l Load) Check() error {
	switch {
	case l.Users < 0 || l.Users > MaxUsers:
		return fmt.Errorf("load: %d users: want 1 to %d", l.Users, MaxUsers)
	case !(l.Rate >= 0 && l.Rate <= MaxRate): // NaN is neither
		return fmt.Errorf("load: %g requests per second: want up to %d", l.Rate, MaxRate)
	case (l.Users > 0) == (l.Rate > 0):
		return errors.New("load: give either users or a rate, more than 0")
	case l.Think < 0 || l.Think > MaxThink || l.Think > 0 && l.Rate > 0:
		return fmt.Errorf("load: %s of thinking: want up to %s, and users, not a rate", l.Think, MaxThink)
	case l.Duration <= 0 || l.Settle < 0:
		return errors.New("load: the duration must be positive")
	case l.Rate > 0 && l.Rate*l.Duration.Seconds() < 1:
		return fmt.Errorf("load: %g requests per second are less than one in %s", l.Rate, l.Duration)
	}
	return nil
}

// pace is a constant rate, or none: an interval of 0 sends as soon as a worker is free, which with
// a fixed number of workers is a closed loop. It also notes when the attack began, because a
// request's due time is counted from there.
type pace struct {
	interval time.Duration
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
func (p *pace) due(seq uint64) time.Duration { return time.Duration(seq) * p.interval }

// sample is one request. Times are counted from the beginning of the attack.
type sample struct {
	op             *op
	kind           string // of error, "" for none
	due, sent, end time.Duration
	bought         bool
}

// latency is counted from when the request was due: a stalled shop cannot hide behind a generator
// that waits for it (G. Tene's "coordinated omission").
func (s sample) latency() time.Duration { return s.end - s.due }

// runner is one step under way: it is both where vegeta's requests come from and the transport that
// they go through, so that each answer reaches its shopper before the shopper's next request.
type runner struct {
	crowd *Crowd
	ctx   context.Context // vegeta's requests carry none of their own
	pace  pace
	think time.Duration

	mu      sync.Mutex
	samples []sample
	cut     []sample // under way when the load was broken off: sent, and never answered
}

// target implements vegeta.Targeter: some idle shopper's next request.
func (r *runner) target(t *vegeta.Target) error {
	s := r.crowd.enter()
	*t = s.next()
	return nil
}

// RoundTrip implements http.RoundTripper: it sends, reads the whole answer, times both, and hands
// the answer to the shopper. The body is consumed.
func (r *runner) RoundTrip(req *http.Request) (*http.Response, error) {
	s := r.crowd.shopper(req.Header.Get(headerShopper))
	seq, err := strconv.ParseUint(req.Header.Get("X-Vegeta-Seq"), 10, 64)
	if s == nil || err != nil {
		return nil, fmt.Errorf("load: request without a shopper: %v", req.Header)
	}
	// The request was made for this call alone, so it may be changed.
	req.Header.Del(headerShopper)
	req.Header.Del("X-Vegeta-Seq")
	ctx, cancel := context.WithTimeout(r.ctx, r.crowd.timeout)
	defer cancel()
	o := s.op()
	sent := time.Since(r.pace.began)
	due := sent
	if r.pace.interval > 0 {
		due = r.pace.due(seq)
	}
	var body bytes.Buffer
	resp, err := r.crowd.transport.RoundTrip(req.WithContext(ctx))
	status, header := 0, http.Header(nil)
	if err == nil {
		status, header = resp.StatusCode, resp.Header
		_, err = body.ReadFrom(resp.Body)
		err = errors.Join(err, resp.Body.Close())
	}
	end := time.Since(r.pace.began)
	kind := s.take(status, header, body.Bytes(), err)
	if err != nil && r.ctx.Err() != nil {
		kind = kindCanceled // whatever ended the load, Ctrl-C or a deadline, the shop did not
	}
	r.keep(sample{op: o, kind: kind, due: due, sent: sent, end: end, bought: s.sold()})
	if s.waits {
		s.waits = false
		_ = pause(r.ctx, pollEvery) // cut short when the load ends
	}
	if r.think > 0 {
		_ = pause(r.ctx, time.Duration(rand.ExpFloat64()*float64(r.think))) //nolint:gosec // no secret
	}
	r.crowd.rest(s)
	if err != nil {
		return nil, err
	}
	resp.Body = http.NoBody
	return resp, nil
}

func (r *runner) keep(s sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.kind == kindCanceled {
		r.cut = append(r.cut, s)
		return
	}
	r.samples = append(r.samples, s)
}
