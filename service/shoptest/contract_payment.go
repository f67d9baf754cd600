package shoptest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoplab/service/shop"
)

// TestPayments holds a shop.Payments to its contract.
func TestPayments(t *testing.T, newStore func(*testing.T) Backend) {
	for name, test := range map[string]func(*testing.T, suite){
		"save":                       testSavePayment,
		"paid":                       testPaid,
		"same event at once":         testSameEventAtOnce,
		"late":                       testPaidLate,
		"wrong amount":               testWrongAmount,
		"refund by event":            testRefundEvents,
		"returns":                    testReturns,
		"refund that fails":          testRefundFails,
		"dispute":                    testDispute,
		"intent canceled":            testIntentCanceled,
		"expiry waits for an answer": testExpiryWaits,
		"checks":                     testChecks,
		"checks claimed at once":     testChecksAtOnce,
		"refund leases":              testRefundLeases,
		"refunds claimed at once":    testRefundsAtOnce,
		"cancel and payment at once": testCancelAgainstPayment,
	} {
		t.Run(name, func(t *testing.T) { test(t, newSuite(t, newStore)) })
	}
}

// pay saves the payment of an order as a gateway would have made it.
func (s suite) pay(o shop.Order) shop.Payment {
	s.t.Helper()
	p, err := s.SavePayment(s.ctx(), shop.Payment{
		OrderID: o.ID, IntentID: fmt.Sprint("pi_", o.ID), ClientSecret: "secret", AmountCents: o.TotalCents,
		Currency: shop.Currency, Status: shop.PaymentOpen,
	})
	s.must(err)
	return p
}

// event applies an event of p with p's amount.
func (s suite) event(id string, kind shop.EventType, p shop.Payment) shop.Outcome {
	s.t.Helper()
	outcome, err := s.ApplyEvent(s.ctx(), shop.Event{
		ID: id, Type: kind, IntentID: p.IntentID, AmountCents: p.AmountCents, Currency: p.Currency, CreatedAt: time.Now(),
	})
	s.must(err)
	return outcome
}

// returned applies an event of a refund or dispute of p.
func (s suite) returned(event string, p shop.Payment, r shop.Return) shop.Outcome {
	s.t.Helper()
	kind := shop.EventRefund
	if r.Dispute {
		kind = shop.EventDispute
	}
	outcome, err := s.ApplyEvent(s.ctx(), shop.Event{
		ID: event, Type: kind, IntentID: p.IntentID, Return: r, CreatedAt: time.Now(),
	})
	s.must(err)
	return outcome
}

// settle gives the refund back, as a gateway does that answers at once.
func (s suite) settle(r shop.Refund) {
	s.t.Helper()
	id := fmt.Sprintf("re_%s_%d", r.IntentID, r.Attempt)
	back := shop.Return{ID: id, AmountCents: r.AmountCents, Status: shop.ReturnSucceeded}
	wantOutcome(s.t, s.returned("asked "+id, shop.Payment{IntentID: r.IntentID}, back), shop.OutcomeRefunded)
}

// wantStates compares the state of an order and of its payment.
func (s suite) wantStates(o shop.Order, order shop.OrderStatus, payment shop.PaymentStatus) {
	s.t.Helper()
	got, err := s.Order(s.ctx(), o.UserID, o.ID)
	s.must(err)
	p, err := s.Payment(s.ctx(), o.ID)
	s.must(err)
	if got.Status != order || p.Status != payment {
		s.t.Fatalf("order is %s and payment %s, want %s and %s", got.Status, p.Status, order, payment)
	}
}

func wantOutcome(t *testing.T, got, want shop.Outcome) {
	t.Helper()
	if got != want {
		t.Fatalf("outcome is %s, want %s", got, want)
	}
}

func testSavePayment(t *testing.T, s suite) {
	ctx := t.Context()
	u, p := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, p, 1, "k", time.Minute)
	_, err := s.Payment(ctx, o.ID)
	wantCode(t, err, shop.CodeNotFound)
	want := shop.Payment{
		OrderID: o.ID, IntentID: "pi_1", ClientSecret: "secret", AmountCents: 100, Currency: "usd", Status: shop.PaymentOpen,
	}
	got, err := s.SavePayment(ctx, want)
	s.must(err)
	if got != want {
		t.Fatalf("saved %+v, want %+v", got, want)
	}
	other := want
	other.IntentID, other.ClientSecret = "pi_2", "another"
	got, err = s.SavePayment(ctx, other) // the first one stays
	s.must(err)
	if got != want {
		t.Fatalf("saved %+v, want %+v", got, want)
	}
	got, err = s.Payment(ctx, o.ID)
	s.must(err)
	if got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	_, err = s.SavePayment(ctx, shop.Payment{OrderID: o.ID + 1000, IntentID: "pi_3", Currency: "usd"})
	wantCode(t, err, shop.CodeNotFound)
}

