package lambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// What follows breaks environments on purpose, and replaces them.

// strike is a signal for the process that gets the next event.
type strike struct {
	signal syscall.Signal
	done   chan struct{} // closed when it is known what became of the event
}

// Strike has the process that gets the next event that somebody waits for get a signal before it, and returns when
// it is known what became of the event: SIGKILL ends the process, SIGSTOP has it hang until the function's timeout.
// Its environment is gone then.
func (f *Function) Strike(ctx context.Context, sig syscall.Signal) error {
	s := &strike{signal: sig, done: make(chan struct{})}
	f.mu.Lock()
	f.strikes = append(f.strikes, s)
	f.mu.Unlock()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		f.mu.Lock()
		defer f.mu.Unlock()
		f.strikes = slices.DeleteFunc(f.strikes, func(other *strike) bool { return other == s })
		return ctx.Err()
	}
}

// nextStrike is what an event's process gets first; a strike without a signal if nothing, and where nobody waits for
// the event's answer any more: nobody would feel it.
func (f *Function) nextStrike(ctx context.Context) *strike {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.strikes) == 0 || ctx.Err() != nil {
		return &strike{done: make(chan struct{})}
	}
	s := f.strikes[0]
	f.strikes = f.strikes[1:]
	return s
}

// Lose ends some environments at once, by their numbers: as when a zone is gone. The events that they handle fail.
func (f *Function) Lose(which func(n int) bool) {
	f.mu.Lock()
	var gone, idle []*environment
	for e := range f.all {
		if which(e.number) {
			gone = append(gone, e)
		}
	}
	f.warm = slices.DeleteFunc(f.warm, func(e *environment) bool {
		if !which(e.number) {
			return false
		}
		e.busy()
		idle = append(idle, e)
		return true
	})
	f.mu.Unlock()
	for _, e := range gone {
		e.kill()
	}
	for _, e := range idle { // whoever invoked the others drops them
		f.drop(e)
	}
}

// Publish has a new version serve: an environment of it is started and handles a trial event; if that succeeds, every
// later event goes to the new version, as when an alias moves. Environments of the version before finish what they have
// begun and end; Lambda keeps them for some minutes, frozen, and documents nothing about it.
func (f *Function) Publish(ctx context.Context, trial []byte) error {
	f.mu.Lock()
	if f.stopping {
		f.mu.Unlock()
		return errors.New("the function is stopping")
	}
	e, err := f.place()
	f.mu.Unlock()
	if err != nil {
		return fmt.Errorf("try a new version: %w", err)
	}
	began := time.Now()
	if err = e.start(ctx); err == nil {
		took := time.Since(began)
		f.count(func(s *Stats) {
			s.Invocations++
			s.ColdStarts++
			s.Starts = append(s.Starts, took)
		})
		if _, err = e.invoke(trial, 0); err == nil {
			err = e.settle()
		}
	}
	if err != nil {
		f.drop(e)
		return fmt.Errorf("try a new version: %w", err)
	}
	f.mu.Lock()
	old := f.warm
	f.warm = nil
	f.version++
	e.version = f.version
	f.mu.Unlock()
	f.keep(e)
	for _, one := range old {
		one.busy()
		f.cleanup.Go(func() { f.drop(one) })
	}
	return nil
}
