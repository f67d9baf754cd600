package postgres_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/lab/backing"
	"shoplab/service/postgres"
	"shoplab/service/shoptest"
)

// patience is how long tests wait for a connection of the pool: hundreds ask at once on a busy machine.
const patience = time.Minute

// server is the PostgreSQL of this package's tests; each test has a database of its own in it.
var server *backing.Postgres

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	server, err = backing.StartPostgres(context.Background(), backing.PostgresOptions{MaxConnections: 200})
	if err != nil {
		fmt.Fprintln(os.Stderr, "these tests need PostgreSQL:", err)
		return 1
	}
	defer func() {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		}
	}()
	return m.Run()
}

// createDatabase makes a database like template, or an empty one for "", and returns its URL.
func createDatabase(tb testing.TB, template string) string {
	tb.Helper()
	u, err := url.Parse(server.URL())
	if err != nil {
		tb.Fatal(err)
	}
	name := "t_" + strings.ToLower(rand.Text())
	conn := connect(tb, server.AdminURL())
	_, err = conn.Exec(tb.Context(), fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE %s", name, u.User.Username(),
		cmp.Or(template, "template1")))
	if err != nil {
		tb.Fatal(err)
	}
	u.Path = name
	return u.String()
}

// migrated returns the name of a database that is migrated and empty, made once.
var migrated = sync.OnceValues(func() (string, error) {
	u, err := url.Parse(server.URL())
	if err != nil {
		return "", err
	}
	db, err := postgres.Open(context.Background(), postgres.Config{URL: u.String()})
	if err != nil {
		return "", err
	}
	defer db.Close()
	return strings.TrimPrefix(u.Path, "/"), db.Migrate(context.Background())
})

func open(tb testing.TB, c postgres.Config) *postgres.DB {
	tb.Helper()
	db, err := postgres.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db
}

// startPostgres starts a server of the test's own, which runs until its end.
func startPostgres(t *testing.T) *backing.Postgres {
	t.Helper()
	pg, err := backing.StartPostgres(t.Context(), backing.PostgresOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, pg.Stop) })
	return pg
}

// openNew returns a migrated, empty database and its URL, which has the extra parameters.
func openNew(tb testing.TB, params string) (*postgres.DB, string) {
	tb.Helper()
	template, err := migrated()
	if err != nil {
		tb.Fatal(err)
	}
	u := createDatabase(tb, template) + params
	db := open(tb, postgres.Config{URL: u, MaxConns: 10, AcquireTimeout: patience, LockTimeout: patience})
	if err := db.Migrate(tb.Context()); err != nil { // nothing to do, but to look for pg_trgm
		tb.Fatal(err)
	}
	return db, u
}

// connect opens a connection beside the pool's.
func connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return conn
}

// backend is a DB with its books.
type backend struct {
	*postgres.DB
	books *pgxpool.Pool
}

func newBackend(tb testing.TB, params string) backend {
	tb.Helper()
	db, url := openNew(tb, params)
	books, err := pgxpool.New(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(books.Close)
	return backend{db, books}
}

func (b backend) RemoveUser(ctx context.Context, id int64) error {
	_, err := b.books.Exec(ctx, "DELETE FROM users WHERE id = $1", id)
	return err
}

func (b backend) StockAudit(ctx context.Context) ([]shoptest.StockAudit, error) {
	rows, err := b.books.Query(ctx, "SELECT product_id, put_in, stock, held, sold FROM stock_audit ORDER BY product_id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[shoptest.StockAudit])
}

func (b backend) MoneyAudit(ctx context.Context) (a shoptest.MoneyAudit, err error) {
	err = b.books.QueryRow(ctx, "SELECT captured, paid, owed, refunded FROM money_audit").
		Scan(&a.Captured, &a.Paid, &a.Owed, &a.Refunded)
	return a, err
}
