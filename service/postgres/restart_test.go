package postgres_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"shoplab/service/postgres"
	"shoplab/service/shop"
)

// The sessions of the whole pool end between two calls, as when the database restarts. Each kind of call succeeds the
// first time after it.
func TestSessionsThatEndedFailNobody(t *testing.T) {
	serveTLS(t)
	for name, mode := range map[string]string{"in the clear": "disable", "TLS": "require"} {
		t.Run(name, func(t *testing.T) {
			_, u := openNew(t, "")
			u = strings.Replace(u, "sslmode=disable", "sslmode="+mode, 1)
			db := open(t, postgres.Config{URL: u, MaxConns: 4, AcquireTimeout: patience})
			p, err := db.PutProduct(t.Context(), shop.Product{Name: "p", Category: "c", PriceCents: 100, Stock: 100})
			if err != nil {
				t.Fatal(err)
			}
			user, err := db.CreateUser(t.Context(), shop.User{Email: "ada@example.com"})
			if err != nil {
				t.Fatal(err)
			}
			owner := shop.Owner{UserID: user.ID}
			for what, call := range map[string]func() error{
				"a read":        func() error { _, err := db.Product(t.Context(), p.ID); return err },
				"a write":       func() error { return db.SetPasswordHash(t.Context(), user.ID, "", "hash") },
				"a batch":       func() error { _, err := db.Cart(t.Context(), owner); return err },
				"a transaction": func() error { _, err := db.AddItem(t.Context(), owner, p.ID, 1); return err },
				"an event": func() error {
					_, err := db.ApplyEvent(t.Context(), shop.Event{ID: "e", IntentID: "nobody's", Type: shop.EventSucceeded})
					return err
				},
			} {
				endSessions(t, db, u)
				for n := range 4 { // as many as there were connections
					if err := call(); err != nil {
						t.Errorf("%s, call %d: %v", what, n+1, err)
					}
				}
			}
		})
	}
}

// endSessions has the pool make all its connections, and the server end them.
func endSessions(t *testing.T, db *postgres.DB, u string) {
	t.Helper()
	if err := db.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	parsed, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	admin := connect(t, server.AdminURL())
	var pids []int32
	if err := admin.QueryRow(t.Context(), "SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = $1",
		strings.TrimPrefix(parsed.Path, "/")).Scan(&pids); err != nil || len(pids) < 4 {
		t.Fatalf("sessions %v, %v; want the pool's", pids, err)
	}
	if _, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid",
		pids); err != nil {
		t.Fatal(err)
	}
	await(t, "the sessions have ended", func() bool {
		var left int
		err := admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1)", pids).Scan(&left)
		return err == nil && left == 0
	})
}

// Calls that come while the database restarts wait for it. Once it has been away for as long as a call may wait, none
// waits any more.
func TestARestartIsWaitedFor(t *testing.T) {
	t.Parallel()
	pg := startPostgres(t)
	db := open(t, postgres.Config{URL: pg.URL(), MaxConns: 4, AcquireTimeout: 10 * time.Minute})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := pg.Halt(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	const calls = 8
	before := db.Stat().NewConnsCount()
	answers := make(chan error, calls)
	for range calls {
		go func() {
			_, err := db.Product(t.Context(), 1)
			answers <- err
		}()
	}
	// Each connects once, and one of them again and again.
	await(t, "a call has connected again, or was answered", func() bool {
		return db.Stat().NewConnsCount() > before+2*calls || len(answers) > 0
	})
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range calls {
		if err := <-answers; shop.CodeOf(err) != shop.CodeNotFound {
			t.Errorf("during a restart: %v", err)
		}
	}

	hasty := open(t, postgres.Config{URL: pg.URL(), MaxConns: 4, AcquireTimeout: 500 * time.Millisecond})
	if err := pg.Halt(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	await(t, "a call that connects once and gives up", func() bool {
		before := hasty.Stat().NewConnsCount()
		if _, err := hasty.Product(t.Context(), 1); shop.CodeOf(err) != shop.CodeOverloaded {
			t.Errorf("without a database: %v", err)
		}
		// The probe connects too, once a second.
		return hasty.Ready(t.Context()) != nil && hasty.Stat().NewConnsCount() == before+1
	})
}
