package backing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"shoplab/exectest"
)

func TestPostgresAnswersAndLeavesNothing(t *testing.T) {
	tmp := exectest.ShortTemp(t)
	pg, err := StartPostgres(t.Context(), PostgresOptions{
		MaxConnections: 12, Settings: map[string]string{"work_mem": "5MB"},
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"max_connections": "12", "work_mem": "5MB", "fsync": "off", "is_superuser": "off", "server_encoding": "UTF8",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
	if _, err := conn.Exec(t.Context(), "CREATE EXTENSION pg_trgm; CREATE TABLE t (i int)"); err != nil {
		t.Errorf("the shop's role in its own database: %v", err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := pg.Stop(); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if err := syscall.Kill(pg.Process().PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after Stop: %v, want it gone", pg.Process().PID(), err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

func TestPostgresKeepsSuperuserConnections(t *testing.T) {
	pg := start(t, PostgresOptions{MaxConnections: 6})
	var conns []*pgx.Conn
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(conns) < 3 { // a session of the start may still be ending, and takes a slot until it has
		conn, err := pgx.Connect(ctx, pg.URL())
		switch {
		case err == nil:
			conns = append(conns, conn)
		case ctx.Err() != nil || !full(err):
			t.Fatalf("the shop got %d connections of 6 (then: %v), want 3", len(conns), err)
		}
	}
	if conn, err := pgx.Connect(t.Context(), pg.URL()); !full(err) {
		t.Errorf("a fourth connection of 6: %v, %v; want it refused", conn, err)
	}
	admin, err := pgx.Connect(t.Context(), pg.AdminURL())
	if err != nil {
		t.Fatalf("the superuser is kept out: %v", err)
	}
	conns = append(conns, admin)
	for _, c := range conns {
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// full tells whether PostgreSQL refused a session for want of a free connection.
func full(err error) bool {
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && refusal.Code == "53300" // too_many_connections
}

func TestPostgresDatabasesAreSeparate(t *testing.T) {
	pg := start(t, PostgresOptions{})
	seen := map[string]bool{}
	for range 2 {
		url, err := pg.CreateDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE only_here (i int)"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
		seen[url] = true
	}
	if len(seen) != 2 {
		t.Errorf("URLs %v, want two", seen)
	}
}

func TestPostgresKeepsData(t *testing.T) {
	dir := filepath.Join(exectest.ShortTemp(t), "kept")
	for n, want := range []int{0, 1} {
		pg, err := StartPostgres(t.Context(), PostgresOptions{Dir: dir, Durable: true})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), pg.URL())
		if err != nil {
			t.Fatal(err)
		}
		var rows int
		var fsync string
		err = errors.Join(
			run(t.Context(), conn, "CREATE TABLE IF NOT EXISTS t (i int)"),
			conn.QueryRow(t.Context(), "SELECT count(*), current_setting('fsync') FROM t").Scan(&rows, &fsync),
			run(t.Context(), conn, "INSERT INTO t VALUES (1)"),
			conn.Close(t.Context()),
			pg.Stop(),
		)
		if err != nil || rows != want || fsync != "on" {
			t.Errorf("run %d: %d rows, fsync %s, %v; want %d rows, fsync on", n, rows, fsync, err, want)
		}
	}
}

func TestPostgresSaysWhyItFails(t *testing.T) {
	tmp := exectest.ShortTemp(t)
	_, err := StartPostgres(t.Context(), PostgresOptions{Settings: map[string]string{"shared_buffers": "lots"}})
	if err == nil || !strings.Contains(err.Error(), `"shared_buffers": "lots"`) {
		t.Errorf("error %v, want PostgreSQL's own words", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := StartPostgres(ctx, PostgresOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context canceled", err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left behind by failed starts: %v, %v", left, err)
	}
}

func TestPostgresRefusesFolderOutOfReach(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root starts PostgreSQL as another user")
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil { // #nosec G302
		t.Fatal(err)
	}
	_, err := StartPostgres(t.Context(), PostgresOptions{Dir: filepath.Join(closed, "data")})
	if err == nil || !strings.Contains(err.Error(), "may not enter "+closed) {
		t.Errorf("error %v, want the folder that is closed", err)
	}
}

func TestRedisComesBack(t *testing.T) {
	for _, builtin := range []bool{false, true} {
		t.Run(fmt.Sprintf("builtin=%v", builtin), func(t *testing.T) {
			exectest.ShortTemp(t)
			r, err := StartRedis(t.Context(), RedisOptions{Builtin: builtin})
			if err != nil {
				t.Fatal(err)
			}
			if !builtin && r.Kind() != "redis-server" {
				t.Log("redis-server is not installed (apt-get install redis-server): miniredis tested only")
			}
			opts, err := redis.ParseURL(r.URL())
			if err != nil {
				t.Fatal(err)
			}
			client := redis.NewClient(opts)
			defer func() {
				if err := errors.Join(client.Close(), r.Stop()); err != nil {
					t.Error(err)
				}
			}()
			if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Errorf("before the outage: %v", err)
			}
			if err := r.Halt(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := client.Ping(t.Context()).Err(); err == nil {
				t.Error("a halted Redis answers")
			}
			if err := r.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Errorf("after the outage: %v", err)
			}
		})
	}
}

func start(t *testing.T, o PostgresOptions) *Postgres {
	t.Helper()
	pg, err := StartPostgres(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	return pg
}

func run(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.Exec(ctx, sql)
	return err
}

func TestPgBouncerPools(t *testing.T) {
	pg := start(t, PostgresOptions{})
	for _, mode := range []string{"session", "transaction"} {
		b, err := StartPgBouncer(t.Context(), PgBouncerOptions{Postgres: pg, Mode: mode, PoolSize: 1})
		if errors.Is(err, ErrNoPgBouncer) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		// Two clients at once on one server connection: only transaction mode serves both.
		served := 0
		var conns []*pgx.Conn
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if conn, err := pgx.Connect(ctx, b.URL()); err == nil {
				conns = append(conns, conn)
				var one int
				if conn.QueryRow(ctx, "SELECT $1::int", 1).Scan(&one) == nil && one == 1 {
					served++
				}
			}
			cancel()
		}
		for _, c := range conns {
			_ = c.Close(t.Context()) // the second of session mode is broken by its time limit
		}
		if want := map[string]int{"session": 1, "transaction": 2}[mode]; served != want {
			t.Errorf("%s mode served %d clients, want %d", mode, served, want)
		}
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	}
}
