package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

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

	// The lock belongs to an open transaction, not to a session as goose's own: it holds behind a
	// pooler too, wakes the next one at once, and cannot outlive its connection.
	lock, err := sqlDB.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin migrations: %w", err)
	}
	defer func() { err = errors.Join(err, unlock(lock)) }()
	if _, err := lock.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("wait for other migrations: %w", err)
	}
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
	return nil
}

func unlock(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("give the migration lock back: %w", err)
	}
	return nil
}
