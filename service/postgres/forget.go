package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/service/shop"
)

// Forget drops, each hour until ctx is done, what guests left in their carts for shop.CartTTL and the sessions
// that have expired. What fails is logged, and tried again an hour later.
func (db *DB) Forget(ctx context.Context) {
	for {
		if err := db.ForgetOnce(ctx); err != nil && ctx.Err() == nil {
			db.log.Error("forget what is old", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
		}
	}
}

// ForgetOnce drops it now.
func (db *DB) ForgetOnce(ctx context.Context) error {
	return errors.Join(
		dropAll(ctx, time.Now().Add(-shop.CartTTL), db.DropGuestCarts),
		dropAll(ctx, time.Now(), db.DropSessions),
	)
}

// dropAll drops in batches, so that no transaction is long.
func dropAll(ctx context.Context, before time.Time, drop func(context.Context, time.Time, int) (int, error)) error {
	const batch = 1000
	for {
		if dropped, err := drop(ctx, before, batch); err != nil || dropped < batch {
			return err
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
