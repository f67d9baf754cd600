package shoptest

import (
	"testing"
	"time"

	"shoplab/service/shop"
)

// paid is an order of 100 cents that is paid, and its payment.
func (s suite) paid() (shop.Order, shop.Payment) {
	s.t.Helper()
	u, product := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, product, 1, "k", time.Minute)
	p := s.pay(o)
	wantOutcome(s.t, s.event("evt_paid", shop.EventSucceeded, p), shop.OutcomePaid)
	return o, p
}

// testReturns: a refund counts when it has succeeded, whatever was accepted before, and in whatever
// order that is told.
func testReturns(t *testing.T, s suite) {
	o, p := s.paid()
	refund := func(id string, cents int64, status shop.ReturnStatus) shop.Return {
		return shop.Return{ID: id, AmountCents: cents, Status: status}
	}
	wantOutcome(t, s.returned("evt_1", p, refund("re_1", 100, shop.ReturnPending)), shop.OutcomeIgnored)
	s.wantStates(o, shop.OrderPaid, shop.PaymentCaptured)
	s.wantMoney(MoneyAudit{Captured: 100, Paid: 100})
	got, err := s.Payment(t.Context(), o.ID)
	s.must(err)
	if got.PendingCents != 100 || got.RefundedCents != 0 {
		t.Fatalf("payment is %+v", got)
	}
	wantOutcome(t, s.returned("evt_2", p, refund("re_1", 100, shop.ReturnFailed)), shop.OutcomeRefundFailed)
	s.wantMoney(MoneyAudit{Captured: 100, Paid: 100})
	wantOutcome(t, s.returned("evt_3", p, refund("re_2", 40, shop.ReturnSucceeded)), shop.OutcomePartlyRefunded)
	wantOutcome(t, s.returned("evt_4", p, refund("re_2", 40, shop.ReturnPending)), shop.OutcomeIgnored) // late
	wantOutcome(t, s.returned("evt_5", p, refund("re_1", 100, shop.ReturnSucceeded)), shop.OutcomeIgnored)
	s.wantMoney(MoneyAudit{Captured: 100, Paid: 60, Refunded: 40})
	wantOutcome(t, s.returned("evt_6", p, refund("re_3", 60, shop.ReturnSucceeded)), shop.OutcomeRefunded)
	wantOutcome(t, s.returned("evt_7", p, refund("re_4", 60, shop.ReturnSucceeded)), shop.OutcomeIgnored)
	s.wantStates(o, shop.OrderRefunded, shop.PaymentRefunded)
	s.wantMoney(MoneyAudit{Captured: 100, Refunded: 100})
}

// testRefundFails: a refund that fails after it was accepted, or even after it succeeded, is owed
// again, and each attempt is another one.
func testRefundFails(t *testing.T, s suite) {
	s.owe(1)
	due := func() shop.Refund {
		t.Helper()
		refunds, err := s.DueRefunds(t.Context(), 10, 0)
		s.must(err)
		if len(refunds) != 1 {
			t.Fatalf("due are %+v", refunds)
		}
		return refunds[0]
	}
	nothingDue := func() {
		t.Helper()
		refunds, err := s.DueRefunds(t.Context(), 10, 0)
		s.must(err)
		if len(refunds) != 0 {
			t.Fatalf("due are %+v", refunds)
		}
	}
	first := due()
	p := shop.Payment{IntentID: first.IntentID}
	back := shop.Return{ID: "re_1", AmountCents: 100, Status: shop.ReturnPending}
	wantOutcome(t, s.returned("evt_a", p, back), shop.OutcomeIgnored)
	nothingDue()
	s.wantMoney(MoneyAudit{Captured: 100, Owed: 100})
	back.Status = shop.ReturnFailed
	wantOutcome(t, s.returned("evt_b", p, back), shop.OutcomeRefundFailed)
	second := due()
	if first.Attempt != 0 || second.Attempt != 1 || second.AmountCents != 100 {
		t.Fatalf("attempts are %+v and %+v", first, second)
	}
	s.settle(second)
	nothingDue()
	s.wantMoney(MoneyAudit{Captured: 100, Refunded: 100})
	bounced := shop.Return{ID: "re_" + second.IntentID + "_1", AmountCents: 100, Status: shop.ReturnFailed}
	wantOutcome(t, s.returned("evt_c", p, bounced), shop.OutcomeRefundFailed)
	s.wantMoney(MoneyAudit{Captured: 100, Owed: 100})
	third := due()
	if third.Attempt != 2 {
		t.Fatalf("the third attempt is %+v", third)
	}
	s.settle(third)
	s.wantMoney(MoneyAudit{Captured: 100, Refunded: 100})
}

// testDispute: a dispute is shown while it is open, and the money counts as given back when it is lost.
func testDispute(t *testing.T, s suite) {
	o, p := s.paid()
	want := func(d shop.Dispute, money MoneyAudit) {
		t.Helper()
		got, err := s.Order(t.Context(), o.UserID, o.ID)
		s.must(err)
		if got.Dispute != d {
			t.Fatalf("the dispute is %q, want %q", got.Dispute, d)
		}
		s.wantMoney(money)
	}
	want("", MoneyAudit{Captured: 100, Paid: 100})
	dispute := func(id string, status shop.ReturnStatus) shop.Return {
		return shop.Return{ID: id, Dispute: true, AmountCents: 100, Status: status}
	}
	wantOutcome(t, s.returned("evt_1", p, dispute("dp_1", shop.ReturnPending)), shop.OutcomeDisputed)
	want(shop.DisputeOpen, MoneyAudit{Captured: 100, Paid: 100})
	wantOutcome(t, s.returned("evt_2", p, dispute("dp_1", shop.ReturnFailed)), shop.OutcomeIgnored)
	want(shop.DisputeWon, MoneyAudit{Captured: 100, Paid: 100})
	wantOutcome(t, s.returned("evt_3", p, dispute("dp_2", shop.ReturnSucceeded)), shop.OutcomeRefunded)
	want(shop.DisputeLost, MoneyAudit{Captured: 100, Refunded: 100})
	s.wantStates(o, shop.OrderRefunded, shop.PaymentRefunded)
	refunds, err := s.DueRefunds(t.Context(), 10, 0)
	s.must(err)
	if len(refunds) != 0 {
		t.Fatalf("due are %+v", refunds)
	}
}
