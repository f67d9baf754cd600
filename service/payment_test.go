package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"shoplab/contract"
	"shoplab/service/shop"
)

// bank is a Stripe that remembers its intents: open, until the test pays one or the shop cancels it.
type bank struct {
	mu      sync.Mutex
	intents map[string]*intent
}

type intent struct {
	cents          string
	paid, canceled bool
	refunds        []string // JSON
}

func startBank(t *testing.T) (b *bank, url string) {
	t.Helper()
	b = &bank{intents: map[string]*intent{}}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, server.URL
}

// change lets something happen at Stripe.
func (b *bank) change(secret string, what func(*intent)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, _, _ := strings.Cut(secret, "_secret")
	what(b.intents[id])
}

func pay(i *intent) { i.paid = true }

func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	id, cancel := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/payment_intents/"), "/cancel")
	i := b.intents[id]
	switch {
	case r.URL.Path == "/v1/payment_intents" && r.Method == http.MethodPost:
		id = fmt.Sprintf("pi_%d", len(b.intents)+1)
		i = &intent{cents: r.FormValue("amount")}
		b.intents[id] = i
	case i == nil:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing"}}`)
		return
	case cancel && (i.paid || i.canceled):
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"payment_intent_unexpected_state"}}`)
		return
	case cancel:
		i.canceled = true
	}
	state, received := "requires_payment_method", "0"
	switch {
	case i.paid:
		state, received = "succeeded", i.cents
	case i.canceled:
		state = "canceled"
	}
	fmt.Fprintf(w, `{"id":%q,"object":"payment_intent","client_secret":"%s_secret","status":%q,
		"amount":%s,"amount_received":%s,"currency":"usd","created":%d,
		"latest_charge":{"id":"ch_1","created":%[6]d,"refunds":{"has_more":false,"data":[%s]}}}`,
		id, id, state, i.cents, received, time.Now().Add(-time.Minute).Unix(), strings.Join(i.refunds, ","))
}

// startWithBank runs the program with Stripe's keys before a bank; no webhook ever arrives.
func startWithBank(t *testing.T, more map[string]string) (*program, *bank) {
	t.Helper()
	b, url := startBank(t)
	env := map[string]string{
		contract.EnvPayments: "stripe", contract.EnvStripeSecretKey: "sk_test_1",
		contract.EnvStripePublishableKey: "pk_test_1", contract.EnvStripeAPIURL: url,
	}
	for name, value := range more {
		env[name] = value
	}
	return start(t, env).ready(t), b
}

// TestWithoutWebhooks: with a webhook secret whose events never come, and without any, the shop finds
// out by itself what was paid and given back.
func TestWithoutWebhooks(t *testing.T) {
	for name, secret := range map[string]string{"none is configured": "", "they do not arrive": webhookSecret} {
		t.Run(name, func(t *testing.T) {
			p, b := startWithBank(t, map[string]string{contract.EnvStripeWebhookSecret: secret, contract.EnvOrderTTL: "15s"})
			s := &shopper{url: p.url}
			s.register(t, "ada@example.com")
			product := query(t, p.database, "SELECT min(id) FROM products WHERE stock > 100")
			watched, watchedSecret := s.order(t, product, 1)
			canceled, canceledSecret := s.order(t, product, 1)
			expiring, expiringSecret := s.order(t, product, 1)
			abandoned, _ := s.order(t, product, 1)
			for _, secret := range []string{watchedSecret, canceledSecret, expiringSecret} {
				b.change(secret, pay)
			}
			if a := s.do(t, 409, "POST", fmt.Sprintf("/api/orders/%d/cancel", canceled),
				nil); a.Code != string(shop.CodeOrderNotPending) {
				t.Errorf("canceling what is paid: %s", a.body)
			}
			if got := s.statusOf(t, canceled); got != "paid" {
				t.Errorf("the order that was to be canceled is %s", got)
			}
			await(t, "paid order that somebody looks at", func() bool { return s.statusOf(t, watched) == "paid" })
			await(t, "end of the hold", func() bool {
				return query(t, p.database, "SELECT count(*) FROM orders WHERE status = 'pending'") == 0
			})
			for id, want := range map[int64]string{expiring: "paid", abandoned: "expired"} {
				if got := s.statusOf(t, id); got != want {
					t.Errorf("order %d is %s, want %s", id, got, want)
				}
			}
			b.change(watchedSecret, func(i *intent) {
				i.refunds = []string{`{"id":"re_1","amount":100,"status":"succeeded","created":1700000000}`}
			})
			query(t, p.database, "UPDATE payments SET check_at = now() WHERE order_id = $1 RETURNING 1", watched)
			await(t, "refund made in the dashboard", func() bool {
				return s.do(t, 200, "GET", fmt.Sprintf("/api/orders/%d", watched), nil).Refunded == 100
			})
			audit(t, p.database)
			if found, _ := p.metric(t, "shoplab_payments_total", "found"); found != 4 {
				t.Errorf("%v payments and refunds were found, want 4", found)
			}
			if missed, _ := p.metric(t, "shoplab_payments_total", "webhook_missed"); (missed == 4) != (secret != "") {
				t.Errorf("%v webhooks were missed", missed)
			}
			event := []byte(`{"id":"evt_1","type":"payment_intent.succeeded"}`)
			if secret != "" {
				return
			}
			for _, signature := range []string{"", sign(event, "", time.Now())} {
				if got := webhook(t, p, event, signature); got != http.StatusNotFound {
					t.Errorf("the webhook's address without a secret: %d", got)
				}
			}
		})
	}
}

// TestAlarmWords: the platform looks for the words that the service logs.
func TestAlarmWords(t *testing.T) {
	if !strings.HasPrefix(shop.Alarm, contract.PaymentAlarm) {
		t.Errorf("the service logs %q, the platform looks for %q", shop.Alarm, contract.PaymentAlarm)
	}
}
