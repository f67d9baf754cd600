package stripe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shoplab/service/shop"
)

const testSecret = "whsec_test"

var testOrder = shop.Order{
	ID: 7, UserID: 1, Status: shop.OrderPending, TotalCents: 4999, CreatedAt: time.Unix(1_700_000_000, 42_000),
}

// call is a request that the stand-in for Stripe received.
type call struct {
	path   string
	query  url.Values
	form   url.Values
	header http.Header
}

// standIn answers as Stripe with the given statuses and bodies, in turn, the last again and again.
type standIn struct {
	mu      sync.Mutex
	calls   []call
	answers []answer
}

type answer struct {
	status int
	body   string
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm()
	s.calls = append(s.calls, call{r.URL.Path, r.URL.Query(), r.PostForm, r.Header})
	a := s.answers[min(len(s.calls), len(s.answers))-1]
	w.Header().Set("Request-Id", "req_1")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func newStandIn(t *testing.T, answers ...answer) (*standIn, *Gateway, *bytes.Buffer) {
	t.Helper()
	s := &standIn{answers: answers}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	var log bytes.Buffer
	g := New(Config{
		SecretKey: "sk_test_secretkey", WebhookSecret: testSecret, APIURL: srv.URL,
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return s, g, &log
}

func TestCreateIntentAsksForWhatTheOrderCosts(t *testing.T) {
	s, g, log := newStandIn(t, answer{200, `{"id":"pi_1","client_secret":"pi_1_secret_x"}`})
	p, err := g.CreateIntent(t.Context(), testOrder)
	if err != nil {
		t.Fatal(err)
	}
	want := shop.Payment{
		OrderID: 7, IntentID: "pi_1", ClientSecret: "pi_1_secret_x", AmountCents: 4999, Currency: "usd",
		Status: shop.PaymentOpen,
	}
	if p != want {
		t.Errorf("payment = %+v, want %+v", p, want)
	}
	c := s.calls[0]
	if c.form.Has("automatic_payment_methods[enabled]") {
		t.Error("Stripe may offer methods that take days")
	}
	for field, want := range map[string]string{
		"amount": "4999", "currency": "usd", "metadata[order_id]": "7", "payment_method_types[0]": "card",
	} {
		if got := c.form.Get(field); got != want {
			t.Errorf("%s = %q, want %q", field, got, want)
		}
	}
	if got := c.header.Get("Idempotency-Key"); got != "order-7-1700000000000042-4999" {
		t.Errorf("idempotency key = %q", got)
	}
	// Telemetry of a request is sent with the next one.
	if _, err := g.CreateIntent(t.Context(), testOrder); err != nil {
		t.Fatal(err)
	}
	if s.calls[1].header.Get("X-Stripe-Client-Telemetry") != "" {
		t.Error("telemetry was sent")
	}
	mustNotLeak(t, log.String())
}

func TestCallsAreTriedAgainWithTheSameKey(t *testing.T) {
	s, g, _ := newStandIn(t, answer{500, `{}`}, answer{409, `{}`}, answer{200, `{"id":"pi_1"}`})
	if _, err := g.CreateIntent(t.Context(), testOrder); err != nil {
		t.Fatal(err)
	}
	if len(s.calls) != 3 {
		t.Fatalf("%d calls, want 3", len(s.calls))
	}
	for _, c := range s.calls {
		if c.header.Get("Idempotency-Key") != s.calls[0].header.Get("Idempotency-Key") {
			t.Error("a retry has another idempotency key")
		}
	}
}

func TestErrorsDoNotLeakSecrets(t *testing.T) {
	_, g, log := newStandIn(t, answer{400, `{"error":{"type":"invalid_request_error","code":"amount_too_small",
		"message":"bad pi_1_secret_x","payment_intent":{"id":"pi_1","client_secret":"pi_1_secret_x"}}}`})
	_, err := g.CreateIntent(t.Context(), testOrder)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"amount_too_small", "400", "req_1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
	mustNotLeak(t, err.Error()+log.String())
}

func mustNotLeak(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"sk_test_secretkey", "_secret_x", testSecret} {
		if strings.Contains(text, secret) {
			t.Errorf("%q leaks %s", text, secret)
		}
	}
}

// paidIntent is what Stripe tells of an intent that was paid, refunded in part, and disputed.
const paidIntent = `{"id":"pi_1","status":"succeeded","amount":4999,"amount_received":4999,
	"currency":"usd","created":1700000000,
	"latest_charge":{"id":"ch_1","created":1700000100,"amount_refunded":1000,"disputed":true,
		"refunds":{"has_more":false,"data":[
			{"id":"re_1","amount":1000,"status":"succeeded","created":1700000200},
			{"id":"re_2","amount":3999,"status":"failed","created":1700000300}]}}}`

func TestIntentTellsWhatBecameOfIt(t *testing.T) {
	const disputes = `{"data":[{"id":"dp_1","amount":3999,"status":"under_review","created":1700000400}],"has_more":false}`
	s, g, _ := newStandIn(t, answer{200, paidIntent}, answer{200, disputes})
	got, err := g.Intent(t.Context(), "pi_1")
	if err != nil {
		t.Fatal(err)
	}
	at := func(seconds int64) time.Time { return time.Unix(1_700_000_000+seconds, 0).UTC() }
	want := []shop.Event{
		{
			ID: "asked:pi_1:succeeded", Type: shop.EventSucceeded, IntentID: "pi_1", AmountCents: 4999, Currency: "usd",
			CreatedAt: at(100),
		},
		{
			ID: "asked:re_1:succeeded:1000", Type: shop.EventRefund, IntentID: "pi_1", Currency: "usd", CreatedAt: at(200),
			Return: shop.Return{ID: "re_1", AmountCents: 1000, Status: shop.ReturnSucceeded},
		},
		{
			ID: "asked:re_2:failed:3999", Type: shop.EventRefund, IntentID: "pi_1", Currency: "usd", CreatedAt: at(300),
			Return: shop.Return{ID: "re_2", AmountCents: 3999, Status: shop.ReturnFailed},
		},
		{
			ID: "asked:dp_1:pending:3999", Type: shop.EventDispute, IntentID: "pi_1", Currency: "usd", CreatedAt: at(400),
			Return: shop.Return{ID: "dp_1", Dispute: true, AmountCents: 3999, Status: shop.ReturnPending},
		},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if c := s.calls[0]; c.path != "/v1/payment_intents/pi_1" || c.query.Get("expand[0]") != "latest_charge.refunds" {
		t.Errorf("asked %s %v", c.path, c.query)
	}
	if c := s.calls[1]; c.path != "/v1/disputes" || c.query.Get("payment_intent") != "pi_1" {
		t.Errorf("asked %s %v", c.path, c.query)
	}
}

// TestIntentListsRefunds: not all refunds come with the charge.
func TestIntentListsRefunds(t *testing.T) {
	for name, refunds := range map[string]string{
		"there are more":    `,"refunds":{"has_more":true,"data":[{"id":"re_1","amount":1,"status":"succeeded"}]}`,
		"they did not come": ``,
		"there are none":    `,"refunds":null`,
	} {
		t.Run(name, func(t *testing.T) {
			const list = `{"data":[{"id":"re_1","amount":1,"status":"succeeded"},
				{"id":"re_2","amount":2,"status":"pending"}],"has_more":false}`
			s, g, _ := newStandIn(t, answer{
				200, `{"id":"pi_1","status":"succeeded","amount_received":9,"latest_charge":{"id":"ch_1","amount_refunded":1` +
					refunds + `}}`,
			},
				answer{200, list})
			got, err := g.Intent(t.Context(), "pi_1")
			if err != nil || len(got) != 3 || got[2].Return.ID != "re_2" {
				t.Errorf("got %+v, %v", got, err)
			}
			if c := s.calls[1]; c.path != "/v1/refunds" || c.query.Get("payment_intent") != "pi_1" {
				t.Errorf("asked %s %v", c.path, c.query)
			}
		})
	}
}

func TestCancelIntentTellsWhatBecameOfIt(t *testing.T) {
	unexpected := answer{400, `{"error":{"type":"invalid_request_error","code":"payment_intent_unexpected_state"}}`}
	tests := []struct {
		name    string
		answers []answer
		want    shop.EventType // "" for nothing yet
		code    shop.Code
	}{
		{"canceled", []answer{{200, `{"id":"pi_1","status":"canceled"}`}}, shop.EventCanceled, ""},
		{"canceled before", []answer{unexpected, {200, `{"id":"pi_1","status":"canceled"}`}}, shop.EventCanceled, ""},
		{
			"paid before",
			[]answer{unexpected, {200, `{"id":"pi_1","status":"succeeded","amount_received":4999}`}},
			shop.EventSucceeded, "",
		},
		{"being paid", []answer{unexpected, {200, `{"id":"pi_1","status":"processing"}`}}, "", ""},
		{"unexpected, then down", []answer{unexpected, {401, `{"error":{}}`}}, "", shop.CodeInternal},
		{
			"of another account",
			[]answer{{404, `{"error":{"type":"invalid_request_error","code":"resource_missing"}}`}},
			"",
			shop.CodeNotFound,
		},
		{"key revoked", []answer{{401, `{"error":{"type":"invalid_request_error"}}`}}, "", shop.CodeInternal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, g, _ := newStandIn(t, tt.answers...)
			events, err := g.CancelIntent(t.Context(), "pi_1")
			if shop.CodeOf(err) != tt.code {
				t.Fatalf("err = %v, want code %q", err, tt.code)
			}
			var got shop.EventType
			for _, e := range events {
				got = e.Type
			}
			if got != tt.want || len(events) > 1 {
				t.Errorf("events are %+v, want %q", events, tt.want)
			}
		})
	}
}

func TestRefundIntent(t *testing.T) {
	tests := []struct {
		name   string
		answer answer
		want   shop.ReturnStatus
		err    error
	}{
		{"given back", answer{200, `{"id":"re_1","amount":4999,"status":"succeeded"}`}, shop.ReturnSucceeded, nil},
		{"under way", answer{200, `{"id":"re_1","amount":4999,"status":"pending"}`}, shop.ReturnPending, nil},
		{"to be acted on", answer{200, `{"id":"re_1","amount":4999,"status":"requires_action"}`}, shop.ReturnPending, nil},
		{
			"given back before",
			answer{400, `{"error":{"type":"invalid_request_error","code":"charge_already_refunded"}}`},
			"",
			shop.ErrRefunded,
		},
		{
			"failed",
			answer{200, `{"id":"re_1","amount":4999,"status":"failed","failure_reason":"expired_or_canceled_card"}`},
			shop.ReturnFailed, nil,
		},
		{"disputed", answer{400, `{"error":{"type":"invalid_request_error","code":"charge_disputed"}}`}, "", errAny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, g, _ := newStandIn(t, tt.answer)
			got, err := g.RefundIntent(t.Context(), shop.Refund{IntentID: "pi_1", OrderID: 7, AmountCents: 4999, Attempt: 2})
			if got.Status != tt.want || tt.want != "" && (got.ID != "re_1" || got.AmountCents != 4999) {
				t.Errorf("refund = %+v, want %s", got, tt.want)
			}
			if (err != nil) != (tt.err != nil) || !errors.Is(err, tt.err) && !errors.Is(tt.err, errAny) {
				t.Errorf("err = %v, want %v", err, tt.err)
			}
			c := s.calls[0]
			if c.form.Get("payment_intent") != "pi_1" || c.form.Get("amount") != "4999" ||
				c.header.Get("Idempotency-Key") != "refund-pi_1-4999-2" {
				t.Errorf("request = %v, key %q", c.form, c.header.Get("Idempotency-Key"))
			}
		})
	}
}

var errAny = errors.New("any")

func TestCallsEndWithTheirContext(t *testing.T) {
	stuck := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
	defer srv.Close()
	defer close(stuck)
	g := New(Config{SecretKey: "sk_test_secretkey", APIURL: srv.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := g.CreateIntent(ctx, testOrder)
	if err == nil || time.Since(began) > 2*time.Second {
		t.Errorf("err = %v after %v, want an error when the context ends", err, time.Since(began))
	}
}

// signedEvent is the body and header of a webhook about an intent.
func signedEvent(typ shop.EventType, intent string, cents int64, currency string) ([]byte, string) {
	body := eventBody("evt_1", typ, map[string]any{
		"id": intent, "object": "payment_intent", "amount_received": cents, "currency": currency,
	})
	return body, sign(body, testSecret, time.Now())
}

// testGateway is what every gateway has to pass. That the same order gives the same intent is not
// in it: stripe-mock keeps no state, and only Stripe itself could show what idempotency keys do.
func testGateway(t *testing.T, g shop.Gateway) {
	p, err := g.CreateIntent(t.Context(), testOrder)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(p.IntentID, "pi_") || !strings.HasPrefix(p.ClientSecret, "pi_") {
		t.Errorf("intent %q, client secret %q", p.IntentID, p.ClientSecret)
	}
	if p.OrderID != 7 || p.AmountCents != 4999 || p.Currency != shop.Currency || p.Status != shop.PaymentOpen {
		t.Errorf("payment = %+v", p)
	}
	for range 2 {
		if back, err := g.RefundIntent(t.Context(), shop.Refund{
			IntentID: p.IntentID, OrderID: 7, AmountCents: 4999,
		}); err != nil || back.ID == "" || back.Status == "" {
			t.Errorf("refund: %+v, %v", back, err)
		}
		for what, ask := range map[string]func(context.Context, string) ([]shop.Event, error){
			"cancel": g.CancelIntent, "ask": g.Intent,
		} {
			events, err := ask(t.Context(), p.IntentID)
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			for _, e := range events {
				if e.ID == "" || e.IntentID != p.IntentID || e.CreatedAt.IsZero() {
					t.Errorf("%s: %+v", what, e)
				}
			}
		}
	}
	body, signature := signedEvent(shop.EventSucceeded, p.IntentID, 4999, "usd")
	e, err := g.ParseEvent(body, signature)
	if err != nil || e.IntentID != p.IntentID || e.AmountCents != 4999 || e.Currency != "usd" ||
		e.Type != shop.EventSucceeded || e.ID != "evt_1" {
		t.Errorf("event = %+v, %v", e, err)
	}
	_, err = g.ParseEvent(append(body, ' '), signature)
	if shop.CodeOf(err) != shop.CodeBadSignature {
		t.Errorf("a changed body gave %v", err)
	}
}

func TestSimulationIsAGateway(t *testing.T) {
	s := NewSimulation(testSecret, func(context.Context, []byte, string) error { return nil }, nil)
	testGateway(t, s)
	first, _ := s.CreateIntent(t.Context(), testOrder)
	if again, err := s.CreateIntent(t.Context(), testOrder); err != nil || again != first {
		t.Errorf("the same order gave %+v, %v, want %+v", again, err, first)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStripeIsAGateway(t *testing.T) {
	address := startStripeMock(t)
	testGateway(t, New(Config{SecretKey: "sk_test_123", WebhookSecret: testSecret, APIURL: address}))

	t.Run("unknown keys are refused", func(t *testing.T) {
		g := New(Config{SecretKey: "bad", APIURL: address})
		if _, err := g.CreateIntent(t.Context(), testOrder); err == nil || !strings.Contains(fmt.Sprint(err), "401") {
			t.Errorf("err = %v, want a 401", err)
		}
	})
}
