package stripe_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"shoplab/contract"
	lab "shoplab/lab/stripe"
	"shoplab/service/shop"
	"shoplab/service/stripe"
)

// The stand-in is held against the shop's own code: what it asks Stripe for, and how it reads webhooks.
func TestTheShopIsPaid(t *testing.T) {
	bank, err := lab.New()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, pair := range bank.Env() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	gateway := stripe.New(stripe.Config{
		SecretKey: env[contract.EnvStripeSecretKey], WebhookSecret: env[contract.EnvStripeWebhookSecret],
		APIURL: env[contract.EnvStripeAPIURL],
	})
	events := make(chan shop.Event, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		e, err := gateway.ParseEvent(body, r.Header.Get("Stripe-Signature"))
		if err != nil || r.URL.Path != "/api/webhooks/stripe" {
			t.Errorf("webhook at %s: %v", r.URL.Path, err)
		}
		events <- e
	}))
	defer server.Close()
	bank.Notify(server.URL)

	order := shop.Order{ID: 7, TotalCents: 1234, CreatedAt: time.Now()}
	p, err := gateway.CreateIntent(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := gateway.CreateIntent(t.Context(), order); err != nil || again.IntentID != p.IntentID {
		t.Errorf("the same order again: intent %q, %v; want %q", again.IntentID, err, p.IntentID)
	}
	if news, err := gateway.Intent(t.Context(), p.IntentID); err != nil || len(news) != 0 {
		t.Errorf("before it is paid: %v, %v", news, err)
	}
	pay(t, bank.URL(), p, http.StatusOK)
	if e := await(t, events); e.Type != shop.EventSucceeded || e.IntentID != p.IntentID || e.AmountCents != 1234 {
		t.Errorf("webhook %+v", e)
	}
	news, err := gateway.CancelIntent(t.Context(), p.IntentID) // too late: it says that it was paid
	if err != nil || len(news) != 1 || news[0].Type != shop.EventSucceeded {
		t.Errorf("canceled after it was paid: %v, %v", news, err)
	}
	if all := bank.Charges(time.Time{}); len(all) != 1 || all[0].Intent != p.IntentID || all[0].Refunded {
		t.Errorf("charges %+v", all)
	}
	for range 2 { // the second is the first again
		back, err := gateway.RefundIntent(t.Context(), shop.Refund{
			OrderID: 7, IntentID: p.IntentID, AmountCents: 1234, Attempt: 1,
		})
		if err != nil || back.Status != shop.ReturnSucceeded || back.AmountCents != 1234 {
			t.Errorf("refund %+v, %v", back, err)
		}
	}
	if e := await(t, events); e.Type != shop.EventRefund || e.Return.AmountCents != 1234 {
		t.Errorf("webhook %+v", e)
	}
	if all := bank.Charges(time.Time{}); !all[0].Refunded {
		t.Errorf("charges %+v", all)
	}
	if err := bank.Close(); err != nil {
		t.Error(err)
	}
}

// What is dropped does not arrive, and the shop finds it by asking. A canceled intent takes no money.
func TestDroppedWebhooks(t *testing.T) {
	bank, err := lab.New()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bank.Close() }()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a webhook arrived")
	}))
	defer server.Close()
	bank.Notify(server.URL)
	bank.Drop(true)
	gateway := stripe.New(stripe.Config{SecretKey: "sk_test_x", APIURL: bank.URL()})
	paid, err := gateway.CreateIntent(t.Context(), shop.Order{ID: 1, TotalCents: 100, CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	pay(t, bank.URL(), paid, http.StatusOK)
	if news, err := gateway.Intent(t.Context(), paid.IntentID); err != nil || len(news) != 1 ||
		news[0].AmountCents != 100 {
		t.Errorf("asked about it: %v, %v", news, err)
	}
	canceled, err := gateway.CreateIntent(t.Context(), shop.Order{ID: 2, TotalCents: 100, CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if news, err := gateway.CancelIntent(t.Context(), canceled.IntentID); err != nil || len(news) != 1 ||
		news[0].Type != shop.EventCanceled {
		t.Errorf("canceled: %v, %v", news, err)
	}
	pay(t, bank.URL(), canceled, http.StatusBadRequest)
	if all := bank.Charges(time.Time{}); len(all) != 1 {
		t.Errorf("charges %+v, want one", all)
	}
	if _, err := gateway.Intent(t.Context(), "pi_unknown"); shop.CodeOf(err) != shop.CodeNotFound {
		t.Errorf("an unknown intent: %v", err)
	}
}

// pay confirms as a browser does.
func pay(t *testing.T, api string, p shop.Payment, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api+"/v1/payment_intents/"+p.IntentID+"/confirm",
		strings.NewReader(url.Values{"client_secret": {p.ClientSecret}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		t.Errorf("confirmed: %s, want %d", resp.Status, want)
	}
}

func await(t *testing.T, events <-chan shop.Event) shop.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case e := <-events:
		return e
	case <-ctx.Done():
		t.Fatal("no webhook arrived")
		return shop.Event{}
	}
}
