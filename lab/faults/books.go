package faults

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"shoplab/lab/result"
	"shoplab/lab/stripe"
	"shoplab/lab/watch"
)

// books hold Stripe's charges against the shop's orders, again and again, so that it is known when the shop knew of
// each.
type books struct {
	bank  *stripe.Stripe
	url   string
	began time.Time
	end   context.CancelFunc
	done  chan struct{}

	mu      sync.Mutex
	known   map[string]time.Time // when the shop's books had a charge
	pending []account
}

// account is an infliction whose charges are still to be judged.
type account struct {
	fault         *result.Fault
	run           int // of the fault's
	from, at, end time.Time
}

// lookEvery is how often the books are compared.
const lookEvery = 500 * time.Millisecond

func keepBooks(bank *stripe.Stripe, url string) *books {
	ctx, cancel := context.WithCancel(context.Background())
	b := &books{
		bank: bank, url: url, began: time.Now(), end: cancel, done: make(chan struct{}),
		known: map[string]time.Time{},
	}
	go func() {
		defer close(b.done)
		for watch.Until(ctx, time.Now().Add(lookEvery)) {
			_, _ = b.look(ctx) // the database may be away: that is what is tried
		}
	}()
	return b
}

func (b *books) stop() {
	b.end()
	<-b.done
}

// of has the charges of a fault's last infliction judged once all are known, or no more is to be expected.
func (b *books) of(f *result.Fault, from, at, end time.Time) {
	b.pending = append(b.pending, account{fault: f, run: len(f.Runs) - 1, from: from, at: at, end: end})
}

// look compares the books once and returns the charges that the shop does not know of.
func (b *books) look(ctx context.Context) (open []stripe.Charge, err error) {
	b.mu.Lock()
	var ids []string
	for _, c := range b.bank.Charges(b.began) {
		if _, known := b.known[c.Intent]; !known && !c.Refunded {
			open, ids = append(open, c), append(ids, c.Intent)
		}
	}
	b.mu.Unlock()
	if len(open) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, b.url)
	if err != nil {
		return open, fmt.Errorf("compare the books: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT p.intent_id FROM payments p JOIN orders o ON o.id = p.order_id
		WHERE p.intent_id = ANY($1) AND o.status = 'paid'`, ids)
	if err != nil {
		return open, fmt.Errorf("compare the books: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return open, fmt.Errorf("compare the books: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range found {
		b.known[id] = time.Now()
	}
	return slices.DeleteFunc(open, func(c stripe.Charge) bool { _, known := b.known[c.Intent]; return known }), nil
}

// reconcileWithin is how long the shop may take to find out what no webhook told it. It asks ten seconds after the
// start of a payment, then after half of its age.
const reconcileWithin = 2 * time.Minute

// agree waits until the shop knows of every charge, or is not expected to any more, and judges each infliction's.
func (b *books) agree(ctx context.Context) error {
	deadline := time.Now().Add(reconcileWithin)
	for {
		open, err := b.look(ctx)
		if err == nil && len(open) == 0 || time.Now().After(deadline) {
			break
		}
		if !watch.Until(ctx, time.Now().Add(lookEvery)) {
			return ctx.Err()
		}
	}
	b.judge()
	return nil
}

// judge writes into each infliction what became of its charges.
func (b *books) judge() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.pending {
		run := &a.fault.Runs[a.run]
		last := a.at
		for _, c := range b.bank.Charges(a.from) {
			if c.At.After(a.end) {
				continue
			}
			run.Orders.Charged++
			known, ok := b.known[c.Intent]
			if !ok && !c.Refunded {
				run.Orders.Unaccounted++
			}
			if known.After(last) {
				last = known
			}
		}
		if run.Orders.Unaccounted == 0 {
			run.ReconciledSeconds = result.Ptr(max(0, last.Sub(a.end).Seconds()))
		}
	}
	b.pending = nil
}
