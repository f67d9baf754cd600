package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the key of the advisory lock that migrations are made under.
const migrationLock = 0x73686f70 // "shop"

// Migrate brings the schema up to date. Many instances may call it at once: one works, the others
// wait for it. It uses two connections beside the pool's, for as long as it runs.
func (db *DB) Migrate(ctx context.Context) (err error) {
	config := db.pool.Config().ConnConfig
	sqlDB := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, sqlDB.Close()) }()

	lock, err := lockMigrations(ctx, sqlDB)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock(lock)) }()
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("find migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, sqlDB, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	var trigram bool
	err = lock.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')").Scan(&trigram)
	if err != nil {
		return fmt.Errorf("look for pg_trgm: %w", err)
	}
	db.trigram.Store(trigram)
	sources := provider.ListSources() // in the order of their versions
	db.version.Store(sources[len(sources)-1].Version)
	return nil
}

// lockMigrations waits until no other instance migrates. The lock belongs to an open transaction and
// not to a session, as goose's own does: it holds behind a pooler too, and ends with its connection.
// Who waits asks again and again with no transaction open, because behind a pooler each open one
// takes a connection that the one who works may need.
func lockMigrations(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	for {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return nil, fmt.Errorf("begin migrations: %w", err)
		}
		var locked bool
		err = tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock($1)", int64(migrationLock)).Scan(&locked)
		if err == nil && locked {
			return tx, nil
		}
		if err := errors.Join(err, unlock(tx)); err != nil {
			return nil, fmt.Errorf("lock migrations: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another instance to migrate: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func unlock(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("give the migration lock back: %w", err)
	}
	return nil
}
