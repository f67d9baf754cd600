// Package postgres keeps the shop in PostgreSQL. Every call is one or two round trips, and every
// query is written by hand; docs/decisions/0010 says why.
package postgres

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/contract"
	"shoplab/service/shop"
)

// Config says how to reach the database.
type Config struct {
	// URL is a PostgreSQL connection URL. TLS is asked for there (sslmode=verify-full trusts the
	// system's authorities and Amazon RDS's, or only those in sslrootcert), and
	// default_query_exec_mode=exec for a pooler that keeps no prepared statements (PgBouncer in
	// transaction mode, before 1.21 or without max_prepared_statements).
	URL string
	// MaxConns is the size of the pool. Zero means pgxpool's default: 4, or the number of CPUs.
	MaxConns int
	// AcquireTimeout is how long a call waits for a connection before it gives up with
	// shop.CodeOverloaded: until one of the pool is free, or a database that restarts is back. Zero
	// means one second.
	AcquireTimeout time.Duration
	// StatementTimeout is how long a statement may run, waiting for locks included. Zero means five
	// seconds.
	StatementTimeout time.Duration
	// LockTimeout is how long a statement may wait for a lock. Zero means half a second.
	LockTimeout time.Duration
	// Log is told when the database goes away and comes back. nil means slog.Default().
	Log *slog.Logger
}

// DB is the shop in PostgreSQL: a shop.Catalog, Accounts, Sessions, Carts, Orders and
// Payments.
type DB struct {
	pool           *pgxpool.Pool
	trips          *roundTrips
	held           atomic.Int64 // nanoseconds that connections were used, until they were given back
	acquireTimeout time.Duration
	lockers        *lockers
	log            *slog.Logger
	trigram        atomic.Bool  // pg_trgm is there
	version        atomic.Int64 // of the schema that Migrate left; 0 before
	newer          bool         // the probe has said that the database's is newer
	down           atomic.Pointer[loss]
	again          chan struct{} // holds who tries to connect again
	stopProbe      context.CancelFunc
	probeDone      chan struct{}
}

var _ interface {
	shop.Catalog
	shop.Accounts
	shop.Sessions
	shop.Carts
	shop.Orders
	shop.Payments
} = (*DB)(nil)

// Open connects to the database and keeps an eye on it until Close.
func Open(ctx context.Context, c Config) (*DB, error) {
	pc, err := poolConfig(c)
	if err != nil {
		return nil, err
	}
	return openPool(ctx, c, pc)
}

func openPool(ctx context.Context, c Config, pc *pgxpool.Config) (*DB, error) {
	trips := &roundTrips{}
	if pc.ConnConfig.Tracer == nil { // tests bring their own
		pc.ConnConfig.Tracer = trips
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	probeCtx, stop := context.WithCancel(context.Background())
	db := &DB{
		pool:           pool,
		trips:          trips,
		acquireTimeout: cmp.Or(c.AcquireTimeout, time.Second),
		lockers:        newLockers(pc.MaxConns),
		log:            cmp.Or(c.Log, slog.Default()),
		again:          make(chan struct{}, 1),
		stopProbe:      stop,
		probeDone:      make(chan struct{}),
	}
	go db.probe(probeCtx)
	return db, nil
}

func poolConfig(c Config) (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("read the database URL: %w", err)
	}
	if err := trustRDS(pc.ConnConfig.TLSConfig); err != nil {
		return nil, err
	}
	if c.MaxConns > 0 {
		pc.MaxConns = int32(min(c.MaxConns, 10_000))
	}
	pc.ConnConfig.ConnectTimeout = cmp.Or(pc.ConnConfig.ConnectTimeout, 5*time.Second)
	pc.MaxConnLifetime, pc.MaxConnLifetimeJitter = 30*time.Minute, 5*time.Minute
	pc.MaxConnIdleTime = 5 * time.Minute
	pc.PingTimeout = 2 * time.Second
	pc.ShouldPing = suspect
	timeout := cmp.Or(c.StatementTimeout, 5*time.Second).Milliseconds()
	settings := fmt.Sprintf("SET statement_timeout = %d; SET idle_in_transaction_session_timeout = %d; SET lock_timeout "+
		"= %d",
		timeout, timeout, cmp.Or(c.LockTimeout, 500*time.Millisecond).Milliseconds())
	pc.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		// Not as startup parameters: PgBouncer refuses the ones it does not know.
		if err := conn.PgConn().Exec(ctx, settings).Close(); err != nil {
			return fmt.Errorf("set timeouts: %w", err)
		}
		return nil
	}
	return pc, nil
}

// trustRDS adds the authorities of Amazon RDS, which no system knows, where the server's certificate is
// checked and the URL does not say by which.
func trustRDS(c *tls.Config) error {
	if c == nil || c.InsecureSkipVerify || c.RootCAs != nil {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	roots, err := contract.RDSRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		pool.AddCert(root)
	}
	c.RootCAs = pool
	return nil
}

// Close waits for running calls and closes all connections.
func (db *DB) Close() {
	db.stopProbe()
	<-db.probeDone
	db.pool.Close()
}

// exec runs a statement that returns nothing.
func (db *DB) exec(ctx context.Context, what, query string, args ...any) error {
	return db.do(ctx, what, func(conn *pgxpool.Conn) error {
		_, err := conn.Exec(ctx, query, args...)
		return err
	})
}

// send runs a batch on a connection: one round trip, and one transaction unless it holds its own.
func (db *DB) send(ctx context.Context, what string, b *pgx.Batch) error {
	return db.do(ctx, what, func(conn *pgxpool.Conn) error { return conn.SendBatch(ctx, b).Close() })
}

// transient are the SQLSTATEs of what the database cannot do now, but may be able to do later.
var transient = []string{
	"57014",                   // query_canceled: statement_timeout
	"25P03",                   // idle_in_transaction_session_timeout
	"40P01",                   // deadlock_detected
	"55P03",                   // lock_not_available: lock_timeout
	"53300",                   // too_many_connections
	"57P01", "57P02", "57P03", // shutting down, starting up
	"25006", // read_only_sql_transaction: failed over
	// A table, a column or a function is missing: the database was emptied or replaced, and is migrated soon.
	"42P01", "42703", "42883",
}

// explain turns what the database cannot do now, or took too long for, into shop.CodeOverloaded, and
// says what failed. closed says that the connection is: it broke, or a call on it was given up.
func explain(what string, err error, closed bool) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*shop.Error](err); ok {
		return err
	}
	pgErr, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case errors.Is(err, context.Canceled): // the shopper has left
	case answered && slices.Contains(transient, pgErr.Code),
		!answered && (closed || errors.Is(err, context.DeadlineExceeded)):
		return overloaded(what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func overloaded(what string, err error) error {
	return &shop.Error{
		Code: shop.CodeOverloaded, Detail: "The shop is very busy. Try again in a moment.",
		Err: fmt.Errorf("%s: %w", what, err),
	}
}

// isCode tells whether err is PostgreSQL's, with this SQLSTATE.
func isCode(err error, code string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == code
}

func notFound(what string) error { return shop.Errorf(shop.CodeNotFound, "There is no such %s.", what) }
