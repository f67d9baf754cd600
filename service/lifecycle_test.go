package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shoplab/contract"
	"shoplab/lab/backing"
)

// TestDrain: after the signal readiness fails first while requests are still answered, then those in
// flight finish, then the listener is closed.
func TestDrain(t *testing.T) {
	p := start(t, map[string]string{contract.EnvDrainDelay: "1s", contract.EnvHashConcurrency: "1"}).ready(t)
	login := func() (int, error) {
		a, err := (&shopper{url: p.url}).try("POST",
			"/api/auth/login", object{"email": "nobody@example.com", "password": "wrong password"})
		return a.status, err
	}
	p.stop()
	await(t, "failing readiness", func() bool {
		return status(t, p.url+contract.ReadyPath) == http.StatusServiceUnavailable
	})
	if got := status(t, p.url+"/api/products"); got != http.StatusOK {
		t.Errorf("products while draining: %d", got)
	}
	// Hashing takes turns, so that some of these are still waiting when the listener is closed.
	var inFlight sync.WaitGroup
	for range 10 {
		inFlight.Go(func() {
			// 503 is an answer too, where hashing is slow: what counts is that none is cut off.
			if got, err := login(); err != nil || got != http.StatusUnauthorized && got != http.StatusServiceUnavailable {
				t.Errorf("in flight: %d %v", got, err)
			}
		})
	}
	inFlight.Wait()
	await(t, "end", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			return true
		}
		_ = conn.Close()
		return false
	})
	if err := <-p.done; err != nil {
		t.Error(err)
	}
	close(p.done)
	await(t, "end of the database's connections", func() bool { // PostgreSQL's side of them ends a little later
		return query(t, p.database, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`) == 0
	})
}

// TestDatabaseComesLate: the service starts before its database, loses it, and finds it again.
func TestDatabaseComesLate(t *testing.T) {
	direct, err := database.CreateDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	gate := newGate(t, u.Host)
	u.Host = gate.addr
	p := start(t, map[string]string{contract.EnvDatabaseURL: u.String()})
	s := &shopper{url: p.url}
	if got := status(t, p.url+contract.LivePath); got != http.StatusOK {
		t.Errorf("alive without a database: %d", got)
	}
	if got := status(t, p.url+contract.ReadyPath); got != http.StatusServiceUnavailable {
		t.Errorf("ready without a database: %d", got)
	}
	if a := s.do(t, 503, "GET", "/api/products", nil); a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	gate.open(t)
	p.ready(t)
	s.do(t, 200, "GET", "/api/products", nil)
	gate.close()
	await(t, "failing readiness", func() bool {
		return status(t, p.url+contract.ReadyPath) == http.StatusServiceUnavailable
	})
	if got := status(t, p.url+contract.LivePath); got != http.StatusOK {
		t.Errorf("alive after losing the database: %d", got)
	}
	if a := s.do(t, 503, "POST", "/api/cart/items", object{"product_id": 1, "quantity": 1}); a.Code != "OVERLOADED" {
		t.Errorf("without its database: %s", a.body)
	}
	gate.open(t)
	p.ready(t)
	s.do(t, 200, "POST", "/api/cart/items", object{"product_id": 1, "quantity": 1})
}

// TestDatabaseEmptied: the database is replaced by an empty one while the service runs. No page answers 500, and
// the shop opens again by itself.
func TestDatabaseEmptied(t *testing.T) {
	u, err := database.CreateDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, map[string]string{contract.EnvDatabaseURL: u}).ready(t)
	conn, err := pgx.Connect(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.PgConn().Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public").Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "a shop with products", func() bool {
		// which no cache has
		res, err := shared.Get(fmt.Sprintf("%s/api/products?limit=1&q=t%d", p.url, time.Now().UnixNano()))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("%s: %s", res.Status, body)
		}
		return res.StatusCode == http.StatusOK
	})
	p.ready(t)
	(&shopper{url: p.url}).do(t, 200, "GET", "/api/products/1", nil)
}

// gate forwards connections to a server while it is open.
type gate struct {
	addr, target string
	mu           sync.Mutex
	listener     net.Listener
	conns        []net.Conn
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g := &gate{addr: l.Addr().String(), target: target}
	t.Cleanup(g.close)
	return g
}

func (g *gate) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	g.listener = l
	g.mu.Unlock()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", g.target)
			if err != nil {
				t.Error(err)
				return
			}
			g.mu.Lock()
			g.conns = append(g.conns, in, out)
			g.mu.Unlock()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
		}
	}()
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		_ = g.listener.Close()
	}
	for _, c := range g.conns {
		_ = c.Close()
	}
	g.listener, g.conns = nil, nil
}

// TestRedisOutage: with Redis gone the shop works on, and rate limits hold per instance.
func TestRedisOutage(t *testing.T) {
	r, err := backing.StartRedis(t.Context(), backing.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	p := start(t, map[string]string{contract.EnvRedisURL: r.URL(), contract.EnvRateLimit: "on"}).ready(t)
	up := func(want float64) func() bool {
		return func() bool { v, ok := p.metric(t, "shoplab_redis_up"); return ok && v == want }
	}
	await(t, "Redis", up(1))
	s := &shopper{url: p.url}
	s.register(t, "ada@example.com")
	product := query(t, p.database, "SELECT min(id) FROM products WHERE stock > 100")
	price := func() int64 {
		a := s.do(t, 200, "GET", fmt.Sprintf("/api/products/%d", product), nil)
		var cents int64
		if _, err := fmt.Sscanf(string(a.body[strings.Index(string(a.body), `"price_cents":`):]),
			`"price_cents":%d`, &cents); err != nil {
			t.Fatal(err)
		}
		return cents
	}
	raise := func(to int64) {
		query(t, p.database, "UPDATE products SET price_cents = $2 WHERE id = $1 RETURNING id", product, to)
		changed := time.Now()
		for price() != to {
			if time.Since(changed) > 2*time.Second {
				t.Fatalf("the old price is shown after %s", time.Since(changed))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	raise(price() + 100)

	if err := r.Halt(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		began := time.Now()
		s.do(t, 200, "GET", fmt.Sprintf("/api/products?limit=%d", i+1), nil)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("products without Redis took %s", took)
		}
	}
	await(t, "notice of the outage", up(0))
	raise(price() + 100)
	s.order(t, product, 1)
	var refused atomic.Int64
	var guessing sync.WaitGroup
	for range 40 { // the limit of an account is ten at once
		guessing.Go(func() {
			a, err := s.try("POST", "/api/auth/login", object{"email": "eve@example.com", "password": "wrong password"})
			if err != nil {
				t.Error(err)
			}
			if a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") != "" {
				refused.Add(1)
			}
		})
	}
	guessing.Wait()
	if refused.Load() == 0 {
		t.Error("no rate limit without Redis")
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "Redis again", up(1))
	raise(price() + 100)
}

// TestPoolExhausted: waiting for a database connection is bounded, then 503 with Retry-After.
func TestPoolExhausted(t *testing.T) {
	p := start(t, map[string]string{
		contract.EnvDatabaseMaxConns: "2", contract.EnvDatabaseAcquireTimeout: "300ms",
	}).ready(t)
	s := &shopper{url: p.url}
	s.register(t, "ada@example.com")
	conn, err := pgx.Connect(t.Context(), p.database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE cart_items"); err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			began := time.Now()
			a, err := s.try("GET", "/api/cart", nil)
			if err != nil || a.status != http.StatusServiceUnavailable || a.Code != "OVERLOADED" ||
				a.header.Get("Retry-After") == "" {
				t.Errorf("%d %s %v, want 503", a.status, a.body, err)
			}
			if took := time.Since(began); took > 9*time.Second {
				t.Errorf("503 took %s", took)
			}
		})
	}
	asking.Wait()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "recovery", func() bool {
		a, err := s.try("GET", "/api/cart", nil)
		return err == nil && a.status == http.StatusOK
	})
	if v, ok := p.metric(t, "shoplab_db_pool_canceled_acquires_total"); !ok || v < 1 {
		t.Errorf("shoplab_db_pool_canceled_acquires_total is %v", v)
	}
}

func TestHealthcheck(t *testing.T) {
	p := start(t, nil).ready(t)
	check := func(addr string) error {
		return run(t.Context(), []string{"healthcheck"}, func(name string) string {
			return map[string]string{contract.EnvAddr: addr}[name]
		}, io.Discard)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(p.url, "http://"), ":")
	for _, addr := range []string{":" + port, "0.0.0.0:" + port, "127.0.0.1:" + port} {
		if err := check(addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if err := check("127.0.0.1:1"); err == nil {
		t.Error("nobody listens, and yet all is well")
	}
	if err := check("nonsense"); err == nil {
		t.Error("an address that is none, and yet all is well")
	}
	none := func(string) string { return "" }
	if err := run(t.Context(), []string{"serv"}, none, io.Discard); !errors.Is(err, errUsage) {
		t.Errorf("an unknown command: %v", err)
	}
}
