package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shoplab/service/shop"
	"shoplab/service/shoptest"
)

// TestEveryError provokes each error of the API once, over HTTP.
func TestEveryError(t *testing.T) {
	provoked := map[shop.Code]bool{}
	expect := func(t *testing.T, rep reply, code shop.Code) {
		t.Helper()
		if rep.StatusCode != statuses[code] || rep.code(t) != string(code) {
			t.Errorf("got %d %s, want %d %s", rep.StatusCode, rep.body, statuses[code], code)
		}
		if got := rep.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("a problem with Cache-Control %q", got)
		}
		provoked[code] = true
	}
	t.Run("requests", func(t *testing.T) {
		r := newRig(t, nil)
		mug := r.product("mug", 900, 1)
		cursor := "nonsense"
		long := strings.Repeat("x", 101)
		for _, test := range []struct {
			method, path string
			body         any
			header       []string
			code         shop.Code
		}{
			{"GET", "/api/nothing", nil, nil, shop.CodeNotFound},
			{"POST", "/api/nothing", "{}", nil, shop.CodeNotFound},
			{"GET", "/nothing", nil, nil, shop.CodeNotFound},
			{"PATCH", "/api/products", "{}", nil, codeMethodNotAllowed},
			{"DELETE", "/api/orders", nil, nil, codeMethodNotAllowed},
			{"GET", "/api/products/999999", nil, nil, shop.CodeNotFound},
			{"GET", "/api/products/mug", nil, nil, shop.CodeNotFound},
			{"GET", "/api/products/-1", nil, nil, shop.CodeNotFound},
			{"GET", "/api/products/99999999999999999999", nil, nil, shop.CodeNotFound},
			{"GET", "/api/products?cursor=" + cursor, nil, nil, shop.CodeInvalidCursor},
			{"GET", "/api/products?cursor=" + strings.Repeat("a", 600), nil, nil, shop.CodeInvalidCursor},
			{"GET", "/api/products?limit=0", nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?limit=", nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?limit=1&limit=2", nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?sort=", nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?q=a&q=b", nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?limit=101", nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?limit=ten", nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?sort=random", nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?q=" + long, nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?q=%00", nil, nil, shop.CodeInvalid},
			{"GET", "/api/products?category=%ff", nil, nil, shop.CodeInvalid},
			{"GET", "/api/account", nil, nil, shop.CodeUnauthenticated},
			{"GET", "/api/account", nil, []string{"Authorization", "Bearer x.y.z"}, shop.CodeUnauthenticated},
			{"GET", "/api/cart", nil, []string{"Authorization", "Basic dTpw"}, shop.CodeUnauthenticated},
			{"GET", "/api/orders", nil, nil, shop.CodeUnauthenticated},
			{"GET", "/api/orders/1", nil, nil, shop.CodeUnauthenticated},
			{"POST", "/api/orders", nil, []string{"Idempotency-Key", "k"}, shop.CodeUnauthenticated},
			{"POST", "/api/orders/1/cancel", nil, nil, shop.CodeUnauthenticated},
			{"POST", "/api/orders/1/payment", nil, nil, shop.CodeUnauthenticated},
			{"POST", "/api/auth/login", Credentials{"nobody@example.com", password}, nil, shop.CodeInvalidCredentials},
			{"POST", "/api/auth/register", Registration{"no email", "short", "", ""}, nil, shop.CodeInvalid},
			{"POST", "/api/auth/register", `{"email":`, nil, codeMalformed},
			{"POST", "/api/auth/register", `{} {}`, nil, codeMalformed},
			{"POST", "/api/auth/register", `{}`, []string{"Content-Type", "text/plain"}, codeMediaType},
			{"POST", "/api/auth/register", `"` + strings.Repeat("x", maxJSON) + `"`, nil, codeTooLarge},
			{"POST", "/api/cart/items", `{"product_id":1}`, nil, shop.CodeInvalid},
			{"POST", "/api/cart/items", `{"product_id":"1","quantity":1}`, nil, shop.CodeInvalid},
			{"POST", "/api/cart/items", `{"product_id":1,"quantity":1.5}`, nil, shop.CodeInvalid},
			{"POST", "/api/cart/items", `{"product_id":1e300,"quantity":1}`, nil, shop.CodeInvalid},
			{"POST", "/api/cart/items", `[]`, nil, shop.CodeInvalid},
			{"POST", "/api/cart/items", `null`, nil, shop.CodeInvalid},
			{"POST", "/api/cart/items", NewItem{mug.ID, 0}, nil, shop.CodeInvalid},
			{"POST", "/api/cart/items", NewItem{mug.ID, 100}, nil, shop.CodeInvalid},
			{"POST", "/api/cart/items", NewItem{999999, 1}, nil, shop.CodeNotFound},
			{"POST", "/api/cart/items", NewItem{mug.ID, 1}, []string{"X-Cart-ID", "mine"}, shop.CodeInvalid},
			{"POST", "/api/cart/items", NewItem{mug.ID, 1}, []string{"Sec-Fetch-Site", "cross-site"}, shop.CodeForbidden},
			{"PUT", "/api/cart/items/x", Quantity{1}, nil, shop.CodeNotFound},
			{"PUT", "/api/cart/items/1", Quantity{-1}, nil, shop.CodeInvalid},
			{"POST", "/api/webhooks/stripe", "{}", []string{"Stripe-Signature", "forged"}, shop.CodeBadSignature},
			{"POST", "/api/webhooks/stripe", "{}", nil, shop.CodeBadSignature},
			{"POST", "/api/webhooks/stripe", "{}", []string{"Stripe-Signature", "off"}, shop.CodeWebhooksOff},
			{
				"POST", "/api/webhooks/stripe",
				shop.Event{ID: "evt_1", Type: shop.EventSucceeded, IntentID: "pi_x"},
				[]string{"Stripe-Signature", "good"},
				shop.CodeEventRefused,
			},
			{"POST", "/api/payments/simulate", `{"client_secret":"","outcome":"succeeded"}`, nil, shop.CodeNotFound},
			{"POST", "/api/payments/simulate", `{"client_secret":"x","outcome":"maybe"}`, nil, shop.CodeInvalid},
		} {
			t.Run(test.method+" "+test.path[:min(len(test.path), 40)]+" "+string(test.code), func(t *testing.T) {
				r := *r
				r.t = t
				expect(t, r.do(test.method, test.path, test.body, test.header...), test.code)
			})
		}
	})
	t.Run("orders", func(t *testing.T) {
		r := newRig(t, nil)
		mug, broken := r.product("mug", 900, 1), r.product("broken", brokenCents, 10)
		r.register("ada@example.com")
		expect(t, r.do("POST", "/api/auth/register", Registration{"ADA@example.com ", password, "A", "L"}),
			shop.CodeEmailTaken)
		expect(t, r.do("POST", "/api/auth/login", Credentials{"ada@example.com", "not the password"}),
			shop.CodeInvalidCredentials)
		expect(t, r.do("POST", "/api/orders", nil), shop.CodeIdempotencyKey)
		expect(t, r.do("POST", "/api/orders", nil, "Idempotency-Key", "with space"), shop.CodeIdempotencyKey)
		expect(t, r.do("POST", "/api/orders", nil, "Idempotency-Key", "k0"), shop.CodeEmptyCart)
		o := r.order(mug, "k1")
		r.do("POST", "/api/cart/items", NewItem{mug.ID, 1}).want(t, 200)
		rep := r.do("POST", "/api/orders", nil, "Idempotency-Key", "k2")
		expect(t, rep, shop.CodeOutOfStock)
		var extra struct {
			ProductID int64 `json:"product_id"`
			Available *int
		}
		if rep.decode(t, &extra); extra.ProductID != mug.ID || extra.Available == nil || *extra.Available != 0 {
			t.Errorf("out of stock says %s", rep.body)
		}
		r.do("POST", "/api/cart/items", NewItem{mug.ID, 1}).want(t, 200)
		expect(t, r.do("POST", "/api/orders", nil, "Idempotency-Key", "k1"), shop.CodeKeyReused)
		expect(t, r.do("POST", "/api/orders", `{"expected_total_cents":-1}`, "Idempotency-Key", "k1"), shop.CodeInvalid)
		expect(t, r.do("POST", "/api/orders", `{"expected_total_cents":"1"}`, "Idempotency-Key", "k1"), shop.CodeInvalid)
		path := fmt.Sprintf("/api/orders/%d", o.ID)
		r.do("POST", path+"/cancel", nil).want(t, 200)
		expect(t, r.do("POST", path+"/cancel", nil), shop.CodeOrderNotPending)
		expect(t, r.do("POST", path+"/payment", nil), shop.CodeOrderNotPending)
		r.do("DELETE", "/api/cart", nil).want(t, 204)
		for name, cents := range map[shop.Code]int64{shop.CodeTotalTooSmall: 49, shop.CodeTotalTooLarge: math.MaxInt64} {
			p := r.product(strings.ToLower(string(name)), cents, 9)
			r.do("POST", "/api/cart/items", NewItem{p.ID, 2 - int(cents&1)}).want(t, 200)
			expect(t, r.do("POST", "/api/orders", nil, "Idempotency-Key", "k3"), name)
			r.do("DELETE", "/api/cart", nil).want(t, 204)
		}
		r.do("POST", "/api/cart/items", NewItem{broken.ID, 1}).want(t, 200)
		expect(t, r.do("POST", "/api/orders", `{"expected_total_cents":1}`, "Idempotency-Key", "k3"), shop.CodePriceChanged)
		r.do("DELETE", "/api/cart", nil).want(t, 204)
		b := r.order(broken, "k3")
		expect(t, r.do("POST", fmt.Sprintf("/api/orders/%d/payment", b.ID), nil), shop.CodePaymentUnavailable)
		expect(t, r.do("GET", "/api/orders?cursor=nonsense", nil), shop.CodeInvalidCursor)
		expect(t, r.do("GET", "/api/orders?limit=1000", nil), shop.CodeInvalid)

		r.client = newBrowser(t)
		r.register("eve@example.com")
		expect(t, r.do("GET", path, nil), shop.CodeNotFound)
		expect(t, r.do("POST", path+"/cancel", nil), shop.CodeNotFound)
		expect(t, r.do("POST", path+"/payment", nil), shop.CodeNotFound)
		if strings.Contains(r.log.String(), "@example.com") || strings.Contains(r.log.String(), password) {
			t.Error("the log tells emails or passwords")
		}
		if !strings.Contains(r.log.String(), "the gateway's secret words") {
			t.Error("the log does not tell why the payment failed")
		}
	})
	t.Run("overload and internal", func(t *testing.T) {
		r := newRig(t, func(c *Config, _ *Shop) {
			c.Allow = func(context.Context, string, Limit) (bool, time.Duration) { return true, 0 }
		})
		r.store.SetError(errors.New("the database's secret words"))
		for _, path := range []string{"/api/products", "/api/products/1", "/api/categories"} {
			rep := r.do("GET", path, nil)
			expect(t, rep, shop.CodeInternal)
			if strings.Contains(string(rep.body), "secret") {
				t.Errorf("tells %s", rep.body)
			}
		}
		if !strings.Contains(r.log.String(), "the database's secret words") {
			t.Error("the log does not tell the internal error")
		}
		r.store.SetError(shop.Errorf(shop.CodeOverloaded, "Busy."))
		expect(t, r.do("GET", "/api/products?limit=3", nil), shop.CodeOverloaded)
		r.store.SetError(shop.Errorf(shop.CodeBusy, "Somebody else is at it."))
		expect(t, r.do("POST", "/api/cart/items", NewItem{1, 1}), shop.CodeBusy)
	})
	t.Run("stock", func(t *testing.T) {
		r := newRig(t, func(c *Config, _ *Shop) { c.HoldLimits = shop.HoldLimits{Orders: 1} })
		mug := r.product("mug", 900, 10)
		r.register("ada@example.com")
		r.order(mug, "k1")
		r.do("POST", "/api/cart/items", NewItem{mug.ID, 1}).want(t, 200)
		expect(t, r.do("POST", "/api/orders", nil, "Idempotency-Key", "k2"), shop.CodeHoldLimit)
		r.server.Orders = busyStore{r.store}
		expect(t, r.do("POST", "/api/orders", nil, "Idempotency-Key", "k2"), shop.CodeBusy)
	})
	t.Run("rate limit", func(t *testing.T) {
		var keys []string
		r := newRig(t, func(c *Config, _ *Shop) {
			c.Allow = func(_ context.Context, key string, _ Limit) (bool, time.Duration) {
				keys = append(keys, key)
				return !strings.HasPrefix(key, "login_account:"), 1500 * time.Millisecond
			}
		})
		rep := r.do("POST", "/api/auth/login", Credentials{" Ada@Example.com", password})
		expect(t, rep, shop.CodeRateLimited)
		if got := rep.Header.Get("Retry-After"); got != "2" {
			t.Errorf("Retry-After %s, want 2: whole seconds, rounded up", got)
		}
		if want := []string{
			"login_network:127.0.0.1", "login_account_network:127.0.0.1 ada@example.com", "login_account:ada@example.com",
		}; !slices.Equal(keys, want) {
			t.Errorf("limits %q, want %q", keys, want)
		}
	})
	t.Run("transport", func(t *testing.T) {
		r := build(t, nil)
		r.server.App().Server().ReadTimeout = 300 * time.Millisecond
		r.listen()
		// The body is not sent: what the server does not read may cost the client the answer.
		rep := r.raw(t, fmt.Sprintf("POST /api/webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", bodyLimit+
			1))
		r.conform("POST", "/api/webhooks/stripe", rep)
		if expect(t, rep, codeTooLarge); rep.Header.Get("X-Request-ID") == "" {
			t.Errorf("%v: no X-Request-ID", rep.Header)
		}
		for code, request := range map[shop.Code]string{
			codeHeadersTooLarge: "GET /api/health HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", headerLimit) + "\r\n\r\n",
			codeTimeout:         "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
			codeNotImplemented:  "BREW /api/health HTTP/1.1\r\nHost: x\r\n\r\n",
			codeHTTPVersion:     "GET /api/health HTTP/3.0\r\nHost: x\r\n\r\n",
			codeMalformed:       "GET /api/health HTTP/1.1\r\nHost x\r\n\r\n",
		} {
			if rep := r.raw(t, request); rep.StatusCode != statuses[code] || rep.code(t) != string(code) ||
				rep.Header.Get("X-Request-ID") == "" {
				t.Errorf("got %d %s %v, want %d %s", rep.StatusCode, rep.body, rep.Header, statuses[code], code)
			}
			provoked[code] = true
		}
	})
	for _, code := range slices.Sorted(maps.Keys(statuses)) {
		if !provoked[code] {
			t.Errorf("%s was not provoked", code)
		}
	}
}

