package postgres_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/lab/backing"
	"shoplab/service/postgres"
	"shoplab/service/shoptest"
)

// TestPgBouncer runs migrations, orders and payments through PgBouncer in transaction mode.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t)
	const poolSize = 3
	pooler, err := backing.StartPgBouncer(t.Context(), backing.PgBouncerOptions{
		Postgres: pg, Mode: "transaction", PoolSize: poolSize,
	})
	if errors.Is(err, backing.ErrNoPgBouncer) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, pooler.Stop) })

	// More instances than the pooler has connections migrate at once.
	var wg sync.WaitGroup
	var db *postgres.DB
	for range 2 * poolSize {
		db = open(t, postgres.Config{URL: pooler.URL(), MaxConns: 10, AcquireTimeout: patience})
		wg.Go(func() {
			if err := db.Migrate(t.Context()); err != nil {
				t.Errorf("migrate: %v", err)
			}
		})
	}
	wg.Wait()
	books, err := pgxpool.New(t.Context(), pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(books.Close)
	newStore := func(t *testing.T) shoptest.Backend {
		t.Helper()
		if _, err := books.Exec(t.Context(), "TRUNCATE products, users CASCADE", pgx.QueryExecModeExec); err != nil {
			t.Fatal(err)
		}
		return backend{db, books}
	}
	t.Run("Orders", func(t *testing.T) { shoptest.TestOrders(t, newStore) })
	t.Run("Payments", func(t *testing.T) { shoptest.TestPayments(t, newStore) })
}

func stop(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
