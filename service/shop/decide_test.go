package shop

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// decided is what a Decision says of the money.
type decided struct {
	Outcome            Outcome
	Order              OrderStatus
	Payment            PaymentStatus
	Captured, Refunded int64
}

func TestDecide(t *testing.T) {
	const total = 1000
	ok := Event{Type: EventSucceeded, AmountCents: total, Currency: "usd"}
	open := Payment{AmountCents: total, Currency: "usd", Status: PaymentOpen}
	captured := Payment{AmountCents: total, Currency: "usd", Status: PaymentCaptured, CapturedCents: total}
	refunding := Payment{AmountCents: total, Currency: "usd", Status: PaymentRefunding, CapturedCents: total}
	refunded := Payment{
		AmountCents: total, Currency: "usd", Status: PaymentRefunded, CapturedCents: total, RefundedCents: total,
	}
	noted := open
	noted.RefundedCents = total
	canceled := open
	canceled.Status = PaymentCanceled
	refund := func(cents int64, status ReturnStatus) Event {
		return Event{Type: EventRefund, Return: Return{ID: "re_1", AmountCents: cents, Status: status}}
	}
	part, all := refund(400, ReturnSucceeded), refund(total, ReturnSucceeded)
	dispute := func(status ReturnStatus) Event {
		return Event{Type: EventDispute, Return: Return{ID: "dp_1", Dispute: true, AmountCents: total, Status: status}}
	}
	partly := captured
	partly.RefundedCents = 400

	for name, tt := range map[string]struct {
		order   OrderStatus
		payment Payment
		event   Event
		want    decided
		known   []Return
	}{
		"paid": {OrderPending, open, ok, decided{OutcomePaid, OrderPaid, PaymentCaptured, total, 0}, nil},
		"paid after cancel": {
			OrderCanceled, open, ok, decided{OutcomeRefund, OrderCanceled, PaymentRefunding, total, 0}, nil,
		},
		"paid after expiry": {OrderExpired, open, ok, decided{OutcomeRefund, OrderExpired, PaymentRefunding, total, 0}, nil},
		"paid too little": {
			OrderPending, open,
			Event{Type: EventSucceeded, AmountCents: 999, Currency: "usd"},
			decided{OutcomeRefund, OrderPending, PaymentRefunding, 999, 0},
			nil,
		},
		"paid too much": {
			OrderPending, open,
			Event{Type: EventSucceeded, AmountCents: 1001, Currency: "usd"},
			decided{OutcomeRefund, OrderPending, PaymentRefunding, 1001, 0},
			nil,
		},
		"paid in another currency": {
			OrderPending, open,
			Event{Type: EventSucceeded, AmountCents: total, Currency: "eur"},
			decided{OutcomeRefund, OrderPending, PaymentRefunding, total, 0},
			nil,
		},
		"intent is not the order's": {
			OrderPending,
			Payment{AmountCents: 1, Currency: "usd", Status: PaymentOpen},
			Event{Type: EventSucceeded, AmountCents: 1, Currency: "usd"},
			decided{
				OutcomeRefund, OrderPending, PaymentRefunding, 1, 0,
			},
			nil,
		},
		"succeeded without money": {
			OrderPending, open,
			Event{Type: EventSucceeded, Currency: "usd"},
			decided{OutcomeIgnored, OrderPending, PaymentOpen, 0, 0},
			nil,
		},
		"paid again": {OrderPaid, captured, ok, decided{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 0}, nil},
		"paid again while refunding": {
			OrderCanceled, refunding, ok, decided{OutcomeIgnored, OrderCanceled, PaymentRefunding, total, 0}, nil,
		},
		"paid again after refund": {
			OrderRefunded, refunded, ok, decided{OutcomeIgnored, OrderRefunded, PaymentRefunded, total, total}, nil,
		},
		"failed": {
			OrderPending, open, Event{Type: EventFailed}, decided{OutcomeFailed, OrderPending, PaymentOpen, 0, 0}, nil,
		},
		"failed, late": {
			OrderPaid, captured, Event{Type: EventFailed}, decided{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 0}, nil,
		},
		"intent canceled": {
			OrderPending, open, Event{Type: EventCanceled}, decided{OutcomeCanceled, OrderPending, PaymentCanceled, 0, 0}, nil,
		},
		"intent canceled again": {
			OrderPending, canceled,
			Event{Type: EventCanceled},
			decided{OutcomeIgnored, OrderPending, PaymentCanceled, 0, 0},
			nil,
		},
		"paid though canceled": {
			OrderExpired, canceled, ok, decided{OutcomeRefund, OrderExpired, PaymentRefunding, total, 0}, nil,
		},
		"paid, told after canceled": {
			OrderPending, canceled, ok, decided{OutcomePaid, OrderPaid, PaymentCaptured, total, 0}, nil,
		},
		"intent canceled, late": {
			OrderPaid, captured, Event{Type: EventCanceled}, decided{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 0}, nil,
		},
		"refund confirmed": {
			OrderExpired, refunding, all, decided{OutcomeRefunded, OrderExpired, PaymentRefunded, total, total}, nil,
		},
		"refund confirmed again": {
			OrderExpired, refunded, all,
			decided{OutcomeIgnored, OrderExpired, PaymentRefunded, total, total},
			[]Return{all.Return},
		},
		"refunded from outside": {
			OrderPaid, captured, all, decided{OutcomeRefunded, OrderRefunded, PaymentRefunded, total, total}, nil,
		},
		"refunded in part": {
			OrderPaid, captured, part, decided{OutcomePartlyRefunded, OrderPaid, PaymentCaptured, total, 400}, nil,
		},
		"refund overtakes capture": {
			OrderPending, open, all, decided{OutcomeIgnored, OrderPending, PaymentOpen, 0, total}, nil,
		},
		"capture after its refund": {
			OrderPending, noted, ok, decided{OutcomeRefunded, OrderPending, PaymentRefunded, total, total}, nil,
		},
		"less captured than refunded": {
			OrderPending, noted,
			Event{Type: EventSucceeded, AmountCents: 900, Currency: "usd"},
			decided{OutcomeRefunded, OrderPending, PaymentRefunded, 900, 900},
			nil,
		},
		"unknown event": {
			OrderPending, open,
			Event{Type: "charge.captured", AmountCents: total},
			decided{OutcomeIgnored, OrderPending, PaymentOpen, 0, 0},
			nil,
		},
		"refund of more than was had": {
			OrderPaid, captured, refund(2000, ReturnSucceeded),
			decided{OutcomeRefunded, OrderRefunded, PaymentRefunded, total, total},
			nil,
		},
		"refund accepted": {
			OrderExpired, refunding, refund(total, ReturnPending),
			decided{OutcomeIgnored, OrderExpired, PaymentRefunding, total, 0},
			nil,
		},
		"refund failed": {
			OrderExpired, refunding, refund(total, ReturnFailed),
			decided{OutcomeRefundFailed, OrderExpired, PaymentRefunding, total, 0},
			[]Return{
				refund(total, ReturnPending).Return,
			},
		},
		"refund failed, told late": {
			OrderExpired, refunding, refund(total, ReturnPending),
			decided{OutcomeIgnored, OrderExpired, PaymentRefunding, total, 0},
			[]Return{
				refund(total, ReturnFailed).Return,
			},
		},
		"refund failed after success": {
			OrderExpired, refunded, refund(total, ReturnFailed),
			decided{OutcomeRefundFailed, OrderExpired, PaymentRefunding, total, 0},
			[]Return{
				all.Return,
			},
		},
		"and of an order": {
			OrderRefunded, refunded, refund(total, ReturnFailed),
			decided{OutcomeRefundFailed, OrderRefunded, PaymentRefunding, total, 0},
			[]Return{
				all.Return,
			},
		},
		"a part failed after success": {
			OrderPaid, partly, refund(400, ReturnFailed),
			decided{OutcomeRefundFailed, OrderPaid, PaymentCaptured, total, 0},
			[]Return{part.Return},
		},
		"a return without an id": {
			OrderPaid, captured,
			Event{Type: EventRefund, Return: Return{AmountCents: total, Status: ReturnSucceeded}},
			decided{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 0},
			nil,
		},
		"disputed": {
			OrderPaid, captured, dispute(ReturnPending), decided{OutcomeDisputed, OrderPaid, PaymentCaptured, total, 0}, nil,
		},
		"dispute won": {
			OrderPaid, captured, dispute(ReturnFailed),
			decided{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 0},
			[]Return{dispute(ReturnPending).Return},
		},
		"dispute lost": {
			OrderPaid, captured, dispute(ReturnSucceeded),
			decided{OutcomeRefunded, OrderRefunded, PaymentRefunded, total, total},
			[]Return{
				dispute(ReturnPending).Return,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := Order{Status: tt.order, TotalCents: total}
			d := Decide(o, tt.payment, tt.event, tt.known)
			if got := (decided{d.Outcome, d.Order, d.Payment, d.CapturedCents, d.RefundedCents}); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// TestMoneyIsConserved plays any sequence of events, with duplicates, in any order, mixed with
// cancellation, expiry and refunds, and holds the books after each step.
func TestMoneyIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(1, 5000).Draw(t, "total")
		o := Order{Status: OrderPending, TotalCents: total}
		p := Payment{AmountCents: total, Currency: Currency, Status: PaymentOpen}
		amount := rapid.OneOf(rapid.Just(total), rapid.Int64Range(0, 6000))
		paid := 0
		var known []Return

		apply := func(e Event) {
			before, d := o.Status, Decide(o, p, e, known)
			if d.Order != before && !before.CanBecome(d.Order) {
				t.Fatalf("order went from %s to %s", before, d.Order)
			}
			if (d.Outcome == OutcomePaid) != (before != OrderPaid && d.Order == OrderPaid) {
				t.Fatalf("outcome %s, but the order went from %s to %s", d.Outcome, before, d.Order)
			}
			if p.Status.HasMoney() && (d.CapturedCents != p.CapturedCents || d.RefundedCents < p.RefundedCents &&
				d.Return.Status != ReturnFailed) {
				t.Fatalf("%+v takes back what %+v says", d, p)
			}
			if d.Outcome == OutcomePaid {
				paid++
			}
			o.Status, p.Status, p.CapturedCents, p.RefundedCents = d.Order, d.Payment, d.CapturedCents, d.RefundedCents
			p.PendingCents, p.Dispute = d.PendingCents, d.Dispute
			known, _ = news(known, d.Return)
			known = slices.DeleteFunc(known, func(r Return) bool { return r.ID == "" })
			again := Decide(o, p, e, known)
			if again.Order != o.Status || again.Payment != p.Status || again.CapturedCents != p.CapturedCents ||
				again.RefundedCents != p.RefundedCents {
				t.Fatalf("applied twice, %+v changes %+v to %+v", e, d, again)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"event": func(t *rapid.T) {
				apply(Event{
					Type:        rapid.SampledFrom([]EventType{EventSucceeded, EventFailed, EventCanceled}).Draw(t, "type"),
					AmountCents: amount.Draw(t, "amount"),
					Currency:    rapid.SampledFrom([]string{Currency, Currency, "eur"}).Draw(t, "currency"),
				})
			},
			"return": func(t *rapid.T) {
				r := Return{
					ID:          rapid.SampledFrom([]string{"re_1", "re_2", "dp_1"}).Draw(t, "id"),
					AmountCents: amount.Draw(t, "cents"),
					Status:      rapid.SampledFrom([]ReturnStatus{ReturnPending, ReturnSucceeded, ReturnFailed}).Draw(t, "status"),
				}
				r.Dispute = r.ID == "dp_1"
				apply(Event{Type: EventRefund, Return: r})
			},
			"end the order": func(t *rapid.T) {
				next := rapid.SampledFrom([]OrderStatus{OrderCanceled, OrderExpired}).Draw(t, "next")
				if o.Status.CanBecome(next) {
					o.Status = next
				}
			},
			"refund what is due": func(*rapid.T) {
				if cents := p.DueCents(); cents > 0 {
					apply(Event{
						Type: EventRefund, Return: Return{
							ID: fmt.Sprint("re_own_", len(known)), AmountCents: cents, Status: ReturnSucceeded,
						},
					})
				}
			},
			"": func(t *rapid.T) {
				var revenue int64
				if o.Status == OrderPaid {
					revenue = total - p.RefundedCents
				}
				if p.Status.HasMoney() && p.CapturedCents != revenue+p.OwedCents()+p.RefundedCents {
					t.Fatalf("captured %d, revenue %d, owed %d, refunded %d", p.CapturedCents, revenue, p.OwedCents(), p.RefundedCents)
				}
				if !p.Status.HasMoney() && p.CapturedCents != 0 {
					t.Fatalf("open, but %d captured", p.CapturedCents)
				}
				if o.Status == OrderPaid && (p.Status != PaymentCaptured || p.CapturedCents != total) {
					t.Fatalf("paid without capture: %+v", p)
				}
				if p.Status == PaymentCaptured && o.Status != OrderPaid {
					t.Fatalf("money kept for an order that is %s", o.Status)
				}
				if paid > 1 {
					t.Fatal("paid twice")
				}
			},
		})
	})
}
