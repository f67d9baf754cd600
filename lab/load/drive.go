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
	"strings"
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
	// Part is what one of several generators sends of it, and StartAt when all of them begin; zero: the whole, now.
	Part    Part
	StartAt time.Time
	// Flow is the only errand of all shoppers, one of Flows; "": the mix.
	Flow string
}

// Run holds the load and returns what the shoppers saw. Errors of the shop are part of the step. When ctx
// ends early its error comes with what was measured until then; another error means that there is no step.
func (c *Crowd) Run(ctx context.Context, l Load) (result.Step, error) {
	t, err := c.Tally(ctx, l)
	if t == nil {
		return result.Step{}, err
	}
	return t.Step(l, c.objective), err
}

// Tally holds the crowd's part of the load and returns what it counted, and errors as Run does; nil where
// there is no step.
func (c *Crowd) Tally(ctx context.Context, l Load) (*Tally, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	if err := c.Prepare(ctx, 1, nil); err != nil {
		return nil, err
	}
	if err := watch.Pause(ctx, time.Until(l.StartAt)); err != nil {
		return nil, err
	}
	c.only = flowNamed(l.Flow)
	r := c.runner(ctx, l)
	workers, limit := uint64(l.Part.users(l.Users)), uint64(l.Part.users(l.Users))
	if l.Rate > 0 {
		workers, limit = uint64(min(MaxUsers, 16+int(l.Rate/20/float64(l.Part.of())))), MaxUsers
	}
	if workers == 0 {
		return r.counted(l, time.Now()), nil // fewer users than parts
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
	for range attacker.Attack(r.target, r.pace, l.Settle+l.Duration, "") {
		// What happened is in r.tally: the transport knows the shopper and the operation.
	}
	err := ctx.Err()
	if err != nil {
		if l.Duration = r.measured(l); l.Duration <= 0 {
			return nil, err
		}
	}
	t := r.counted(l, wall)
	if after, ok := watch.ReadCPU(); ok && metered && !c.inMemory {
		requests, late := t.Generator.Requests, t.Generator.StartLateMS
		t.Generator = after.Since(before)
		t.Generator.Requests, t.Generator.StartLateMS = requests, late
		t.Generator.Allowance = result.Ptr(float64(runtime.GOMAXPROCS(0)))
	}
	if !c.inMemory {
		t.Generator.TimerLateMS = timers.p99()
	}
	return t, err
}

// measured is how much of a load's measured window has passed.
func (r *runner) measured(l Load) time.Duration {
	if r.pace.began.IsZero() {
		return 0
	}
	return min(l.Duration, time.Since(r.pace.began)-l.Settle).Truncate(time.Millisecond)
}

// counted is the tally of a load of that length, which began at a time of the wall clock.
func (r *runner) counted(l Load, began time.Time) *Tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tally
	t.StartedAt, t.Seconds = began.Add(l.Settle), l.Duration.Seconds()
	t.Series = t.Series[:min(len(t.Series), int(l.Duration/time.Second))]
	if l.Rate > 0 {
		t.Planned = r.pace.planned(window{l.Settle, l.Settle + l.Duration})
		t.Generator.MissedSends = result.Ptr(max(0, t.Planned-t.OnTime))
	}
	if !l.StartAt.IsZero() {
		t.Generator.StartLateMS = result.Ptr(float64(began.Sub(l.StartAt)) / float64(time.Millisecond))
	}
	return t
}

// MaxRate bounds what one generator sends of an open loop, in requests a second.
const MaxRate = 100_000

// MaxThink bounds the time that a user thinks.
const MaxThink = 10 * time.Minute

// Check says whether the load can be sent.
func (l Load) Check() error {
	users, rate := MaxUsers*l.Part.of(), float64(MaxRate*l.Part.of())
	switch {
	case l.Users < 0 || l.Users > users:
		return fmt.Errorf("load: %d users: want 1 to %d", l.Users, users)
	case !(l.Rate >= 0 && l.Rate <= rate): // NaN is neither
		return fmt.Errorf("load: %g requests per second: want up to %g", l.Rate, rate)
	case l.Flow != "" && flowNamed(l.Flow) == nil:
		return fmt.Errorf("load: no errand is called %q; there are %s", l.Flow, strings.Join(Flows(), ", "))
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

// sample is one request. Times are counted from the beginning of the attack.
type sample struct {
	op             *op
	kind           string // of error, "" for none
	due, sent, end time.Duration
	bytes          int // of the answer
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
	pace  *pace
	think time.Duration

	window window

	mu    sync.Mutex
	tally *Tally
}

// runner is made for one load.
func (c *Crowd) runner(ctx context.Context, l Load) *runner {
	w := window{l.Settle, l.Settle + l.Duration}
	return &runner{crowd: c, ctx: ctx, think: l.Think, pace: paceOf(l), window: w, tally: newTally(w)}
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
	if r.crowd.observe != nil {
		r.crowd.observe(Seen{Operation: o.name, Error: kind, Due: r.pace.began.Add(due), End: r.pace.began.Add(end)})
	}
	r.keep(sample{op: o, kind: kind, due: due, sent: sent, end: end, bytes: size(header) + body.Len(), bought: s.sold()})
	if s.waits {
		s.waits = false
		_ = watch.Pause(r.ctx, pollEvery) // cut short when the load ends
	}
	if r.think > 0 {
		_ = watch.Pause(r.ctx, time.Duration(rand.ExpFloat64()*float64(r.think))) //nolint:gosec // no secret
	}
	r.crowd.rest(s)
	if err != nil {
		return nil, err
	}
	resp.Body = http.NoBody
	return resp, nil
}

// size is how long a header is in HTTP/1.1, the status line left out.
func size(h http.Header) (n int) {
	for key, values := range h {
		for _, v := range values {
			n += len(key) + len(": ") + len(v) + len("\r\n")
		}
	}
	return n
}

func (r *runner) keep(s sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.add(s, r.window)
}
