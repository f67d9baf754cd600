package shard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// Place is where some shards run.
type Place struct {
	Lead       time.Duration // in which an order surely reaches all of them
	Ahead      time.Duration // how far their clocks are ahead of this machine's
	OneMachine bool          // they share one, so that their shares of it add up
	PIDs       []int         // of processes of this machine
	Sender     string        // who sends the load, in words; "" is this machine
}

// Fleet is shards before one shop, as one load.Generator.
type Fleet struct {
	place     Place
	url       string
	objective result.Objective
	shards    []*member
}

// member is one shard of a fleet. It is asked one thing at a time.
type member struct {
	name string
	conn Conn
	last int // order

	mu                   sync.Mutex
	soldOut, accountless int
	gone                 error
}

// NewFleet brings shards that wait for orders before a shop. The fleet closes the connections; after an error
// they are closed.
func NewFleet(ctx context.Context, o load.Options, conns []Conn, p Place) (*Fleet, load.Info, error) {
	address, err := load.ParseURL(o.URL)
	if err != nil {
		Close(conns)
		return nil, load.Info{}, err
	}
	if o.Objective == (result.Objective{}) {
		o.Objective = load.DefaultObjective
	}
	f := &Fleet{place: p, url: address, objective: o.Objective}
	for i, c := range conns {
		f.shards = append(f.shards, &member{name: fmt.Sprintf("%d of %d", i+1, len(conns)), conn: c})
	}
	answers, err := f.all(ctx, func(i int) Order {
		return Order{Do: doGather, Shop: &Shop{URL: address, Timeout: o.Timeout, Insecure: o.Insecure, Shard: i}}
	})
	if err != nil {
		f.Close()
		return nil, load.Info{}, cause(ctx, err)
	}
	info := answers[0].Info
	info.Sender = p.Sender
	return f, info, nil
}

// cause is why something was not done: that it was broken off says more than what broke.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Close closes connections, at one time.
func Close(conns []Conn) {
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() { _ = c.Close() }) // whoever is gone is closed
	}
	wg.Wait()
}

// all has every shard do something, at one time, and returns their answers, or the first error of one.
func (f *Fleet) all(ctx context.Context, order func(i int) Order) ([]Answer, error) {
	answers := make([]Answer, len(f.shards))
	g, ctx := errgroup.WithContext(ctx)
	for i, m := range f.shards {
		g.Go(func() (err error) {
			answers[i], err = m.ask(ctx, order(i))
			return err
		})
	}
	return answers, g.Wait()
}

// stopPatience is how long a shard may take to say what it had done when it was stopped.
const stopPatience = 15 * time.Second

// ask has the shard do something. When ctx ends it is stopped; what it had done until then comes with no error.
func (m *member) ask(ctx context.Context, o Order) (Answer, error) {
	if err := m.isGone(); err != nil {
		return Answer{}, err
	}
	m.last++
	o.ID = m.last
	if err := m.conn.Send(ctx, o); err != nil {
		return Answer{}, m.lost(err)
	}
	var patience <-chan time.Time
	ended := ctx.Done()
	for {
		select {
		case a, ok := <-m.conn.Answers():
			switch {
			case !ok:
				return Answer{}, m.lost(nil)
			case a.ID != o.ID:
				continue // of an order that nobody waits for any more
			}
			m.mu.Lock()
			m.soldOut, m.accountless = a.SoldOut, a.Accountless
			m.mu.Unlock()
			if a.Error != "" {
				return a, fmt.Errorf("shard %s: %s", m.name, a.Error)
			}
			return a, nil
		case <-ended:
			ended, patience = nil, time.After(stopPatience)
			if err := m.conn.Send(context.WithoutCancel(ctx), Order{Do: doStop}); err != nil {
				return Answer{}, m.lost(err)
			}
		case <-patience:
			return Answer{}, m.lost(errors.New("it does not answer"))
		}
	}
}

func (m *member) isGone() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone
}

// lost notes that the shard is gone: why is best known by its connection.
func (m *member) lost(why error) error {
	closed := make(chan struct{})
	go func() {
		for range m.conn.Answers() {
			// What it still sends while it ends is not an answer to this order.
		}
		close(closed)
	}()
	select {
	case <-closed:
		why = m.conn.Err()
	case <-time.After(time.Second): // it is there, and cannot be spoken to
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = fmt.Errorf("%w: shard %s: %w", ErrGone, m.name, why)
	return m.gone
}

// URL implements load.Generator.
func (f *Fleet) URL() string { return f.url }

// Lead implements load.Generator.
func (f *Fleet) Lead() time.Duration { return f.place.Lead }

// PIDs are the shards that are processes of this machine.
func (f *Fleet) PIDs() []int { return f.place.PIDs }

// PrepareFor implements load.Generator; nobody is told of its progress.
func (f *Fleet) PrepareFor(ctx context.Context, l load.Load, _ func(done, total int)) error {
	_, err := f.all(ctx, func(i int) Order { return Order{Do: doPrepare, Load: f.part(l, i)} })
	return cause(ctx, err)
}

func (f *Fleet) part(l load.Load, i int) load.Load {
	l.Part = load.Part{Index: i, Of: len(f.shards)}
	return l
}

// Ready implements load.Generator: it asks the first shard.
func (f *Fleet) Ready(ctx context.Context) error {
	_, err := f.shards[0].ask(ctx, Order{Do: doReady})
	return cause(ctx, err)
}

// CheckOrders implements load.Generator.
func (f *Fleet) CheckOrders(ctx context.Context) (result.Invariant, error) {
	answers, err := f.all(ctx, func(int) Order { return Order{Do: doOrders} })
	if err != nil {
		return result.Invariant{}, cause(ctx, err)
	}
	var all load.Books
	for _, a := range answers {
		all.Orders += a.Books.Orders
		all.Problems = append(all.Problems, a.Books.Problems...)
	}
	return all.Invariant(), nil
}

// SoldOut implements load.Generator.
func (f *Fleet) SoldOut() (n int) {
	for _, m := range f.shards {
		m.mu.Lock()
		n += m.soldOut
		m.mu.Unlock()
	}
	return n
}

// Accountless implements load.Generator.
func (f *Fleet) Accountless() (n int) {
	for _, m := range f.shards {
		m.mu.Lock()
		n += m.accountless
		m.mu.Unlock()
	}
	return n
}

// Close has all shards end.
func (f *Fleet) Close() {
	conns := make([]Conn, len(f.shards))
	for i, m := range f.shards {
		conns[i] = m.conn
	}
	Close(conns)
}
