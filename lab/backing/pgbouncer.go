package backing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"shoplab/lab/process"
)

// PgBouncerOptions say how to pool.
type PgBouncerOptions struct {
	Postgres *Postgres
	Mode     string // "session" or "transaction"
	PoolSize int    // connections to PostgreSQL at most
	Log      io.Writer
	Enter    func(pid int) error // see process.Spec
}

// PgBouncer is a running connection pooler.
type PgBouncer struct {
	url  string
	tmp  *process.TempDir
	proc *process.Process
}

// ErrNoPgBouncer says that pgbouncer is not installed.
var ErrNoPgBouncer = errors.New("pgbouncer is not installed (Debian and Ubuntu: apt-get install pgbouncer; macOS: " +
	"brew install pgbouncer)")

// StartPgBouncer starts pgbouncer from PATH in front of the shop's database and waits until it
// passes a query on.
func StartPgBouncer(ctx context.Context, o PgBouncerOptions) (_ *PgBouncer, err error) {
	path, err := process.LookPath("pgbouncer")
	if err != nil {
		return nil, ErrNoPgBouncer
	}
	b := &PgBouncer{}
	if b.tmp, err = process.NewTempDir("pgbouncer"); err != nil {
		return nil, err
	}
	if err := b.start(ctx, path, o); err != nil {
		return nil, errors.Join(fmt.Errorf("start PgBouncer: %w", err), b.Shutdown(context.WithoutCancel(ctx)))
	}
	return b, nil
}

func (b *PgBouncer) start(ctx context.Context, path string, o PgBouncerOptions) error {
	user, err := process.Unprivileged()
	if err != nil {
		return err
	}
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	query := url.Values{"sslmode": {"disable"}}
	if o.Mode == "transaction" {
		// Two transactions of a client may meet different server connections, and PgBouncer knows
		// prepared statements only from 1.21 on: so let pgx do without named ones.
		query.Set("default_query_exec_mode", "exec")
	}
	password := o.Postgres.password
	files := map[string]string{
		"users.txt": fmt.Sprintf("%q %q\n", owner, password),
		"pgbouncer.ini": fmt.Sprintf(`[databases]
%s = host=127.0.0.1 port=%d dbname=%s user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = %s
default_pool_size = %d
max_client_conn = 2000
ignore_startup_parameters = %s
log_connections = 0
log_disconnections = 0
`, owner, o.Postgres.port, owner, owner, password, port, filepath.Join(b.tmp.Path, "users.txt"), o.Mode, o.PoolSize,
			"extra_float_digits,statement_timeout,lock_timeout,idle_in_transaction_session_timeout,options"),
	}
	for name, text := range files {
		file := filepath.Join(b.tmp.Path, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write its configuration: %w", err)
		}
		if err := user.Own(file); err != nil {
			return err
		}
	}
	b.url = (&url.URL{
		Scheme: "postgres", User: url.UserPassword(owner, password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: owner, RawQuery: query.Encode(),
	}).String()
	b.proc, err = process.Start(process.Spec{
		Name: "pgbouncer", Path: path, Args: []string{filepath.Join(b.tmp.Path, "pgbouncer.ini")}, User: user,
		Log: o.Log, Enter: o.Enter, StopSignal: syscall.SIGQUIT, // at once; SIGTERM waits for the clients
	})
	if err != nil {
		return err
	}
	return await(ctx, b.proc, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, b.url)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// await tries until it succeeds, the process ends, or a minute is over.
func await(ctx context.Context, p *process.Process, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.Done():
			return p.Err()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; last attempt: %w", p.Name(), ctx.Err(), err)
		}
	}
}

// URL is the shop's connection string through the pooler.
func (b *PgBouncer) URL() string { return b.url }

// Process is the pooler's process.
func (b *PgBouncer) Process() *process.Process { return b.proc }

// Stop ends the pooler at once and removes its folder.
func (b *PgBouncer) Stop() error { return b.Shutdown(context.Background()) }

// Shutdown is Stop that kills the pooler when ctx ends.
func (b *PgBouncer) Shutdown(ctx context.Context) error {
	var err error
	if b.proc != nil {
		err = b.proc.Stop(ctx)
	}
	return errors.Join(err, b.tmp.Remove())
}
