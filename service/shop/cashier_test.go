package shop_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"shoplab/service/shop"
	"shoplab/service/shoptest"
)

// gateway is a shop.Gateway that records what it is asked, knows what was paid, and can be made to fail.
type gateway struct {
	mu       sync.Mutex
	err      error
	created  int
	asked    int
	canceled []string
	told     map[string][]shop.Event // by intent, what became of it
	refunded map[string]int
	refund   shop.ReturnStatus // of what is refunded from now on; default: succeeded
}

func (g *gateway) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

// happens lets the gateway know what became of an intent, without a webhook.
func (g *gateway) happens(e shop.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e.ID = fmt.Sprintf("asked:%s %s %+v", e.Type, e.IntentID, e.Return)
	g.told[e.IntentID] = append(g.told[e.IntentID], e)
}

func (g *gateway) CreateIntent(_ context.Context, o shop.Order) (shop.Payment, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return shop.Payment{}, g.err
	}
	g.created++
	return shop.Payment{
		OrderID: o.ID, IntentID: intentOf(o.ID), ClientSecret: "secret", AmountCents: o.TotalCents, Currency: shop.Currency,
		Status: shop.PaymentOpen,
	}, nil
}

func (g *gateway) Intent(_ context.Context, id string) ([]shop.Event, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	return g.told[id], g.err
}

func (g *gateway) CancelIntent(ctx context.Context, id string) ([]shop.Event, error) {
	if events, err := g.Intent(ctx, id); err != nil || len(events) > 0 {
		return events, err
	}
	g.happens(shop.Event{Type: shop.EventCanceled, IntentID: id})
	g.mu.Lock()
	g.canceled = append(g.canceled, id)
	g.mu.Unlock()
	return g.Intent(ctx, id)
}

func (g *gateway) RefundIntent(_ context.Context, r shop.Refund) (shop.Return, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return shop.Return{}, g.err
	}
	g.refunded[r.IntentID]++
	id := fmt.Sprintf("re_%s_%d", r.IntentID, r.Attempt)
	return shop.Return{ID: id, AmountCents: r.AmountCents, Status: cmp.Or(g.refund, shop.ReturnSucceeded)}, nil
}

// questions returns how often the gateway was asked what became of an intent.
func (g *gateway) questions() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// refunds returns how often the intent was refunded.
func (g *gateway) refunds(o shop.Order) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refunded[intentOf(o.ID)]
}

// ParseEvent takes "TYPE INTENT CENTS" signed "good".
func (g *gateway) ParseEvent(body []byte, signature string) (shop.Event, error) {
	if signature != "good" {
		return shop.Event{}, shop.Errorf(shop.CodeBadSignature, "bad")
	}
	e := shop.Event{ID: "evt " + string(body), Currency: shop.Currency}
	_, err := fmt.Sscan(string(body), &e.Type, &e.IntentID, &e.AmountCents)
	return e, err
}

func intentOf(orderID int64) string { return fmt.Sprintf("pi_%d", orderID) }

// till is a cashier on an in-memory store, with what it was observed to do.
type till struct {
	*shop.Cashier
	store   *shoptest.Store
	gateway *gateway
	mu      sync.Mutex
	seen    map[string]int
	product shop.Product
}

