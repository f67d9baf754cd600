package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"shoplab/contract"
)

// TestShopping walks as a shopper does: cart as a guest, account, order, payment, history, cancel.
func TestShopping(t *testing.T) {
	p := start(t, nil).ready(t)
	shopping(t, p)
	for name, least := range map[string]float64{
		"shoplab_http_request_duration_seconds": 10, "shoplab_orders_total": 3, "shoplab_payments_total": 2,
		"shoplab_db_pool_max":            10,
		"shoplab_db_pool_acquires_total": 10, "shoplab_catalog_cache_total": 1, "shoplab_build_info": 1, "go_goroutines": 1,
	} {
		if v, ok := p.metric(t, name); !ok || v < least {
			t.Errorf("%s is %v (%v), want at least %v", name, v, ok, least)
		}
	}
	if got := status(t, p.url+"/metrics"); got != http.StatusNotFound {
		t.Errorf("/metrics on the public address: %d", got)
	}
	if got := status(t, p.admin+"/debug/pprof/cmdline"); got != http.StatusOK {
		t.Errorf("profiles on the admin address: %d", got)
	}
}

// shopping is the walk, wherever the program runs.
func shopping(t *testing.T, p *program) {
	t.Helper()
	s := &shopper{url: p.url}
	products := s.do(t, 200, "GET", "/api/products?sort=price&limit=100", nil).Items
	if len(products) != 50 {
		t.Fatalf("%d products are seeded, want 50", len(products))
	}
	inStock := slices.IndexFunc(products, func(i item) bool { return i.Stock > 10 })
	product := products[inStock].ID

	s.cart = s.do(t, 200, "POST", "/api/cart/items", object{"product_id": product, "quantity": 2}).header.Get("X-Cart-ID")
	s.register(t, "ada@example.com")
	cart := s.do(t, 200, "GET", "/api/cart", nil)
	if len(cart.Items) != 1 || cart.Items[0].Quantity != 2 {
		t.Fatalf("the guest's cart became %s", cart.body)
	}
	placed := s.do(t, 201, "POST", "/api/orders", nil, "Idempotency-Key", "first")
	if again := s.do(t, 200, "POST", "/api/orders", nil, "Idempotency-Key", "first"); again.ID != placed.ID {
		t.Errorf("the same key made order %d, want %d", again.ID, placed.ID)
	}
	if placed.TotalCents != cart.TotalCents || placed.Status != "pending" {
		t.Errorf("cart %s, order %s", cart.body, placed.body)
	}
	payment := fmt.Sprintf("/api/orders/%d/payment", placed.ID)
	secret := s.do(t, 200, "POST", payment, nil).Secret
	if again := s.do(t, 200, "POST", payment, nil).Secret; again != secret {
		t.Error("asking again made another payment")
	}
	s.do(t, 202, "POST", "/api/payments/simulate", object{"client_secret": secret, "outcome": "failed"})
	s.do(t, 202, "POST", "/api/payments/simulate", object{"client_secret": secret, "outcome": "succeeded"})
	await(t, "paid order", func() bool { return s.statusOf(t, placed.ID) == "paid" })

	second, _ := s.order(t, product, 1)
	s.do(t, 200, "POST", fmt.Sprintf("/api/orders/%d/cancel", second), nil)
	history := s.do(t, 200, "GET", "/api/orders", nil).Items
	if len(history) != 2 || history[0].ID != second || history[0].Status != "canceled" || history[1].Status != "paid" {
		t.Errorf("history %+v", history)
	}
	if sold := query(t, p.database, "SELECT sold FROM stock_audit WHERE product_id = $1", product); sold != 2 {
		t.Errorf("%d pieces are sold, want 2", sold)
	}
	audit(t, p.database)
}

// audit closes the books.
func audit(t *testing.T, database string) {
	t.Helper()
	if n := query(t, database, "SELECT count(*) FROM stock_audit WHERE put_in <> stock + held + sold"); n != 0 {
		t.Errorf("the stock of %d products does not add up", n)
	}
	if n := query(t, database, "SELECT count(*) FROM money_audit WHERE captured <> paid + owed + refunded"); n != 0 {
		t.Error("the money does not add up")
	}
}