func testPaid(t *testing.T, s suite) {
	u, product := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, product, 3, "k", 0)
	p := s.pay(o)
	wantOutcome(t, s.event("evt_1", shop.EventFailed, p), shop.OutcomeFailed)
	s.wantStates(o, shop.OrderPending, shop.PaymentOpen)
	wantOutcome(t, s.event("evt_2", shop.EventSucceeded, p), shop.OutcomePaid)
	wantOutcome(t, s.event("evt_2", shop.EventSucceeded, p), shop.OutcomeDuplicate)
	wantOutcome(t, s.event("evt_3", shop.EventSucceeded, p), shop.OutcomeIgnored)
	wantOutcome(t, s.event("evt_4", shop.EventCanceled, p), shop.OutcomeIgnored)
	s.wantStates(o, shop.OrderPaid, shop.PaymentCaptured)
	s.wantStock(product, 7, 0, 3)
	s.wantMoney(MoneyAudit{Captured: 300, Paid: 300})

	unknown := p
	unknown.IntentID = "pi_unknown"
	wantOutcome(t, s.event("evt_5", shop.EventSucceeded, unknown), shop.OutcomeUnknown)
	wantOutcome(t, s.event("evt_5", shop.EventSucceeded, unknown), shop.OutcomeUnknown)

	_, err := s.CancelOrder(t.Context(), u.ID, o.ID)
	wantCode(t, err, shop.CodeOrderNotPending)
	ids, err := s.ExpireOrders(t.Context(), 10, 0) // due, but paid
	s.must(err)
	if len(ids) != 0 {
		t.Fatalf("a paid order expired: %v", ids)
	}
	refunds, err := s.DueRefunds(t.Context(), 10, time.Minute)
	s.must(err)
	if len(refunds) != 0 {
		t.Fatalf("refunds owed: %v", refunds)
	}
}

func testSameEventAtOnce(t *testing.T, s suite) {
	u, product := s.user("ada@example.com"), s.product("p", 100, 10)
	p := s.pay(s.order(u, product, 1, "k", time.Minute))
	var (
		wg         sync.WaitGroup
		paid, dups atomic.Int32
	)
	for range 16 {
		wg.Go(func() {
			outcome, err := s.ApplyEvent(t.Context(), shop.Event{
				ID: "evt_1", Type: shop.EventSucceeded, IntentID: p.IntentID, AmountCents: 100, Currency: "usd",
			})
			switch {
			case err != nil:
				t.Errorf("apply: %v", err)
			case outcome == shop.OutcomePaid:
				paid.Add(1)
			case outcome == shop.OutcomeDuplicate:
				dups.Add(1)
			}
		})
	}
	wg.Wait()
	if paid.Load() != 1 || dups.Load() != 15 {
		t.Fatalf("paid %d times, %d duplicates", paid.Load(), dups.Load())
	}
	s.wantMoney(MoneyAudit{Captured: 100, Paid: 100})
}

func testPaidLate(t *testing.T, s suite) {
	ctx := t.Context()
	u, product := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, product, 2, "k", time.Minute)
	p := s.pay(o)
	_, err := s.CancelOrder(ctx, u.ID, o.ID)
	s.must(err)
	wantOutcome(t, s.event("evt_1", shop.EventSucceeded, p), shop.OutcomeRefund)
	s.wantStates(o, shop.OrderCanceled, shop.PaymentRefunding)
	s.wantStock(product, 10, 0, 0)
	s.wantMoney(MoneyAudit{Captured: 200, Owed: 200})
	refunds, err := s.DueRefunds(ctx, 10, time.Minute)
	s.must(err)
	if want := []shop.Refund{{IntentID: p.IntentID, OrderID: o.ID, AmountCents: 200}}; !slices.Equal(refunds, want) {
		t.Fatalf("refunds are %+v, want %+v", refunds, want)
	}
	s.settle(refunds[0])
	s.wantStates(o, shop.OrderCanceled, shop.PaymentRefunded)
	again := shop.Return{ID: "re_" + p.IntentID + "_0", AmountCents: 200, Status: shop.ReturnSucceeded}
	wantOutcome(t, s.returned("evt_2", p, again), shop.OutcomeIgnored)
	s.wantMoney(MoneyAudit{Captured: 200, Refunded: 200})
}

