package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"shoplab/service/api" //nolint:depguard // the benchmark is of both together
	"shoplab/service/postgres"
	"shoplab/service/shop"
)

const (
	ceilingClients = 8
	ceilingRound   = 3 * time.Second
	firstUser      = 1_000_000 // numbers that stand for nothing else in a statement
	firstOrder     = 5_000_000
	ceilingKey     = "a key of sessions with 32 bytes."
)

// BenchmarkPurchaseOverHTTP orders, starts the payment and sends the webhook that says it is paid, over HTTP by the
// shop's real handlers; the cart of two products is filled before by a call, not over HTTP. The ceiling is
// pgbench, which sends the same statements, the cart's included, recorded from one such purchase, to the same
// database, with as many clients, and one statement more to learn the order's id. Clients and shop share this
// machine's CPUs with PostgreSQL. Three rounds each by turns; what counts is the ratio of the medians. On 2026-11-27,
// two quiet CPUs, three runs gave 0.58, 0.64 and 0.69.
//
//	go test ./service/postgres -run xxx -bench PurchaseOverHTTP -benchtime 1x
func BenchmarkPurchaseOverHTTP(b *testing.B) {
	pgbench, err := exec.LookPath("pgbench")
	if err != nil {
		b.Skip("no pgbench on PATH; Debian: apt-get install postgresql-contrib or postgresql")
	}
	db, url := benchShop(b)
	conn := connect(b, url)
	if err := conn.PgConn().Exec(b.Context(), fmt.Sprintf(`
		UPDATE products SET stock = 100000000, put_in = 100000000;
		ALTER SEQUENCE users_id_seq RESTART %d; ALTER SEQUENCE orders_id_seq RESTART %d;`, firstUser,
		firstOrder)).Close(); err != nil {
		b.Fatal(err)
	}
	for i := range ceilingClients {
		u, err := db.CreateUser(b.Context(), shop.User{Email: fmt.Sprintf("%d@example.com", i)})
		if err == nil {
			err = db.StartSession(b.Context(), shop.Session{
				ID: fmt.Sprint("session-", u.ID), UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour),
			})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	script := recordPurchase(b, url)
	shopURL := serveShop(b, db)
	var overHTTP, bare []float64
	for range 3 {
		overHTTP = append(overHTTP, purchasesOverHTTP(b, db, shopURL))
		before := paidOrders(b, conn)
		bare = append(bare, runPgbench(b, pgbench, url, script))
		if paid := paidOrders(b, conn) - before; paid < int(bare[len(bare)-1]*ceilingRound.Seconds()/2) {
			b.Fatalf("pgbench paid for %d orders, by its own account at %.0f a second", paid, bare[len(bare)-1])
		}
	}
	slices.Sort(overHTTP)
	slices.Sort(bare)
	for b.Loop() { // measured above, by turns
	}
	b.ReportMetric(overHTTP[1], "purchases/s")
	b.ReportMetric(bare[1], "pgbench/s")
	b.ReportMetric(overHTTP[1]/bare[1], "ratio")
	b.ReportMetric(0, "ns/op")
}

func paidOrders(b *testing.B, conn *pgx.Conn) (n int) {
	b.Helper()
	if err := conn.QueryRow(b.Context(), "SELECT count(*) FROM orders WHERE status = 'paid'").Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// unsigned is a gateway that asks nobody.
type unsigned struct{ shop.Gateway }

func (unsigned) CreateIntent(_ context.Context, o shop.Order) (shop.Payment, error) {
	return shop.Payment{
		OrderID: o.ID, IntentID: fmt.Sprint("pi_", o.ID), ClientSecret: "secret", AmountCents: o.TotalCents,
		Currency: shop.Currency,
	}, nil
}

func (unsigned) ParseEvent(body []byte, _ string) (e shop.Event, err error) {
	return e, json.Unmarshal(body, &e)
}

// serveShop serves the shop on a loopback port, and returns its URL.
func serveShop(b *testing.B, db *postgres.DB) string {
	b.Helper()
	cashier := shop.NewCashier(db, db, unsigned{})
	cashier.Log = slog.New(slog.DiscardHandler)
	server, err := api.New(api.Config{
		SessionKeys: [][]byte{[]byte(ceilingKey)}, OrderHold: time.Minute, HoldLimits: shop.DefaultHoldLimits,
		Log: cashier.Log, Metrics: api.NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		b.Fatal(err)
	}
	server.Open(api.Shop{
		Catalog: db, Accounts: db, Sessions: db, Carts: db, Orders: db, Cashier: cashier, Hasher: shop.NewHasher(1),
		Ready: db.Ready,
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	b.Cleanup(func() {
		if err := errors.Join(server.App().ShutdownWithTimeout(5*time.Second), <-done); err != nil {
			b.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// purchasesOverHTTP is how many purchases a second the shop takes.
func purchasesOverHTTP(b *testing.B, db *postgres.DB, url string) float64 {
	b.Helper()
	var bought atomic.Int64
	var buyers sync.WaitGroup
	began := time.Now()
	for i := range int64(ceilingClients) {
		buyer := newBuyer(b, db, url, firstUser+i)
		buyers.Go(func() {
			for time.Since(began) < ceilingRound {
				if err := buyer.buy(b.Context(), rand.Int64N(25)+1, rand.Int64N(25)+26,
					strconv.FormatInt(rand.Int64(), 10)); err != nil {
					b.Error(err)
					return
				}
				bought.Add(1)
			}
		})
	}
	buyers.Wait()
	return float64(bought.Load()) / time.Since(began).Seconds()
}

// buyer is a program that is signed in.
type buyer struct {
	client     *fasthttp.Client
	db         *postgres.DB
	user       int64
	url, token string
}

func newBuyer(b *testing.B, db *postgres.DB, url string, user int64) *buyer {
	b.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: "shoplab", Audience: jwt.ClaimStrings{"session"}, ID: fmt.Sprint("session-", user), Subject: fmt.Sprint(user),
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).SignedString([]byte(ceilingKey))
	if err != nil {
		b.Fatal(err)
	}
	return &buyer{&fasthttp.Client{}, db, user, url, token}
}

func (p *buyer) post(path string, body any, key string) ([]byte, error) {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.Header.SetMethod("POST")
	req.SetRequestURI(p.url + path)
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Stripe-Signature", "none")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		req.Header.SetContentType("application/json")
		req.SetBody(encoded)
	}
	if err := p.client.Do(req, res); err != nil {
		return nil, err
	}
	if res.StatusCode() >= 300 {
		return nil, fmt.Errorf("POST %s: %d %s", path, res.StatusCode(), res.Body())
	}
	return bytes.Clone(res.Body()), nil
}

func (p *buyer) buy(ctx context.Context, first, second int64, key string) error {
	for _, product := range []int64{first, second} {
		if _, err := p.db.AddItem(ctx, shop.Owner{UserID: p.user}, product, 1); err != nil {
			return err
		}
	}
	var o api.Order
	body, err := p.post("/api/orders", nil, key)
	if err == nil {
		err = json.Unmarshal(body, &o)
	}
	if err != nil {
		return err
	}
	if _, err := p.post(fmt.Sprintf("/api/orders/%d/payment", o.ID), nil, ""); err != nil {
		return err
	}
	_, err = p.post("/api/webhooks/stripe", shop.Event{
		ID: fmt.Sprint("evt_", o.ID), Type: shop.EventSucceeded, IntentID: fmt.Sprint("pi_", o.ID), AmountCents: o.TotalCents,
		Currency: shop.Currency,
	}, "")
	return err
}

// script writes down what a connection sends, as a script of pgbench.
type script struct {
	mu       sync.Mutex
	lines    []string
	variable map[string]string // a value of the recorded purchase and what stands for it in others
	unknown  error
}

var parameter = regexp.MustCompile(`\$(\d+)`)

func (s *script) note(sql string, args []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// pgbench takes ":name" for a variable, but "::type" for what it is.
	text := parameter.ReplaceAllStringFunc(sql, func(p string) string {
		n, err := strconv.Atoi(p[1:])
		if err != nil || n > len(args) {
			s.unknown = fmt.Errorf("no argument %s of %s", p, sql)
			return p
		}
		return s.literal(args[n-1])
	})
	s.lines = append(s.lines, strings.Join(strings.Fields(text), " ")+";")
}

// literal is an argument in SQL.
func (s *script) literal(v any) string {
	switch n := v.(type) {
	case *int64:
		if n == nil {
			return "NULL"
		}
		v = *n
	case time.Time:
		v = n.Format(time.RFC3339Nano)
	}
	text := fmt.Sprint(v)
	if expression, ok := s.variable[text]; ok {
		return expression
	}
	switch v.(type) {
	case nil:
		return "NULL"
	case int, int32, int64, float64:
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

func (s *script) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	s.note(d.SQL, d.Args)
	return ctx
}

func (s *script) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *script) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	s.lines = append(s.lines, `\startpipeline`)
	return ctx
}

func (s *script) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	s.note(d.SQL, d.Args)
}

func (s *script) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {
	s.lines = append(s.lines, `\endpipeline`)
}

// recordPurchase returns the file of a script that buys like the first user just did.
func recordPurchase(b *testing.B, url string) string {
	b.Helper()
	const first, second, key = 13, 37, "key-of-the-record"
	s := &script{variable: map[string]string{
		strconv.Itoa(firstUser): ":user", fmt.Sprint("session-", firstUser): "'session-' || :user::text",
		strconv.Itoa(first): ":first", strconv.Itoa(second): ":second", key: ":key::text",
		strconv.Itoa(firstOrder): ":order", fmt.Sprint("pi_", firstOrder): "'pi_' || :order::text",
		fmt.Sprint("evt_", firstOrder): "'evt_' || :order::text",
	}}
	db, err := postgres.OpenTraced(b.Context(), postgres.Config{URL: url, MaxConns: 1, AcquireTimeout: patience}, s)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(db.Close)
	shopURL := serveShop(b, db)
	s.lines = nil // of connecting
	if err := newBuyer(b, db, shopURL, firstUser).buy(b.Context(), first, second, key); err != nil {
		b.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unknown != nil {
		b.Fatal(s.unknown)
	}
	lines := []string{
		fmt.Sprintf(`\set user %d + :client_id`, firstUser), `\set first random(1, 25)`, `\set second random(26, 50)`,
		`\set key random(1, 9000000000000000)`,
	}
	placed := false
	for _, line := range s.lines {
		if !placed && strings.Contains(line, ":order") {
			b.Fatalf("an order is spoken of before it is placed: %s", line)
		}
		lines = append(lines, line)
		if !placed && line == `\endpipeline` && strings.Contains(strings.Join(lines, ""), "INSERT INTO orders") {
			placed = true
			lines = append(lines, `SELECT max(id) AS "order" FROM orders WHERE user_id = :user \gset`)
		}
	}
	file := filepath.Join(b.TempDir(), "purchase.sql")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

// runPgbench is how many purchases a second pgbench makes.
func runPgbench(b *testing.B, pgbench, url, script string) float64 {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), pgbench, "--no-vacuum", "--protocol=prepared", "--file="+script,
		"--client="+strconv.Itoa(ceilingClients), "--jobs=2", fmt.Sprintf("--time=%.0f", ceilingRound.Seconds()),
		url).CombinedOutput()
	m := tps.FindSubmatch(out)
	if err != nil || m == nil {
		text, _ := os.ReadFile(script)
		b.Fatalf("pgbench: %v\n%s\n%s", err, out, text)
	}
	rate, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return rate
}
