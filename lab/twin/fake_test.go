package twin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shoplab/contract"
)

// TestMain makes this test binary the service as well: the twin starts it with the service's
// environment, and it is a small shop then. The tests of groups start it as a process to limit.
func TestMain(m *testing.M) {
	var err error
	switch task := os.Getenv(childTask); {
	case task != "":
		err = child(task)
	case os.Getenv(contract.EnvAddr) != "":
		err = fakeShop()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// fakeShop is ready once it has reached its database, and does what a path says: /burn uses CPU,
// /eat memory, /sick and /well turn its readiness, /die ends it. Everything else is its name.
func fakeShop() error {
	name := os.Getenv(contract.EnvInstance)
	if os.Getenv("FAIL") == name {
		return fmt.Errorf("%s cannot start today", name)
	}
	conn, err := pgx.Connect(context.Background(), os.Getenv(contract.EnvDatabaseURL))
	if err != nil {
		return err
	}
	if _, err := conn.Exec(context.Background(), "SELECT 1"); err != nil {
		return err
	}
	var sick atomic.Bool
	var eaten [][]byte
	mux := http.NewServeMux()
	mux.HandleFunc(contract.ReadyPath, func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/burn":
			for began := time.Now(); time.Since(began) < 400*time.Millisecond; {
			}
		case "/eat":
			b := make([]byte, 64<<20)
			for i := range b {
				b[i] = 1
			}
			eaten = append(eaten, b)
		case "/sick":
			sick.Store(true)
		case "/well":
			sick.Store(false)
		case "/die":
			fmt.Fprintln(os.Stderr, "my last words")
			os.Exit(3)
		}
		_, _ = io.WriteString(w, name)
	})
	server := http.Server{Addr: os.Getenv(contract.EnvAddr), Handler: mux, ReadHeaderTimeout: time.Second}
	return server.ListenAndServe()
}