func testWrongAmount(t *testing.T, s suite) {
	u, product := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, product, 1, "k", time.Minute)
	p := s.pay(o)
	p.AmountCents = 99
	wantOutcome(t, s.event("evt_1", shop.EventSucceeded, p), shop.OutcomeRefund)
	s.wantStates(o, shop.OrderPending, shop.PaymentRefunding)
	refunds, err := s.DueRefunds(t.Context(), 10, time.Minute)
	s.must(err)
	if len(refunds) != 1 || refunds[0].AmountCents != 99 {
		t.Fatalf("refunds are %+v", refunds)
	}
	s.wantMoney(MoneyAudit{Captured: 99, Owed: 99})
}

func testRefundEvents(t *testing.T, s suite) {
	u, product := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, product, 1, "k", time.Minute)
	p := s.pay(o)
	wantOutcome(t, s.event("evt_1", shop.EventSucceeded, p), shop.OutcomePaid)
	wantOutcome(t, s.returned("evt_2", p, shop.Return{ID: "re_1", AmountCents: 30, Status: shop.ReturnSucceeded}),
		shop.OutcomePartlyRefunded)
	s.wantStates(o, shop.OrderPaid, shop.PaymentCaptured)
	s.wantMoney(MoneyAudit{Captured: 100, Paid: 70, Refunded: 30})
	shown, err := s.Order(t.Context(), u.ID, o.ID)
	s.must(err)
	if shown.RefundedCents != 30 {
		t.Fatalf("the order says %d cents are refunded, want 30", shown.RefundedCents)
	}
	wantOutcome(t, s.returned("evt_3", p, shop.Return{ID: "re_2", AmountCents: 70, Status: shop.ReturnSucceeded}),
		shop.OutcomeRefunded)
	s.wantStates(o, shop.OrderRefunded, shop.PaymentRefunded)
	s.wantMoney(MoneyAudit{Captured: 100, Refunded: 100})
	s.wantStock(product, 9, 0, 1)

	// The news of a refund overtakes that of its capture.
	o = s.order(u, product, 1, "k2", time.Minute)
	p = s.pay(o)
	wantOutcome(t, s.returned("evt_4", p, shop.Return{ID: "re_3", AmountCents: 100, Status: shop.ReturnSucceeded}),
		shop.OutcomeIgnored)
	wantOutcome(t, s.event("evt_5", shop.EventSucceeded, p), shop.OutcomeRefunded)
	s.wantStates(o, shop.OrderPending, shop.PaymentRefunded)
	s.wantMoney(MoneyAudit{Captured: 200, Refunded: 200})
}

// testCancelAgainstPayment lets each order be canceled and paid at once: whoever comes first, the
// pieces are sold or back in stock, and the money is earned or owed back.
func testCancelAgainstPayment(t *testing.T, s suite) {
	const orders = 20
	product := s.product("p", 100, 100)
	var (
		wg   sync.WaitGroup
		paid atomic.Int64
	)
	for i, u := range s.users(orders) {
		o := s.order(u, product, 1, "k", time.Minute)
		p := s.pay(o)
		wg.Go(func() {
			if _, err := s.CancelOrder(t.Context(), u.ID, o.ID); err != nil && shop.CodeOf(err) != shop.CodeOrderNotPending {
				t.Errorf("cancel: %v", err)
			}
		})
		wg.Go(func() {
			outcome, err := s.ApplyEvent(t.Context(), shop.Event{
				ID: fmt.Sprint("evt_", i), Type: shop.EventSucceeded, IntentID: p.IntentID, AmountCents: 100, Currency: "usd",
			})
			if err != nil {
				t.Errorf("apply: %v", err)
			}
			if outcome == shop.OutcomePaid {
				paid.Add(1)
			}
		})
	}
	wg.Wait()
	n := paid.Load()
	s.wantStock(product, int(100-n), 0, int(n))
	s.wantMoney(MoneyAudit{Captured: 100 * orders, Paid: 100 * n, Owed: 100 * (orders - n)})
}
