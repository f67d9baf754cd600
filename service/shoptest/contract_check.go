package shoptest

import (
	"context"
	"slices"
	"testing"
	"time"

	"shoplab/service/shop"
)

// testIntentCanceled: an intent that was canceled ends the payment, but money that came all the same
// counts.
func testIntentCanceled(t *testing.T, s suite) {
	u, product := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, product, 1, "k", time.Minute)
	p := s.pay(o)
	wantOutcome(t, s.event("evt_1", shop.EventCanceled, p), shop.OutcomeCanceled)
	wantOutcome(t, s.event("evt_2", shop.EventCanceled, p), shop.OutcomeIgnored)
	s.wantStates(o, shop.OrderPending, shop.PaymentCanceled)
	_, err := s.CancelOrder(t.Context(), u.ID, o.ID)
	s.must(err)
	wantOutcome(t, s.event("evt_3", shop.EventSucceeded, p), shop.OutcomeRefund)
	s.wantStates(o, shop.OrderCanceled, shop.PaymentRefunding)
	s.wantMoney(MoneyAudit{Captured: 100, Owed: 100})
}

// testExpiryWaits: a due order whose payment is open waits for what the gateway says, but not for ever.
func testExpiryWaits(t *testing.T, s suite) {
	ctx := t.Context()
	u, product := s.user("ada@example.com"), s.product("p", 100, 10)
	unpaid, begun, canceled := s.order(u, product, 1, "unpaid", 0), s.order(u, product, 1, "begun", 0),
		s.order(u, product, 1, "canceled", 0)
	s.pay(begun)
	s.event("evt_1", shop.EventCanceled, s.pay(canceled))
	expire := func(grace time.Duration, want ...int64) {
		t.Helper()
		ids, err := s.ExpireOrders(ctx, 10, grace)
		s.must(err)
		if slices.Sort(ids); !slices.Equal(ids, want) {
			t.Fatalf("expired %v, want %v", ids, want)
		}
	}
	expire(time.Hour, unpaid.ID, canceled.ID)
	s.wantStock(product, 9, 1, 0)
	expire(time.Hour)
	expire(0, begun.ID)
	s.wantStock(product, 10, 0, 0)
}

func (s suite) checks(limit int) []shop.Check {
	s.t.Helper()
	checks, err := s.DueChecks(s.ctx(), limit)
	s.must(err)
	return checks
}

func testChecks(t *testing.T, s suite) {
	ctx := t.Context()
	u, product := s.user("ada@example.com"), s.product("p", 100, 20)
	soon := func(o shop.Order, wait time.Duration, want bool) {
		t.Helper()
		due, err := s.CheckSoon(ctx, o.ID, wait)
		s.must(err)
		if due != want {
			t.Fatalf("due is %v, want %v", due, want)
		}
	}
	want := func(checks ...shop.Check) {
		t.Helper()
		if got := s.checks(10); !slices.Equal(got, checks) {
			t.Fatalf("checks are %+v, want %+v", got, checks)
		}
	}
	o := s.order(u, product, 1, "k1", time.Hour)
	soon(o, 0, false) // nobody began to pay
	p := s.pay(o)
	check := shop.Check{IntentID: p.IntentID, OrderID: o.ID}
	want() // not yet
	soon(o, time.Hour, false)
	soon(o, 0, true)
	soon(o, time.Hour, true) // it does not go back, and is due until somebody has claimed it
	want(check)
	want()
	soon(o, 0, true)
	wantOutcome(t, s.event("evt_1", shop.EventSucceeded, p), shop.OutcomePaid)
	want() // what the webhook has told need not be asked soon
	soon(o, 0, true)
	want(check) // refunds and disputes may come for long

	due := s.order(u, product, 1, "k2", 0)
	dueCheck := shop.Check{IntentID: s.pay(due).IntentID, OrderID: due.ID, Over: true}
	want(dueCheck) // at once, because it expires
	want()
	canceled := s.order(u, product, 1, "k3", time.Hour)
	p = s.pay(canceled)
	_, err := s.CancelOrder(ctx, u.ID, canceled.ID)
	s.must(err)
	soon(canceled, 0, true)
	want(shop.Check{IntentID: p.IntentID, OrderID: canceled.ID, Over: true})
	s.event("evt_2", shop.EventCanceled, p)
	soon(canceled, 0, false) // nothing more can become of it
	want()
}

func testChecksAtOnce(t *testing.T, s suite) {
	const payments = 20
	product := s.product("p", 100, 100)
	for _, u := range s.users(payments) {
		s.pay(s.order(u, product, 1, "k", 0))
	}
	claimedOnce(t, payments, func(ctx context.Context) (intents []string, err error) {
		checks, err := s.DueChecks(ctx, 3)
		for _, c := range checks {
			intents = append(intents, c.IntentID)
		}
		return intents, err
	})
}
