package redis

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"shoplab/lab/backing"
)

// events counts what a client observes.
type events struct {
	mu   sync.Mutex
	seen map[string]int
}

func (e *events) observe(event string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen == nil {
		e.seen = map[string]int{}
	}
	e.seen[event]++
}

func (e *events) count(event string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.seen[event]
}

// startRedis starts a throwaway Redis: redis-server where it is installed, else miniredis.
func startRedis(tb testing.TB) *backing.Redis {
	tb.Helper()
	r, err := backing.StartRedis(tb.Context(), backing.RedisOptions{Log: io.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Stop(); err != nil {
			tb.Errorf("stop redis: %v", err)
		}
	})
	return r
}

// open returns a client that is closed after the test, and what it observes. It is patient, so that
// a busy machine is not taken for a Redis that is down.
func open(tb testing.TB, url string) (*Client, *events) {
	tb.Helper()
	return openWith(tb, url, 5*time.Second)
}

func openWith(tb testing.TB, url string, timeout time.Duration) (*Client, *events) {
	tb.Helper()
	e := &events{}
	c, err := Open(url, Options{Log: slog.New(slog.DiscardHandler), Observe: e.observe, timeout: timeout})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c, e
}

// await waits until the condition holds.
func await(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestOpenRefusesABadURLWithoutShowingIt(t *testing.T) {
	for _, url := range []string{"", "redis.internal:6379", "redis://:hunter2@host:port", "http://:hunter2@host"} {
		_, err := Open(url, Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestOpenTakesTLSAndPassword(t *testing.T) {
	c, _ := open(t, "rediss://:auth-token-of-16@127.0.0.1:1/0")
	opt := c.rdb.Options()
	if opt.TLSConfig == nil || opt.TLSConfig.ServerName != "127.0.0.1" || opt.TLSConfig.InsecureSkipVerify ||
		opt.Password != "auth-token-of-16" {
		t.Errorf("TLS %+v, password %q", opt.TLSConfig, opt.Password)
	}
}

func TestClientNeedsNoRedisToStart(t *testing.T) {
	r := startRedis(t)
	if err := r.Halt(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, e := open(t, r.URL())
	if c.Up() {
		t.Error("a Redis that is not there is up")
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the client is up", c.Up)
	if e.count(ObservedUp) != 1 || e.count(ObservedDown) != 0 {
		t.Errorf("observed %v", e.seen)
	}
}

// TestClientStopsAskingAHungRedis has a server that takes connections and never answers.
func TestClientStopsAskingAHungRedis(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	c, e := openWith(t, "redis://"+silent.Addr().String(), commandTimeout)
	c.up.Store(true) // as if it had answered until now; the prober is still at its first ping
	for range tripAfter {
		began := time.Now()
		_, err := c.rdb.Get(t.Context(), "x").Result()
		c.report(t.Context(), err)
		if took := time.Since(began); err == nil || took > 10*commandTimeout {
			t.Errorf("%v after %v", err, took)
		}
	}
	if c.Up() || e.count(ObservedDown) != 1 || e.count(ObservedError) != tripAfter {
		t.Errorf("up = %v, observed %v", c.Up(), e.seen)
	}
}

func TestCallersWhoGiveUpDoNotTrip(t *testing.T) {
	c, e := open(t, startRedis(t).URL())
	await(t, "the client is up", c.Up)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * tripAfter {
		_, err := c.rdb.Get(ctx, "x").Result()
		if err == nil {
			t.Fatal("no error")
		}
		c.report(ctx, err)
	}
	if !c.Up() || e.count(ObservedError) != 0 {
		t.Errorf("up = %v, observed %v", c.Up(), e.seen)
	}
}

// TestRealRedisWithPassword needs the real server: its authentication is what is tested.
func TestRealRedisWithPassword(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not on PATH: install it (Debian: apt-get install redis-server)")
	}
	r := startRedis(t)
	admin, _ := open(t, r.URL())
	if err := admin.rdb.ConfigSet(t.Context(), "requirepass", "correct").Err(); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(r.URL(), "redis://")
	good, _ := open(t, fmt.Sprintf("redis://:correct@%s", address))
	await(t, "the client with the password is up", good.Up)
	bad, e := open(t, fmt.Sprintf("redis://:wrong@%s", address))
	ok, _ := NewLimiter(bad).Allow(t.Context(), "k", Limit{Rate: 1, Burst: 1, Period: time.Hour})
	if !ok || bad.Up() || e.count(ObservedUp) != 0 {
		t.Errorf("with the wrong password: allowed = %v, up = %v", ok, bad.Up())
	}
}
