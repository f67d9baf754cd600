package shard

import (
	"context"
	"errors"
	"fmt"

	"shoplab/lab/load"
)

// Serve does what the orders say until there are no more or ctx ends, and answers each.
func Serve(ctx context.Context, orders <-chan Order, answer func(Answer) error) error {
	var w worker
	defer w.close()
	for o := range orders {
		if o.Do == doStop {
			continue // what it was to end is over
		}
		doing, stop := context.WithCancel(ctx)
		done := make(chan Answer, 1)
		go func() { done <- w.do(doing, o) }()
		a := await(done, orders, stop)
		stop()
		if err := answer(a); err != nil {
			return fmt.Errorf("answer order %d: %w", o.ID, err)
		}
	}
	return ctx.Err()
}

// await is the answer; whatever else comes meanwhile, or that nothing comes any more, stops what is being done.
func await(done <-chan Answer, orders <-chan Order, stop func()) Answer {
	for {
		select {
		case a := <-done:
			return a
		case _, more := <-orders:
			stop()
			if !more {
				orders = nil
			}
		}
	}
}

// worker is one shard's shoppers.
type worker struct{ crowd *load.Crowd }

func (w *worker) close() {
	if w.crowd != nil {
		w.crowd.Close()
	}
}

// do does one order.
func (w *worker) do(ctx context.Context, o Order) Answer {
	a := Answer{ID: o.ID}
	var err error
	switch {
	case o.Do == doGather && o.Shop != nil:
		a.Info, err = w.gather(ctx, *o.Shop)
	case w.crowd == nil:
		err = errors.New("there are no shoppers yet")
	case o.Do == doPrepare:
		err = w.crowd.PrepareFor(ctx, o.Load, nil)
	case o.Do == doRun:
		if a.Tally, err = w.crowd.Tally(ctx, o.Load); a.Tally != nil && ctx.Err() != nil {
			err = nil // it was stopped, and this is what it had counted
		}
	case o.Do == doReady:
		err = w.crowd.Ready(ctx)
	case o.Do == doOrders:
		a.Books, err = w.crowd.ReadOrders(ctx)
	default:
		err = fmt.Errorf("unknown order %q", o.Do)
	}
	if w.crowd != nil {
		a.SoldOut, a.Accountless = w.crowd.SoldOut(), w.crowd.Accountless()
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func (w *worker) gather(ctx context.Context, s Shop) (load.Info, error) {
	w.close()
	c, info, err := load.NewCrowd(ctx, load.Options{URL: s.URL, Timeout: s.Timeout, Insecure: s.Insecure, Shard: s.Shard})
	if err != nil {
		return info, err
	}
	w.crowd = c
	return info, nil
}
