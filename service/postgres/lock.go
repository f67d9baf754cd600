package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/contract"
	"shoplab/service/shop"
)

const (
	lockTries = 3 // of a transaction that waits too long for a lock
	lockPause = 50 * time.Millisecond
)

// lockers are the transactions that may wait for somebody else's lock. While one waits it holds a connection,
// so they share some of the pool: the others are left to reads, which wait for no lock.
type lockers struct {
	slots    chan struct{}
	waiting  atomic.Int64 // for a slot, now
	waits    atomic.Int64
	waited   atomic.Int64 // ns
	canceled atomic.Int64 // waits for a slot that were given up
	timeouts atomic.Int64 // transactions that were
}

func newLockers(maxConns int32) *lockers {
	return &lockers{slots: make(chan struct{}, contract.LockingConnections(int(maxConns)))}
}

// enter waits for a slot.
func (l *lockers) enter(ctx context.Context, patience time.Duration) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	l.waits.Add(1)
	l.waiting.Add(1)
	began := time.Now()
	defer func() {
		l.waiting.Add(-1)
		l.waited.Add(int64(time.Since(began)))
	}()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		l.canceled.Add(1)
		return fmt.Errorf("wait for a connection that writes may use: %w", ctx.Err())
	}
}

// lock is do for a transaction that may wait for a lock, as all do who order or fill a cart. When it has
// waited for the lock timeout, or stood in a deadlock, it is rolled back and tried again; after lockTries that
// is shop.CodeBusy.
func (db *DB) lock(ctx context.Context, what string, fn func(*pgxpool.Conn) error) error {
	for try := 1; ; try++ {
		err := db.lockOnce(ctx, what, fn)
		switch {
		case !isCode(err, "55P03") && !isCode(err, "40P01"): // lock_not_available, deadlock_detected
			return err
		case try == lockTries:
			db.lockers.timeouts.Add(1)
			return &shop.Error{
				Code: shop.CodeBusy, Err: err,
				Detail: "Many want the same things at this moment. Nothing was changed; try again in a moment.",
			}
		}
		select {
		case <-time.After(lockPause/2 + rand.N(lockPause)): //nolint:gosec // jitter, not a secret
		case <-ctx.Done():
			return explain(what, errors.Join(ctx.Err(), err), false)
		}
	}
}

func (db *DB) lockOnce(ctx context.Context, what string, fn func(*pgxpool.Conn) error) error {
	if err := db.lockers.enter(ctx, db.acquireTimeout); err != nil {
		return explain(what, err, false)
	}
	defer func() { <-db.lockers.slots }()
	return db.do(ctx, what, fn)
}

// sendLocking is send for a batch that may wait for a lock. A batch is sent once, so each try makes one.
func (db *DB) sendLocking(ctx context.Context, what string, batch func() *pgx.Batch) error {
	return db.lock(ctx, what, func(conn *pgxpool.Conn) error { return conn.SendBatch(ctx, batch()).Close() })
}

// Stat are the pool's numbers, for metrics. Who waits for a connection that writes may use waits for the pool,
// which is then all in use.
type Stat struct {
	*pgxpool.Stat
	lockers *lockers
	trips   *roundTrips
	held    *atomic.Int64
}

// Stat returns the pool's numbers. CanceledAcquireCount counts the calls that found the pool exhausted and gave
// up.
func (db *DB) Stat() Stat { return Stat{db.pool.Stat(), db.lockers, db.trips, &db.held} }

// AcquiredConns is how many connections are in use.
func (s Stat) AcquiredConns() int32 {
	if s.lockers.waiting.Load() > 0 {
		return s.MaxConns()
	}
	return s.Stat.AcquiredConns()
}

// EmptyAcquireCount is how many calls had to wait for a connection.
func (s Stat) EmptyAcquireCount() int64 { return s.Stat.EmptyAcquireCount() + s.lockers.waits.Load() }

// EmptyAcquireWaitTime is how long they waited.
func (s Stat) EmptyAcquireWaitTime() time.Duration {
	return s.Stat.EmptyAcquireWaitTime() + time.Duration(s.lockers.waited.Load())
}

// CanceledAcquireCount is how many gave up.
func (s Stat) CanceledAcquireCount() int64 {
	return s.Stat.CanceledAcquireCount() + s.lockers.canceled.Load()
}

// HeldTime is how long connections were used, each counted when it was given back. Who has one only once it gets CPU
// does not use it before.
func (s Stat) HeldTime() time.Duration { return time.Duration(s.held.Load()) }

// RoundTripCount is how often the database was asked and waited for.
func (s Stat) RoundTripCount() int64 { return s.trips.n.Load() }

// LockTimeoutCount is how many transactions gave up waiting for a lock.
func (s Stat) LockTimeoutCount() int64 { return s.lockers.timeouts.Load() }