// TestRush: 200 buyers at once want one of 50 pieces, on two instances. Exactly 50 are sold, and
// nobody is charged without goods.
func TestRush(t *testing.T) {
	const buyers, pieces = 200, 50
	a := start(t, nil).ready(t)
	b := start(t, map[string]string{contract.EnvDatabaseURL: a.database}).ready(t)
	product := query(t, a.database, "UPDATE products SET stock = $1, put_in = $1 WHERE id = (SELECT min(id) FROM "+
		"products) RETURNING id", pieces)
	shoppers := make([]*shopper, buyers)
	// Without hashing passwords: 200 of them would take longer than all the rest.
	first := query(t, a.database, `WITH u AS (INSERT INTO users (email, first_name, last_name, password_hash)
		SELECT 'buyer' || n || '@example.com', 'B', 'B', '' FROM generate_series(1, $1::int) n RETURNING id)
		SELECT min(id) FROM u`, buyers)
	for i := range shoppers {
		shoppers[i] = &shopper{url: []string{a.url, b.url}[i%2], token: token(t, a.database, first+int64(i))}
	}
	var ordered, soldOut atomic.Int64
	var buying sync.WaitGroup
	for i, s := range shoppers {
		buying.Go(func() {
			outcome, err := s.buy(product, fmt.Sprint("key", i))
			switch {
			case err != nil:
				t.Error(err)
			case outcome == "OUT_OF_STOCK":
				soldOut.Add(1)
			case outcome == "":
				ordered.Add(1)
			default:
				t.Errorf("a buyer gave up: %s", outcome)
			}
		})
	}
	buying.Wait()
	if ordered.Load() != pieces || soldOut.Load() != buyers-pieces {
		t.Errorf("%d bought and %d found it sold out, want %d and %d", ordered.Load(), soldOut.Load(), pieces, buyers-pieces)
	}
	await(t, "payment of all orders", func() bool {
		return query(t, a.database, "SELECT count(*) FROM orders WHERE status = 'paid'") == pieces
	})
	if sold := query(t, a.database, "SELECT sold FROM stock_audit WHERE product_id = $1", product); sold != pieces {
		t.Errorf("%d are sold, want %d", sold, pieces)
	}
	if n := query(t, a.database, "SELECT count(*) FROM payments p JOIN orders o ON o.id = p.order_id WHERE "+
		"p.captured_cents > 0 AND o.status <> 'paid'"); n != 0 {
		t.Errorf("%d are charged without goods", n)
	}
	audit(t, a.database)
}

// token signs in a user as the program does.
func token(t testing.TB, database string, user int64) string {
	t.Helper()
	id, expires := rand.Text(), time.Now().Add(time.Hour)
	query(t, database, "INSERT INTO sessions (id, user_id, expires_at) VALUES ($1, $2, $3) RETURNING user_id", id, user,
		expires)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: "shoplab", Audience: jwt.ClaimStrings{"session"}, ID: id, Subject: fmt.Sprint(user),
		ExpiresAt: jwt.NewNumericDate(expires),
	}).SignedString([]byte(sessionKey))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// buy orders a piece and pays for it, and tries again when the shop is too busy. It returns the code
// of what went wrong.
func (s *shopper) buy(product int64, key string) (code string, err error) {
	step := func(method, path string, body any, header ...string) (answer, error) {
		for try := 0; ; try++ {
			a, err := s.try(method, path, body, header...)
			if err != nil || a.status != http.StatusServiceUnavailable || try == 50 {
				return a, err
			}
			time.Sleep(time.Duration(50+mathrand.N(100)) * time.Millisecond)
		}
	}
	if _, err := step("PUT", fmt.Sprintf("/api/cart/items/%d", product), object{"quantity": 1}); err != nil {
		return "", err
	}
	order, err := step("POST", "/api/orders", nil, "Idempotency-Key", key)
	if err != nil || order.Code != "" {
		return order.Code, err
	}
	payment, err := step("POST", fmt.Sprintf("/api/orders/%d/payment", order.ID), nil)
	if err != nil || payment.Code != "" {
		return payment.Code, err
	}
	paid, err := step("POST", "/api/payments/simulate", object{"client_secret": payment.Secret, "outcome": "succeeded"})
	return paid.Code, err
}

// TestWebhooks sends forged, stale, repeated and disordered events.
func TestWebhooks(t *testing.T) { webhooks(t, start(t, nil).ready(t)) }

