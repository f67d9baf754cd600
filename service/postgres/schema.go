package postgres

import (
	"context"
	"fmt"
	"time"
)

// schemaVersion is the version of the newest migration in the database; it fails where a table is missing. Of the
// tables it reads but goose's, which has a row for each migration.
const schemaVersion = `
	SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE NOT EXISTS (
		SELECT FROM products, users, cart_items, orders, order_items, payments, payment_events, returns, sessions, seeds
		WHERE false
	)`

// restoreAttempt bounds one try to migrate a database that lost its schema, and the wait for another instance's.
const restoreAttempt = 2 * time.Minute

// staleSchema is the error of a database that lacks migrations: one that was replaced by an empty one, emptied, or
// restored from before an update.
type staleSchema struct{ version, want int64 }

func (e *staleSchema) Error() string {
	return fmt.Sprintf("the database has version %d of the shop's schema, not %d, or lacks a table of it", e.version,
		e.want)
}

// look asks the database whether it is there, and once this instance has migrated it, for the schema. A newer
// schema is none of its business: a newer instance has migrated, and this one serves until it is replaced.
func (db *DB) look(ctx context.Context) error {
	want := db.version.Load()
	if want == 0 {
		return db.pool.Ping(ctx)
	}
	var version int64
	err := db.pool.QueryRow(ctx, schemaVersion).Scan(&version)
	switch {
	case isCode(err, "42P01"): // undefined_table
		return &staleSchema{want: want}
	case err != nil:
		return err
	case version < want:
		return &staleSchema{version: version, want: want}
	case version > want && !db.newer:
		db.log.Warn("the database's schema is newer than this instance", "version", version, "own", want)
	}
	db.newer = version > want
	return nil
}

// restore takes the instance away and brings the schema up to date, as at a start; the next look says whether that
// helped. It fails where migrations find something else than the schema.
func (db *DB) restore(ctx context.Context, stale *staleSchema) {
	if db.down.Load() == nil {
		db.lose(stale)
	}
	ctx, cancel := context.WithTimeout(ctx, restoreAttempt)
	defer cancel()
	err := db.Migrate(ctx)
	if err == nil {
		err = db.Seed(ctx)
	}
	if err != nil && ctx.Err() == nil {
		db.lose(fmt.Errorf("%w; migrating it again: %w", stale, err))
	}
}

// lose makes Ready return err, and logs it unless that was said last.
func (db *DB) lose(err error) {
	if before := db.lost(err); before == nil || before.Error() != err.Error() {
		db.log.Error("database lost", "error", err)
	}
}
