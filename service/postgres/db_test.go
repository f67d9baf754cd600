package postgres_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"shoplab/lab/backing"
	"shoplab/service/postgres"
	"shoplab/service/shoptest"
)

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

// createDatabase makes an empty database and returns its URL with extra parameters.
func createDatabase(tb testing.TB, params string) string {
	tb.Helper()
	raw, err := server.CreateDatabase(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	u.RawQuery += params
	return u.String()
}

func open(tb testing.TB, c postgres.Config) *postgres.DB {
	tb.Helper()
	db, err := postgres.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(db.Close)
	return db
}

// openNew returns a migrated, empty database and its URL.
func openNew(tb testing.TB, params string) (*postgres.DB, string) {
	tb.Helper()
	u := createDatabase(tb, params)
	db := open(tb, postgres.Config{URL: u, MaxConns: 10, AcquireTimeout: postgresPatience})
	if err := db.Migrate(tb.Context()); err != nil {
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
	url string
}

func (b backend) StockAudit(ctx context.Context) (audit []shoptest.StockAudit, err error) {
	err = b.query(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT product_id, put_in, stock, held, sold FROM stock_audit ORDER BY product_id")
		if err != nil {
			return err
		}
		audit, err = pgx.CollectRows(rows, pgx.RowToStructByPos[shoptest.StockAudit])
		return err
	})
	return audit, err
}

func (b backend) MoneyAudit(ctx context.Context) (a shoptest.MoneyAudit, err error) {
	err = b.query(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT captured, paid, owed, refunded FROM money_audit").Scan(&a.Captured, &a.Paid, &a.Owed, &a.Refunded)
	})
	return a, err
}

func (b backend) query(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, b.url)
	if err != nil {
		return err
	}
	if err := do(conn); err != nil {
		return err
	}
	return conn.Close(ctx)
}
