// Package lambda emulates what AWS Lambda and an HTTP API before it do with a function: execution environments that
// take one event at a time, up to the reserved concurrency; a cold start for each new one; a process that is
// frozen between events; an end after idle time. The process is the real one and speaks the real runtime API.
package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// ErrThrottled says that as many events are being handled as the function may handle at once.
var ErrThrottled = errors.New("the function is throttled: its reserved concurrency is in use")

// Options say what the function is.
type Options struct {
	Name string
	Path string // the program
	Args []string
	Env  []string
	// Concurrency is the reserved concurrency: how many execution environments there may be.
	Concurrency int
	// Placement is how long a cold start takes before the process starts: what AWS needs to place the
	// environment and load the image.
	Placement time.Duration
	// Refusal is how long the HTTP API takes to answer a request that is throttled: users who are refused at once
	// would ask again at once.
	Refusal time.Duration
	// Idle is how long an environment without events is kept. Zero: until Stop.
	Idle time.Duration
	// Timeout bounds one event. Zero: 15 s.
	Timeout time.Duration
	// Log is where environment number n writes; nil discards it.
	Log func(n int) io.Writer
	// Enter puts the process of environment number n where its limits are. Nil: no limits.
	Enter func(n, pid int) error
}

// Stats count what the function did since it was started.
type Stats struct {
	Invocations int64
	ColdStarts  int64
	Throttles   int64
	Errors      int64 // events that failed, timeouts included
	// Billed is the time that AWS would bill: of each event, rounded up to a millisecond, the
	// initialization of a cold start included, which is billed where the function is an image.
	Billed time.Duration
	// Starts is how long each cold start made its event wait, placement included.
	Starts []time.Duration
	// Environments there are now, those of them that handle an event, and the most there have been at once.
	Environments, Busy, Most int
}

// Function is an emulated function.
type Function struct {
	options Options

	mu       sync.Mutex
	version  int
	strikes  []*strike      // at the next events
	warm     []*environment // frozen, the one used last at the end
	all      map[*environment]bool
	numbers  map[int]bool // of environments: the lowest free one is given to the next
	stats    Stats
	stopping bool
	cleanup  sync.WaitGroup
}

// New returns a function that has no environment yet.
func New(o Options) *Function {
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Log == nil {
		o.Log = func(int) io.Writer { return io.Discard }
	}
	return &Function{options: o, all: map[*environment]bool{}, numbers: map[int]bool{}}
}

// Stats returns what was counted so far.
func (f *Function) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Starts = slices.Clone(s.Starts)
	s.Environments, s.Busy = len(f.all), len(f.all)-len(f.warm)
	return s
}

// Invoke hands an event to an environment and returns the function's answer: ErrThrottled where none is free
// and no more may be started, an error with the function's own words where it failed.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	e, cold, err := f.acquire()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if cold {
		if err := e.start(ctx); err != nil {
			f.drop(e)
			f.count(func(s *Stats) { s.Errors++ })
			return nil, err
		}
	}
	handed := time.Now()
	struck := f.nextStrike(ctx)
	answer, err := e.invoke(event, struck.signal)
	if errors.Is(err, errTimeout) {
		e.kill()
	}
	close(struck.done)
	f.count(func(s *Stats) {
		s.Invocations++
		billed := time.Since(handed)
		if cold {
			s.ColdStarts++
			s.Starts = append(s.Starts, handed.Sub(began))
			billed += handed.Sub(began) - f.options.Placement
		}
		s.Billed += (billed + time.Millisecond - 1).Truncate(time.Millisecond)
		if err != nil {
			s.Errors++
		}
	})
	// The answer goes out at once; the environment is free when its process asks for the next event.
	f.cleanup.Go(func() { f.release(e) })
	return answer, err
}

// acquire returns the warm environment that was used last, or a new one to be started.
func (f *Function) acquire() (e *environment, cold bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping {
		return nil, false, errors.New("the function is stopping")
	}
	if last := len(f.warm) - 1; last >= 0 {
		e, f.warm = f.warm[last], f.warm[:last]
		e.busy()
		return e, false, nil
	}
	e, err = f.place()
	return e, err == nil, err
}

// place returns a new environment, to be started; the lock is held.
func (f *Function) place() (*environment, error) {
	if len(f.all) >= f.options.Concurrency {
		f.stats.Throttles++
		return nil, ErrThrottled
	}
	n := 0
	for f.numbers[n] {
		n++
	}
	e := &environment{options: f.options, number: n, version: f.version}
	f.numbers[n], f.all[e] = true, true
	f.stats.Most = max(f.stats.Most, len(f.all))
	return e, nil
}

// release freezes an environment that waits for its next event, or ends one that does not get so far.
func (f *Function) release(e *environment) {
	if err := e.settle(); err != nil {
		f.drop(e)
		return
	}
	f.keep(e)
}

// keep freezes an environment that waits for its next event. One of a version that serves no more ends.
func (f *Function) keep(e *environment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping {
		return // Stop ends it
	}
	if e.version != f.version || e.freeze() != nil {
		f.cleanup.Go(func() { f.drop(e) })
		return
	}
	f.warm = append(f.warm, e)
	if f.options.Idle > 0 {
		e.idle = time.AfterFunc(f.options.Idle, func() { f.recycle(e) })
	}
}

// recycle ends an environment that has been idle for long enough.
func (f *Function) recycle(e *environment) {
	f.mu.Lock()
	i := slices.Index(f.warm, e)
	if i >= 0 {
		f.warm = slices.Delete(f.warm, i, i+1)
	}
	f.mu.Unlock()
	if i >= 0 {
		f.drop(e)
	}
}

// Retire has every environment end once it handles no event, as a new version does: the next event starts cold.
func (f *Function) Retire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version++
	for _, e := range f.warm {
		e.busy()
		f.cleanup.Go(func() { f.drop(e) })
	}
	f.warm = nil
}

// drop ends an environment.
func (f *Function) drop(e *environment) {
	e.stop(context.Background())
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, e)
	delete(f.numbers, e.number)
}

func (f *Function) count(change func(*Stats)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.stats)
}

// Stop ends all environments. Events that are being handled fail.
func (f *Function) Stop(ctx context.Context) error {
	f.mu.Lock()
	f.stopping = true
	var all []*environment
	for e := range f.all {
		all = append(all, e)
	}
	f.mu.Unlock()
	var stops sync.WaitGroup
	for _, e := range all {
		stops.Go(func() { e.stop(ctx) })
	}
	stops.Wait()
	f.cleanup.Wait()
	f.mu.Lock()
	f.all, f.warm = map[*environment]bool{}, nil
	f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("killed %s: %w", f.options.Name, err)
	}
	return nil
}
