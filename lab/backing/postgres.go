// Package backing starts what the shop stands on, PostgreSQL and Redis, on this machine for one run
// or one test: real programs where they are installed, on free ports of the loopback interface, and
// gone when they are stopped.
package backing

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"shoplab/lab/process"
)

const (
	superuser = "postgres"
	owner     = "shop" // the role the shop signs in with, and the name of its database
)

// PostgresOptions say how to start PostgreSQL. The zero value is a server for tests.
type PostgresOptions struct {
	// Dir keeps the data between runs. Empty means a temporary folder that Stop removes.
	Dir string
	// MaxConnections is max_connections, of which PostgreSQL keeps three for superusers.
	// Zero means 100.
	MaxConnections int
	// Durable keeps PostgreSQL's durability settings. Without it fsync, full_page_writes and
	// synchronous_commit are off: right for tests, wrong for anything that is measured.
	Durable bool
	// Settings go to the server by name, such as "shared_buffers": "256MB".
	Settings map[string]string
	// Log gets the server's log; nil drops it (errors still carry the last lines).
	Log io.Writer
	// Enter is called with the server's process id as soon as it exists, to put it into a control
	// group before it starts its own processes.
	Enter func(pid int) error
}

// Postgres is a running PostgreSQL server.
type Postgres struct {
	opts     PostgresOptions
	bin      string
	user     *process.User // nil: the lab's own
	tmp      *process.TempDir
	dir      string // holds "data" and "password"
	port     int
	password string
	proc     *process.Process
}

// StartPostgres starts a server and waits until it answers. It holds a database "shop" owned by a
// role of the same name, which is no superuser, as on RDS. As root, the server runs as the user
// postgres or nobody, because PostgreSQL refuses to run as root.
func StartPostgres(ctx context.Context, o PostgresOptions) (_ *Postgres, err error) {
	p := &Postgres{opts: o}
	p.bin, err = postgresBinaries(os.Getenv, distributions, func() (string, error) {
		cache, err := cacheDir()
		if err != nil {
			return "", err
		}
		return downloadPostgres(mavenCentral, cache, cmp.Or[io.Writer](o.Log, io.Discard))
	})
	if err != nil {
		return nil, err
	}
	if p.user, err = process.Unprivileged(); err != nil {
		return nil, err
	}
	if p.tmp, err = process.NewTempDir("postgres"); err != nil {
		return nil, err
	}
	if err := p.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), p.Stop())
	}
	return p, nil
}

func (p *Postgres) start(ctx context.Context) (err error) {
	if err := p.prepareDir(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(p.dir, "data", "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		if err := p.initdb(ctx); err != nil {
			return err
		}
	}
	password, err := os.ReadFile(filepath.Join(p.dir, "password"))
	if err != nil {
		return fmt.Errorf("read the data folder's password: %w", err)
	}
	p.password = string(bytes.TrimSpace(password))
	if p.port, err = process.FreePort(); err != nil { // just before it is used: initdb takes seconds
		return err
	}
	if err := p.Start(ctx); err != nil {
		return err
	}
	return p.createOwner(ctx)
}

