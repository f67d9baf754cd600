package shop

import (
	"testing"

	"pgregory.net/rapid"
)

func TestDecide(t *testing.T) {
	const total = 1000
	ok := Event{Type: EventSucceeded, AmountCents: total, Currency: "usd"}
	open := Payment{AmountCents: total, Currency: "usd", Status: PaymentOpen}
	captured := Payment{AmountCents: total, Currency: "usd", Status: PaymentCaptured, CapturedCents: total}
	refunding := Payment{AmountCents: total, Currency: "usd", Status: PaymentRefunding, CapturedCents: total}
	refunded := Payment{AmountCents: total, Currency: "usd", Status: PaymentRefunded, CapturedCents: total, RefundedCents: total}
	noted := open
	noted.RefundedCents = total
	part := Event{Type: EventRefunded, AmountCents: 400, Currency: "usd"}
	all := Event{Type: EventRefunded, AmountCents: total, Currency: "usd"}

	for name, tt := range map[string]struct {
		order   OrderStatus
		payment Payment
		event   Event
		want    Decision
	}{
		"paid":                        {OrderPending, open, ok, Decision{OutcomePaid, OrderPaid, PaymentCaptured, total, 0}},
		"paid after cancel":           {OrderCanceled, open, ok, Decision{OutcomeRefund, OrderCanceled, PaymentRefunding, total, 0}},
		"paid after expiry":           {OrderExpired, open, ok, Decision{OutcomeRefund, OrderExpired, PaymentRefunding, total, 0}},
		"paid too little":             {OrderPending, open, Event{Type: EventSucceeded, AmountCents: 999, Currency: "usd"}, Decision{OutcomeRefund, OrderPending, PaymentRefunding, 999, 0}},
		"paid too much":               {OrderPending, open, Event{Type: EventSucceeded, AmountCents: 1001, Currency: "usd"}, Decision{OutcomeRefund, OrderPending, PaymentRefunding, 1001, 0}},
		"paid in another currency":    {OrderPending, open, Event{Type: EventSucceeded, AmountCents: total, Currency: "eur"}, Decision{OutcomeRefund, OrderPending, PaymentRefunding, total, 0}},
		"intent is not the order's":   {OrderPending, Payment{AmountCents: 1, Currency: "usd", Status: PaymentOpen}, Event{Type: EventSucceeded, AmountCents: 1, Currency: "usd"}, Decision{OutcomeRefund, OrderPending, PaymentRefunding, 1, 0}},
		"succeeded without money":     {OrderPending, open, Event{Type: EventSucceeded, Currency: "usd"}, Decision{OutcomeIgnored, OrderPending, PaymentOpen, 0, 0}},
		"paid again":                  {OrderPaid, captured, ok, Decision{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 0}},
		"paid again while refunding":  {OrderCanceled, refunding, ok, Decision{OutcomeIgnored, OrderCanceled, PaymentRefunding, total, 0}},
		"paid again after refund":     {OrderRefunded, refunded, ok, Decision{OutcomeIgnored, OrderRefunded, PaymentRefunded, total, total}},
		"failed":                      {OrderPending, open, Event{Type: EventFailed}, Decision{OutcomeFailed, OrderPending, PaymentOpen, 0, 0}},
		"failed, late":                {OrderPaid, captured, Event{Type: EventFailed}, Decision{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 0}},
		"intent canceled":             {OrderPending, open, Event{Type: EventCanceled}, Decision{OutcomeIgnored, OrderPending, PaymentOpen, 0, 0}},
		"intent canceled, late":       {OrderPaid, captured, Event{Type: EventCanceled}, Decision{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 0}},
		"refund confirmed":            {OrderExpired, refunding, all, Decision{OutcomeRefunded, OrderExpired, PaymentRefunded, total, total}},
		"refund confirmed again":      {OrderExpired, refunded, all, Decision{OutcomeIgnored, OrderExpired, PaymentRefunded, total, total}},
		"refunded from outside":       {OrderPaid, captured, all, Decision{OutcomeRefunded, OrderRefunded, PaymentRefunded, total, total}},
		"refunded in part":            {OrderPaid, captured, part, Decision{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 400}},
		"refund overtakes capture":    {OrderPending, open, all, Decision{OutcomeIgnored, OrderPending, PaymentOpen, 0, total}},
		"capture after its refund":    {OrderPending, noted, ok, Decision{OutcomeRefunded, OrderPending, PaymentRefunded, total, total}},
		"an older sum of refunds":     {OrderPaid, Payment{AmountCents: total, Currency: "usd", Status: PaymentCaptured, CapturedCents: total, RefundedCents: 500}, part, Decision{OutcomeIgnored, OrderPaid, PaymentCaptured, total, 500}},
		"less captured than refunded": {OrderPending, noted, Event{Type: EventSucceeded, AmountCents: 900, Currency: "usd"}, Decision{OutcomeRefunded, OrderPending, PaymentRefunded, 900, 900}},
		"unknown event":               {OrderPending, open, Event{Type: "charge.captured", AmountCents: total}, Decision{OutcomeIgnored, OrderPending, PaymentOpen, 0, 0}},
		"refund of more than was had": {OrderPaid, captured, Event{Type: EventRefunded, AmountCents: 2000}, Decision{OutcomeRefunded, OrderRefunded, PaymentRefunded, total, total}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Order{Status: tt.order, TotalCents: total}
			if got := Decide(o, tt.payment, tt.event); got != tt.want {
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

		apply := func(e Event) {
			before, d := o.Status, Decide(o, p, e)
			if d.Order != before && !before.CanBecome(d.Order) {
				t.Fatalf("order went from %s to %s", before, d.Order)
			}
			if (d.Outcome == OutcomePaid) != (before != OrderPaid && d.Order == OrderPaid) {
				t.Fatalf("outcome %s, but the order went from %s to %s", d.Outcome, before, d.Order)
			}
			if p.Status != PaymentOpen && (d.RefundedCents < p.RefundedCents || d.CapturedCents != p.CapturedCents) {
				t.Fatalf("%+v takes back what %+v says", d, p)
			}
			if d.Outcome == OutcomePaid {
				paid++
			}
			if again := Decide(Order{Status: d.Order, TotalCents: total}, Payment{
				AmountCents: total, Currency: Currency, Status: d.Payment, CapturedCents: d.CapturedCents, RefundedCents: d.RefundedCents,
			}, e); again.Order != d.Order || again.Payment != d.Payment || again.CapturedCents != d.CapturedCents || again.RefundedCents != d.RefundedCents {
				t.Fatalf("applied twice, %+v changes %+v to %+v", e, d, again)
			}
			o.Status, p.Status, p.CapturedCents, p.RefundedCents = d.Order, d.Payment, d.CapturedCents, d.RefundedCents
		}
		t.Repeat(map[string]func(*rapid.T){
			"event": func(t *rapid.T) {
				apply(Event{
					Type:        rapid.SampledFrom([]EventType{EventSucceeded, EventFailed, EventCanceled, EventRefunded}).Draw(t, "type"),
					AmountCents: amount.Draw(t, "amount"),
					Currency:    rapid.SampledFrom([]string{Currency, Currency, "eur"}).Draw(t, "currency"),
				})
			},
			"end the order": func(t *rapid.T) {
				next := rapid.SampledFrom([]OrderStatus{OrderCanceled, OrderExpired}).Draw(t, "next")
				if o.Status.CanBecome(next) {
					o.Status = next
				}
			},
			"settle": func(*rapid.T) {
				if p.Status == PaymentRefunding {
					p.Status, p.RefundedCents = PaymentRefunded, p.CapturedCents
				}
			},
			"": func(t *rapid.T) {
				var revenue int64
				if o.Status == OrderPaid {
					revenue = total - p.RefundedCents
				}
				if p.Status != PaymentOpen && p.CapturedCents != revenue+p.OwedCents()+p.RefundedCents {
					t.Fatalf("captured %d, revenue %d, owed %d, refunded %d", p.CapturedCents, revenue, p.OwedCents(), p.RefundedCents)
				}
				if p.Status == PaymentOpen && p.CapturedCents != 0 {
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
