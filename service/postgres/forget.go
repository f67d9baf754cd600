package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/service/shop"
)

// Forget drops, each hour until ctx is done, what guests left in their carts for shop.CartTTL and the sessions
// that have expired. What fails is logged, and tried again an hour later.
func (db *DB) Forget(ctx context.Context) {
	for {
		db.dropAll(ctx, "forget old guest carts", time.Now().Add(-shop.CartTTL), db.DropGuestCarts)
		db.dropAll(ctx, "forget expired sessions", time.Now(), db.DropSessions)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
		}
	}
}

// dropAll drops in batches, so that no transaction is long.
func (db *DB) dropAll(ctx context.Context, what string, before time.Time, drop func(context.Context, time.Time, int) (int, error)) {
	const batch = 1000
	for dropped := batch; dropped == batch; {
		var err error
		if dropped, err = drop(ctx, before, batch); err != nil && ctx.Err() == nil {
			db.log.Error(what, "error", err)
		}
	}
}

// drop runs a DELETE of what is older than before, and returns how many rows it took.
func (db *DB) drop(ctx context.Context, what, query string, before time.Time, limit int) (dropped int, err error) {
	err = db.do(ctx, what, func(conn *pgxpool.Conn) error {
		tag, err := conn.Exec(ctx, query, before, limit)
		dropped = int(tag.RowsAffected())
		return err
	})
	return dropped, err
}
