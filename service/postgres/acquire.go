package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// do runs fn on a connection. It waits at most the acquire timeout for one, and runs fn once: nobody knows whether a
// statement was executed when its connection breaks.
func (db *DB) do(ctx context.Context, what string, fn func(*pgxpool.Conn) error) error {
	acquireCtx, cancel := context.WithTimeout(ctx, db.acquireTimeout)
	conn, err := db.acquire(acquireCtx)
	cancel()
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return overloaded(what, err)
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	taken := time.Now()
	defer func() {
		conn.Release()
		db.held.Add(int64(time.Since(taken)))
	}()
	err = fn(conn)
	return explain(what, err, conn.Conn().IsClosed())
}

// againPause is how long who waits for the database waits before it connects again.
const againPause = 50 * time.Millisecond

// acquire returns a connection of the pool. While nobody serves the database it connects again and again until ctx is
// done, for a restart is often over sooner. It does not where the database has been lost for as long as the acquire
// timeout already: everybody would wait in vain then. One caller at a time connects again, which is as good as all, and
// no storm on a database that starts.
func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := db.pool.Acquire(ctx)
	if !unserved(err) || db.lostForLong(db.acquireTimeout) {
		return conn, err
	}
	select {
	case db.again <- struct{}{}:
		defer func() { <-db.again }()
	case <-ctx.Done():
		return nil, err
	}
	for {
		if conn, err = db.pool.Acquire(ctx); !unserved(err) {
			return conn, err
		}
		select {
		case <-time.After(againPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// unserved says whether an error of a new connection is that nobody serves the database at this moment: nobody
// listens, who listened has gone, or the server starts or stops.
func unserved(err error) bool {
	if pgErr, answered := errors.AsType[*pgconn.PgError](err); answered {
		return slices.Contains([]string{"57P01", "57P02", "57P03"}, pgErr.Code)
	}
	gone := []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF}
	return slices.ContainsFunc(gone, func(one error) bool { return errors.Is(err, one) })
}

// suspect says whether a connection of the pool is asked whether it is alive before it is used: when nobody has used
// it for a second, which is pgx's own rule, or when the server has said something meanwhile. That is mostly that it
// ended the session. A statement that is sent then fails without a sign of whether it was executed.
func suspect(_ context.Context, p pgxpool.ShouldPingParams) bool {
	return p.IdleDuration > time.Second || unread(p.Conn)
}

// unread says whether there is something to read on a connection, its end included. It neither waits nor takes
// anything away, and asks nobody. Raw access is by Control: Read would wait for pgx, which may read in the background.
func unread(c *pgx.Conn) bool {
	conn := c.PgConn().Conn()
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	var peeked error
	err = raw.Control(func(fd uintptr) { // Go's sockets do not block
		_, _, peeked = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
	})
	return err != nil || !errors.Is(peeked, syscall.EAGAIN)
}