func TestPanicIsInternal(t *testing.T) {
	r := newRig(t, func(_ *Config, sh *Shop) {
		sh.Simulate = func(context.Context, string, string) error { panic("oh") }
	})
	rep := r.do("POST", "/api/payments/simulate", Simulation{"x", "failed"}).want(t, 500)
	if rep.code(t) != string(shop.CodeInternal) || !strings.Contains(r.log.String(), "panic: oh") {
		t.Errorf("got %s; log %s", rep.body, r.log)
	}
}

// A field error is read by shoppers, not by who knows the validator.
func TestEmailErrorIsInPlainWords(t *testing.T) {
	server, err := New(Config{Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(prometheus.NewRegistry())})
	if err != nil {
		t.Fatal(err)
	}
	err = server.decodeJSON([]byte(`{"email":"no email","password":"long enough","first_name":"A","last_name":"B"}`),
		&Registration{})
	var e *shop.Error
	if !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Field != "email" ||
		e.Fields[0].Message != "must be an email address, such as name@example.com" {
		t.Errorf("got %+v", err)
	}
}

// busyStore has no time for new orders.
type busyStore struct{ *shoptest.Store }

func (busyStore) PlaceOrder(context.Context, shop.OrderRequest) (shop.Order, bool, error) {
	return shop.Order{}, false, shop.Errorf(shop.CodeBusy, "Busy.")
}
