package stripe

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"shoplab/service/shop"
	"shoplab/service/shoptest"
)

// counter is a shop whose webhooks are Stripe's, with one order of 5000 cents and its intent pi_1.
type counter struct {
	*shop.Cashier
	store *shoptest.Store
	order shop.Order
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	store := shoptest.NewStore()
	mug, err := store.PutProduct(t.Context(), shop.Product{Name: "Mug", Category: "Kitchen", PriceCents: 5000, Stock: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.AddItem(t.Context(), shop.Owner{UserID: 1}, mug.ID, 1); err != nil {
		t.Fatal(err)
	}
	o, _, err := store.PlaceOrder(t.Context(), shop.OrderRequest{UserID: 1, Key: "key", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.SavePayment(t.Context(), shop.Payment{
		OrderID: o.ID, IntentID: "pi_1", AmountCents: 5000, Currency: "usd",
	}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	c := shop.NewCashier(store, store, New(Config{WebhookSecret: testSecret, Log: log}))
	c.Log = log
	return &counter{c, store, o}
}

// notice is an event about pi_1.
type notice struct {
	id       string
	typ      shop.EventType
	cents    int64
	currency string
}

func (w notice) body() []byte {
	object := map[string]any{"id": "pi_1", "amount_received": w.cents, "currency": w.currency}
	if w.typ == shop.EventRefund {
		object = map[string]any{"id": "re_1", "payment_intent": "pi_1", "amount": w.cents, "status": "succeeded"}
	}
	return eventBody(w.id, w.typ, object)
}

func (c *counter) send(t *testing.T, w notice) shop.Outcome {
	t.Helper()
	body := w.body()
	got, err := c.Webhook(t.Context(), body, sign(body, testSecret, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (c *counter) status(t *testing.T) shop.OrderStatus {
	t.Helper()
	o, err := c.store.Order(t.Context(), 1, c.order.ID)
	if err != nil {
		t.Fatal(err)
	}
	return o.Status
}

var (
	succeeded = notice{"evt_s", shop.EventSucceeded, 5000, "usd"}
	failed    = notice{"evt_f", shop.EventFailed, 0, "usd"}
	canceled  = notice{"evt_c", shop.EventCanceled, 0, "usd"}
	refunded  = notice{"evt_r", shop.EventRefund, 5000, "usd"}
)

func TestWebhooks(t *testing.T) {
	tests := []struct {
		name     string
		sent     []notice
		outcomes []shop.Outcome
		status   shop.OrderStatus
		payment  shop.PaymentStatus
	}{
		{"paid", []notice{succeeded}, []shop.Outcome{shop.OutcomePaid}, shop.OrderPaid, shop.PaymentCaptured},
		{
			"replayed",
			[]notice{succeeded, succeeded, succeeded},
			[]shop.Outcome{shop.OutcomePaid, shop.OutcomeDuplicate, shop.OutcomeDuplicate},
			shop.OrderPaid, shop.PaymentCaptured,
		},
		{
			"failed after success",
			[]notice{succeeded, failed},
			[]shop.Outcome{shop.OutcomePaid, shop.OutcomeIgnored},
			shop.OrderPaid, shop.PaymentCaptured,
		},
		{
			"failed, then paid",
			[]notice{failed, succeeded},
			[]shop.Outcome{shop.OutcomeFailed, shop.OutcomePaid},
			shop.OrderPaid, shop.PaymentCaptured,
		},
		{
			"canceled after success",
			[]notice{succeeded, canceled},
			[]shop.Outcome{shop.OutcomePaid, shop.OutcomeIgnored},
			shop.OrderPaid, shop.PaymentCaptured,
		},
		{
			"refunded",
			[]notice{succeeded, refunded},
			[]shop.Outcome{shop.OutcomePaid, shop.OutcomeRefunded},
			shop.OrderRefunded, shop.PaymentRefunded,
		},
		{
			"wrong amount",
			[]notice{{"evt_1", shop.EventSucceeded, 4999, "usd"}},
			[]shop.Outcome{shop.OutcomeRefund},
			shop.OrderPending, shop.PaymentRefunding,
		},
		{
			"wrong currency",
			[]notice{{"evt_1", shop.EventSucceeded, 5000, "jpy"}},
			[]shop.Outcome{shop.OutcomeRefund},
			shop.OrderPending, shop.PaymentRefunding,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCounter(t)
			for i, w := range tt.sent {
				if got := c.send(t, w); got != tt.outcomes[i] {
					t.Errorf("event %d: %q, want %q", i, got, tt.outcomes[i])
				}
			}
			p, err := c.store.Payment(t.Context(), c.order.ID)
			if err != nil || p.Status != tt.payment || c.status(t) != tt.status {
				t.Errorf("payment is %s, order %s, %v; want %s, %s", p.Status, c.status(t), err, tt.payment, tt.status)
			}
		})
	}
}

func TestWebhooksThatAreForgedChangeNothing(t *testing.T) {
	c := newCounter(t)
	body := succeeded.body()
	other := notice{"evt_s", shop.EventSucceeded, 1, "usd"}.body()
	for _, signature := range []string{
		"", sign(body, "", time.Now()), sign(body, "whsec_guess", time.Now()),
		sign(other, testSecret, time.Now()), sign(body, testSecret, time.Now().Add(-time.Hour)),
	} {
		if _, err := c.Webhook(t.Context(), body, signature); shop.CodeOf(err) != shop.CodeBadSignature {
			t.Errorf("signature %q: %v", signature, err)
		}
	}
	if c.status(t) != shop.OrderPending {
		t.Errorf("order is %s", c.status(t))
	}
}

// TestWebhooksInEveryOrder sends the same events in all orders, each twice: where the money is must
// not depend on the order.
func TestWebhooksInEveryOrder(t *testing.T) {
	for _, events := range permutations([]notice{succeeded, failed, canceled, refunded}) {
		c := newCounter(t)
		for _, w := range append(events, events...) {
			c.send(t, w)
		}
		money, err := c.store.MoneyAudit(t.Context())
		if want := (shoptest.MoneyAudit{Captured: 5000, Refunded: 5000}); err != nil || money != want {
			t.Errorf("%s: money = %+v, %v, want %+v", fmt.Sprint(events), money, err, want)
		}
		if s := c.status(t); s == shop.OrderPaid {
			t.Errorf("%s: the order is paid though the money went back", fmt.Sprint(events))
		}
	}
}

func permutations(in []notice) [][]notice {
	if len(in) == 0 {
		return [][]notice{{}}
	}
	var out [][]notice
	for i := range in {
		rest := append(append([]notice{}, in[:i]...), in[i+1:]...)
		for _, p := range permutations(rest) {
			out = append(out, append([]notice{in[i]}, p...))
		}
	}
	return out
}