func newTill(t *testing.T) *till {
	t.Helper()
	l := &till{
		store: shoptest.NewStore(), gateway: &gateway{refunded: map[string]int{}, told: map[string][]shop.Event{}},
		seen: map[string]int{},
	}
	l.Cashier = l.another()
	var err error
	l.product, err = l.store.PutProduct(t.Context(), shop.Product{
		Name: "Mug", Category: "Kitchen", PriceCents: 1000, Stock: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// another returns a second instance on the same store and gateway.
func (l *till) another() *shop.Cashier {
	c := shop.NewCashier(l.store, l.store, l.gateway)
	c.OrderTTL = 0 // orders expire when they were told to
	c.Log = slog.New(slog.DiscardHandler)
	c.Observe = func(event string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.seen[event]++
	}
	return c
}

func (l *till) observed(event string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[event]
}

// order places an order for one mug of user 1 that is held for ttl.
func (l *till) order(t *testing.T, ttl time.Duration) shop.Order {
	t.Helper()
	if _, err := l.store.AddItem(t.Context(), shop.Owner{UserID: 1}, l.product.ID, 1); err != nil {
		t.Fatal(err)
	}
	o, _, err := l.store.PlaceOrder(t.Context(), shop.OrderRequest{UserID: 1, Key: rand.Text(), TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// started places an order and starts its payment.
func (l *till) started(t *testing.T, ttl time.Duration) shop.Order {
	t.Helper()
	o := l.order(t, ttl)
	if _, err := l.StartPayment(t.Context(), 1, o.ID); err != nil {
		t.Fatal(err)
	}
	return o
}

// pays sends the webhook of a successful payment.
func (l *till) pays(t *testing.T, o shop.Order, cents int64, want shop.Outcome) {
	t.Helper()
	body := fmt.Sprintf("%s %s %d", shop.EventSucceeded, intentOf(o.ID), cents)
	got, err := l.Webhook(t.Context(), []byte(body), "good")
	if err != nil || got != want {
		t.Errorf("webhook = %q, %v, want %q", got, err, want)
	}
}

func (l *till) status(t *testing.T, o shop.Order) shop.OrderStatus {
	t.Helper()
	o, err := l.store.Order(t.Context(), o.UserID, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	return o.Status
}

func TestStartPayment(t *testing.T) {
	l := newTill(t)
	o := l.order(t, time.Hour)
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			p, err := l.StartPayment(t.Context(), 1, o.ID)
			if err != nil || p.IntentID != intentOf(o.ID) || p.AmountCents != 1000 {
				t.Errorf("payment = %+v, %v", p, err)
			}
		})
	}
	callers.Wait()
	made := l.gateway.created
	if _, err := l.StartPayment(t.Context(), 1, o.ID); err != nil || l.gateway.created != made {
		t.Errorf("a payment that is stored was made again (%v)", err)
	}
}

func TestStartPaymentRefuses(t *testing.T) {
	l := newTill(t)
	canceled := l.order(t, time.Hour)
	if _, err := l.Cancel(t.Context(), 1, canceled.ID); err != nil {
		t.Fatal(err)
	}
	paid := l.started(t, time.Hour)
	l.pays(t, paid, 1000, shop.OutcomePaid)
	short := l.started(t, time.Hour)
	l.pays(t, short, 999, shop.OutcomeRefund)
	tests := []struct {
		name  string
		user  int64
		order shop.Order
		code  shop.Code
	}{
		{"another's", 2, l.order(t, time.Hour), shop.CodeNotFound},
		{"canceled", 1, canceled, shop.CodeOrderNotPending},
		{"due but not yet swept", 1, l.order(t, 0), shop.CodeOrderNotPending},
		{"paid", 1, paid, shop.CodeOrderNotPending},
		{"paid in another amount", 1, short, shop.CodeOrderNotPending},
	}
	for _, tt := range tests {
		if _, err := l.StartPayment(t.Context(), tt.user, tt.order.ID); shop.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
		}
	}
}

func TestStartPaymentWithTheGatewayDown(t *testing.T) {
	l := newTill(t)
	o := l.order(t, time.Hour)
	down := errors.New("connection refused")
	l.gateway.fail(down)
	_, err := l.StartPayment(t.Context(), 1, o.ID)
	if shop.CodeOf(err) != shop.CodePaymentUnavailable || !errors.Is(err, down) {
		t.Errorf("err = %v, want %s and the cause", err, shop.CodePaymentUnavailable)
	}
	if l.status(t, o) != shop.OrderPending || l.observed(shop.ObservedPaymentUnavailable) != 1 {
		t.Errorf("order is %s; observed %v", l.status(t, o), l.seen)
	}
	l.gateway.fail(nil)
	if _, err := l.StartPayment(t.Context(), 1, o.ID); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestWebhook(t *testing.T) {
	l := newTill(t)
	o := l.started(t, time.Hour)
	succeeded := fmt.Appendf(nil, "%s %s 1000", shop.EventSucceeded, intentOf(o.ID))
	if _, err := l.Webhook(t.Context(), succeeded, "forged"); shop.CodeOf(err) != shop.CodeBadSignature {
		t.Errorf("forged: %v", err)
	}
	l.store.SetError(errors.New("database is gone"))
	if _, err := l.Webhook(t.Context(), succeeded, "good"); err == nil {
		t.Error("an event that was not applied was acknowledged")
	}
	if got, err := l.Webhook(t.Context(), []byte("customer.created cus_1 0"), "good"); err != nil ||
		got != shop.OutcomeIgnored {
		t.Errorf("an event of no interest went to the store: %q, %v", got, err)
	}
	l.store.SetError(nil)
	l.pays(t, o, 1000, shop.OutcomePaid)
	l.pays(t, o, 1000, shop.OutcomeDuplicate)
	if l.status(t, o) != shop.OrderPaid {
		t.Errorf("order is %s", l.status(t, o))
	}
	for event, want := range map[string]int{
		"payment_paid": 1, "payment_duplicate": 1, "payment_ignored": 1, shop.ObservedPaymentStarted: 1,
	} {
		if got := l.observed(event); got != want {
			t.Errorf("%s was observed %d times, want %d", event, got, want)
		}
	}
}

func TestCancel(t *testing.T) {
	l := newTill(t)
	unpaid, begun, down := l.order(t, time.Hour), l.started(t, time.Hour), l.started(t, time.Hour)
	for _, o := range []shop.Order{unpaid, begun} {
		if o, err := l.Cancel(t.Context(), 1, o.ID); err != nil || o.Status != shop.OrderCanceled {
			t.Errorf("cancel: %s, %v", o.Status, err)
		}
	}
	if len(l.gateway.canceled) != 1 || l.gateway.canceled[0] != intentOf(begun.ID) {
		t.Errorf("canceled intents %v, want that of the order with a payment", l.gateway.canceled)
	}
	if _, err := l.Cancel(t.Context(), 1, begun.ID); shop.CodeOf(err) != shop.CodeOrderNotPending {
		t.Errorf("cancel again: %v", err)
	}
	l.gateway.fail(errors.New("connection refused"))
	if o, err := l.Cancel(t.Context(), 1, down.ID); err != nil || o.Status != shop.OrderCanceled {
		t.Errorf("cancel with the gateway down: %s, %v", o.Status, err)
	}
}
