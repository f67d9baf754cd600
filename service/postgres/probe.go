package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// loss is why the database cannot be used, and since when.
type loss struct {
	err   error
	since time.Time
}

// lost notes that the database cannot be used, and returns what was noted before: nil if it could be. The probe
// alone calls it.
func (db *DB) lost(err error) (before error) {
	l := &loss{err: err, since: time.Now()}
	if known := db.down.Load(); known != nil {
		before, l.since = known.err, known.since
	}
	db.down.Store(l)
	return before
}

// lostForLong says whether the database has been lost for so long.
func (db *DB) lostForLong(long time.Duration) bool {
	l := db.down.Load()
	return l != nil && time.Since(l.since) >= long
}

// Ready returns nil when the database answered the last time that it was asked, at most a few
// seconds ago, and has the schema. It asks nothing itself, so that probes cost no connection.
func (db *DB) Ready(context.Context) error {
	if l := db.down.Load(); l != nil {
		return l.err
	}
	return nil
}

// probe asks the database each second whether it is there and has the schema, which it brings up to date if
// not. What refuses is lost at once, what does not answer in time only when it happens three times in a row: on
// a machine under load the database may be slow, and to take an instance away then makes it worse.
func (db *DB) probe(ctx context.Context) {
	defer close(db.probeDone)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for late := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		pingCtx, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := db.look(pingCtx)
		cancel()
		stale, lacking := errors.AsType[*staleSchema](err)
		switch s := db.pool.Stat(); {
		case ctx.Err() != nil:
			return
		case lacking:
			late = 0
			db.restore(ctx, stale)
			continue
		case err == nil:
			late = 0
			if db.down.Swap(nil) != nil {
				db.log.Info("database back")
			}
			continue
		case s.AcquiredConns() >= s.MaxConns():
			continue // nor is a pool that is busy a sign of anything
		case errors.Is(err, context.DeadlineExceeded):
			if late++; late < 3 {
				continue
			}
		}
		err = fmt.Errorf("ask the database whether it is there: %w", err)
		if db.lost(err) == nil {
			db.log.Error("database lost", "error", err)
		}
	}
}