func webhooks(t *testing.T, p *program) {
	t.Helper()
	s := &shopper{url: p.url}
	s.register(t, "ada@example.com")
	product := query(t, p.database, "SELECT min(id) FROM products WHERE stock > 100")
	event := func(id, kind, intent string, cents int64) []byte {
		b, err := json.Marshal(object{
			"id": id, "object": "event", "api_version": "2023-10-16", "type": kind, "created": time.Now().Unix(),
			"data": object{
				"object": object{
					"id": intent, "object": "payment_intent", "amount": cents, "amount_received": cents, "currency": "usd",
					"status": "succeeded",
				},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	order := func() (id, cents int64, intent string) {
		id, secret := s.order(t, product, 1)
		intent, _, _ = strings.Cut(secret, "_secret_")
		return id, s.do(t, 200, "GET", fmt.Sprintf("/api/orders/%d", id), nil).TotalCents, intent
	}

	id, cents, intent := order()
	paid := event("evt_paid", "payment_intent.succeeded", intent, cents)
	now := time.Now()
	for name, signature := range map[string]string{
		"no signature": "", "nonsense": "t=x,v1=y", "another secret": sign(paid, "whsec_of_others", now),
		"of another body": sign(event("evt_other", "payment_intent.succeeded", intent, cents), webhookSecret, now),
		"stale":           sign(paid, webhookSecret, now.Add(-time.Hour)),
	} {
		if got := webhook(t, p, paid, signature); got != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", name, got)
		}
	}
	if got := s.statusOf(t, id); got != "pending" {
		t.Fatalf("forged events made the order %s", got)
	}
	var sending sync.WaitGroup
	for range 20 {
		sending.Go(func() {
			if got := webhook(t, p, paid, sign(paid, webhookSecret, now)); got != http.StatusOK {
				t.Errorf("a repeated event: %d", got)
			}
		})
	}
	sending.Wait()
	late := event("evt_failed_before", "payment_intent.payment_failed", intent, cents)
	if got := webhook(t, p, late, sign(late, webhookSecret, now)); got != http.StatusOK {
		t.Errorf("an event out of order: %d", got)
	}
	if got := s.statusOf(t, id); got != "paid" {
		t.Errorf("the order is %s, want paid", got)
	}

	// The wrong amount pays for nothing, and is owed back.
	id, cents, intent = order()
	short := event("evt_short", "payment_intent.succeeded", intent, cents-1)
	if got := webhook(t, p, short, sign(short, webhookSecret, now)); got != http.StatusOK {
		t.Errorf("the wrong amount: %d", got)
	}
	if got := s.statusOf(t, id); got == "paid" {
		t.Error("the wrong amount paid for the order")
	}

	// Paid after it was canceled: refunded by the sweeper.
	id, cents, intent = order()
	s.do(t, 200, "POST", fmt.Sprintf("/api/orders/%d/cancel", id), nil)
	after := event("evt_late", "payment_intent.succeeded", intent, cents)
	if got := webhook(t, p, after, sign(after, webhookSecret, now)); got != http.StatusOK {
		t.Errorf("a late payment: %d", got)
	}
	await(t, "refund of the late payment", func() bool {
		p.background(t)
		return query(t, p.database, "SELECT count(*) FROM payments WHERE order_id = $1 AND status = 'refunded'", id) == 1
	})
	if got := s.statusOf(t, id); got != "canceled" {
		t.Errorf("the canceled order is %s", got)
	}
	audit(t, p.database)

	unknown := event("evt_unknown", "payment_intent.succeeded", "pi_of_somebody", 100)
	if got := webhook(t, p, unknown, sign(unknown, webhookSecret, now)); got != http.StatusBadRequest {
		t.Errorf("somebody else's payment: %d", got)
	}
}

// TestStripe runs the program with Stripe's keys, before a Stripe that works and then does not.
func TestStripe(t *testing.T) {
	var down atomic.Bool
	stripe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() || r.URL.Path != "/v1/payment_intents" || r.Header.Get("Authorization") != "Bearer sk_test_1" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := fmt.Fprintf(w,
			`{"id":"pi_1","object":"payment_intent","client_secret":"pi_1_secret_1","amount":%s,"currency":%q}`,
			r.FormValue("amount"), r.FormValue("currency")); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(stripe.Close)
	p := start(t, map[string]string{
		contract.EnvPayments: "", contract.EnvStripeSecretKey: "sk_test_1", contract.EnvStripePublishableKey: "pk_test_1",
		contract.EnvStripeAPIURL: stripe.URL,
	}).ready(t)
	s := &shopper{url: p.url}
	info := s.do(t, 200, "GET", "/api/info", nil)
	if !strings.Contains(string(info.body), `"payments":"stripe","publishable_key":"pk_test_1"`) {
		t.Errorf("info %s", info.body)
	}
	s.register(t, "ada@example.com")
	product := query(t, p.database, "SELECT min(id) FROM products WHERE stock > 100")
	id, secret := s.order(t, product, 1)
	if secret != "pi_1_secret_1" {
		t.Errorf("client secret %q", secret)
	}
	s.do(t, 404, "POST", "/api/payments/simulate", object{"client_secret": secret, "outcome": "succeeded"})
	paid := fmt.Appendf(nil,
		`{"id":"evt_1","object":"event","type":"payment_intent.succeeded","created":%d,
		"data":{"object":{"id":"pi_1","object":"payment_intent","amount_received":%d,"currency":"usd"}}}`,
		time.Now().Unix(), s.do(t, 200, "GET", fmt.Sprintf("/api/orders/%d", id), nil).TotalCents)
	if got := webhook(t, p, paid, sign(paid, webhookSecret, time.Now())); got != http.StatusOK ||
		s.statusOf(t, id) != "paid" {
		t.Errorf("Stripe's event: %d, the order is %s", got, s.statusOf(t, id))
	}
	down.Store(true)
	s.do(t, 200, "POST", "/api/cart/items", object{"product_id": product, "quantity": 1})
	id = s.do(t, 201, "POST", "/api/orders", nil, "Idempotency-Key", "down").ID
	if a := s.do(t, 503, "POST", fmt.Sprintf("/api/orders/%d/payment", id), nil); a.Code != "PAYMENT_UNAVAILABLE" ||
		a.header.Get("Retry-After") == "" {
		t.Errorf("without Stripe: %s", a.body)
	}
}