// Start starts a server that Halt ended again, on the same port and data, and waits until it answers.
func (p *Postgres) Start(ctx context.Context) (err error) {
	p.proc, err = process.Start(process.Spec{
		Name: "postgres", Path: filepath.Join(p.bin, "postgres"), Args: p.args(), Dir: p.tmp.Path,
		User: p.user, Log: p.opts.Log, Enter: p.opts.Enter,
		StopSignal: syscall.SIGINT, // "fast": ends the sessions, then writes a checkpoint
	})
	if err != nil {
		return err
	}
	return await(ctx, p.proc, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, p.AdminURL())
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// Halt ends the server so that Start can bring it back: as a restart does, or immediately, as a crash, after which it
// recovers from its log.
func (p *Postgres) Halt(ctx context.Context, immediate bool) error {
	if !immediate {
		return p.proc.Stop(ctx)
	}
	if err := p.proc.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	select {
	case <-p.proc.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("end PostgreSQL immediately: %w", ctx.Err())
	}
}

// prepareDir decides where the data lies and gives it to the server's user.
func (p *Postgres) prepareDir() error {
	p.dir = p.tmp.Path
	if p.opts.Dir != "" {
		dir, err := filepath.Abs(p.opts.Dir)
		if err != nil {
			return fmt.Errorf("find the data folder: %w", err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- the server's user passes through
			return fmt.Errorf("make the data folder: %w", err)
		}
		if err := process.CheckPassable(dir, p.user); err != nil {
			return err
		}
		p.dir = filepath.Join(dir, "postgres")
		if err := os.MkdirAll(p.dir, 0o700); err != nil {
			return fmt.Errorf("make the data folder: %w", err)
		}
	}
	return errors.Join(p.user.Own(p.tmp.Path), p.user.Own(p.dir))
}

func (p *Postgres) initdb(ctx context.Context) error {
	file := filepath.Join(p.dir, "password")
	if err := os.WriteFile(file, []byte(rand.Text()+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the password: %w", err)
	}
	if err := p.user.Own(file); err != nil {
		return err
	}
	args := []string{
		"-D", filepath.Join(p.dir, "data"), "-U", superuser, "-E", "UTF8", "--locale=C",
		"--auth=scram-sha-256", "--pwfile=" + file,
	}
	if !p.opts.Durable || p.opts.Dir == "" {
		args = append(args, "--no-sync") // an empty database is not worth waiting for the disk
	}
	proc, err := process.Start(process.Spec{
		Name: "initdb", Path: filepath.Join(p.bin, "initdb"), Args: args, Dir: p.tmp.Path, User: p.user, Log: p.opts.Log,
	})
	if err != nil {
		return err
	}
	select {
	case <-proc.Done():
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("initdb: %w", ctx.Err()), proc.Stop(context.WithoutCancel(ctx)))
	}
	if _, err := os.Stat(filepath.Join(p.dir, "data", "PG_VERSION")); err != nil || !proc.Succeeded() {
		return proc.Err()
	}
	return nil
}

func (p *Postgres) args() []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(p.port),
		"unix_socket_directories": p.tmp.Path,
		"max_connections":         strconv.Itoa(cmp.Or(p.opts.MaxConnections, 100)),
		"log_timezone":            "UTC",
		"timezone":                "UTC",
	}
	if !p.opts.Durable {
		settings["fsync"], settings["full_page_writes"], settings["synchronous_commit"] = "off", "off", "off"
	}
	for k, v := range p.opts.Settings {
		settings[k] = v
	}
	args := []string{"-D", filepath.Join(p.dir, "data")}
	for k, v := range settings {
		args = append(args, "-c", k+"="+v)
	}
	return args
}

// createOwner makes the shop's role and database unless an earlier run did.
func (p *Postgres) createOwner(ctx context.Context) error {
	return p.admin(ctx, func(conn *pgx.Conn) error {
		var exists bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)",
			owner).Scan(&exists); err != nil || exists {
			return err
		}
		// rand.Text is letters and digits only: nothing to quote.
		for _, q := range []string{
			fmt.Sprintf("DO $$ BEGIN CREATE ROLE %s LOGIN PASSWORD '%s'; EXCEPTION WHEN duplicate_object THEN END $$", owner,
				p.password),
			fmt.Sprintf("CREATE DATABASE %s OWNER %s", owner, owner),
		} {
			if _, err := conn.Exec(ctx, q); err != nil {
				return fmt.Errorf("create the shop's database: %w", err)
			}
		}
		return nil
	})
}

func (p *Postgres) admin(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, p.AdminURL())
	if err != nil {
		return fmt.Errorf("sign in to PostgreSQL: %w", err)
	}
	return errors.Join(do(conn), conn.Close(ctx))
}

// CreateDatabase makes an empty database of the shop's role and returns its URL.
func (p *Postgres) CreateDatabase(ctx context.Context) (string, error) {
	name := "t_" + strings.ToLower(rand.Text())
	err := p.admin(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s", name, owner))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("create a database: %w", err)
	}
	return p.url(owner, name), nil
}

// URL is the shop's connection string; the role is no superuser.
func (p *Postgres) URL() string { return p.url(owner, owner) }

// AdminURL signs in as superuser to the shop's server, through the connections that PostgreSQL
// keeps for superusers when all others are taken.
func (p *Postgres) AdminURL() string { return p.url(superuser, superuser) }

// AuditURL is AdminURL for the shop's own database.
func (p *Postgres) AuditURL() string { return p.url(superuser, owner) }

func (p *Postgres) url(user, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, p.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Process is the server's first process; its children serve the connections.
func (p *Postgres) Process() *process.Process { return p.proc }

// Version is such as "PostgreSQL 15.10"; without a number if the server does not say.
func (p *Postgres) Version() string {
	out, _ := exec.Command(filepath.Join(p.bin, "postgres"), "--version").Output() // #nosec G204 -- found above
	if words := strings.Fields(string(out)); len(words) > 2 {
		return "PostgreSQL " + words[2] // "postgres (PostgreSQL) 15.10 (Debian ...)"
	}
	return "PostgreSQL"
}

// Stop ends the sessions and the server and removes the temporary folder.
func (p *Postgres) Stop() error { return p.Shutdown(context.Background()) }

// Shutdown is Stop that kills the server when ctx ends.
func (p *Postgres) Shutdown(ctx context.Context) error {
	var err error
	if p.proc != nil {
		err = p.proc.Stop(ctx)
	}
	return errors.Join(err, p.tmp.Remove())
}
