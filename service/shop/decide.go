package shop

// Decision is what an event does to an order and its payment: their state afterwards.
type Decision struct {
	Outcome       Outcome
	Order         OrderStatus
	Payment       PaymentStatus
	CapturedCents int64
	RefundedCents int64
	PendingCents  int64
	Dispute       Dispute
	Return        Return // to be stored; empty if nothing new is known of one
}

// Decide says what event e, which was not applied before, does to order o and its payment p; known are
// p's returns, which only the event of a return needs. It has no side effects. Events may come late, in
// any order, and not at all: a payment only ever moves forward, open -> captured or refunding ->
// refunded, so whatever comes after the fact is ignored. The one way back is that of the money: what
// was given back and did not arrive is owed again. Money that was captured without a claim to it,
// because the order is canceled or expired or because amount or currency are not the order's, is owed
// back.
func Decide(o Order, p Payment, e Event, known []Return) Decision {
	d := Decision{
		Outcome: OutcomeIgnored,
		Order:   o.Status, Payment: p.Status,
		CapturedCents: p.CapturedCents, RefundedCents: p.RefundedCents,
		PendingCents: p.PendingCents, Dispute: p.Dispute,
	}
	switch e.Type {
	case EventSucceeded:
		return d.succeeded(o, p, e)
	case EventRefund, EventDispute:
		return d.returned(p, e.Return, known)
	case EventFailed:
		if o.Status == OrderPending && p.Status == PaymentOpen {
			d.Outcome = OutcomeFailed
		}
	case EventCanceled: // an order whose intent was canceled elsewhere expires
		if p.Status == PaymentOpen {
			d.Outcome, d.Payment = OutcomeCanceled, PaymentCanceled
		}
	}
	return d
}

// succeeded applies a capture. Stripe captures no canceled intent, but the news may come in any order,
// and money that is there counts.
func (d Decision) succeeded(o Order, p Payment, e Event) Decision {
	if p.Status.HasMoney() || e.AmountCents <= 0 {
		return d
	}
	d.CapturedCents = e.AmountCents
	asked := e.AmountCents == o.TotalCents && e.AmountCents == p.AmountCents && e.Currency == p.Currency
	switch {
	case d.RefundedCents >= d.CapturedCents: // the news of the refund overtook that of the capture
		d.RefundedCents = d.CapturedCents
		d.Outcome, d.Payment = OutcomeRefunded, PaymentRefunded
	case asked && o.Status.CanBecome(OrderPaid):
		d.Outcome, d.Order, d.Payment = OutcomePaid, OrderPaid, PaymentCaptured
	default:
		d.Outcome, d.Payment = OutcomeRefund, PaymentRefunding
	}
	return d
}

// returned applies what is new of a refund or dispute. One that is known of before the capture is only
// noted. A part leaves the order paid.
func (d Decision) returned(p Payment, r Return, known []Return) Decision {
	now, isNew := news(known, r)
	if !isNew {
		return d
	}
	d.Return = r
	d.RefundedCents, d.PendingCents, d.Dispute = sum(now)
	if !p.Status.HasMoney() {
		return d
	}
	d.RefundedCents = min(d.RefundedCents, p.CapturedCents) // more than was captured cannot come back
	all := d.RefundedCents == p.CapturedCents
	switch {
	case all && p.Status != PaymentRefunded:
		d.Outcome, d.Payment = OutcomeRefunded, PaymentRefunded
		if d.Order.CanBecome(OrderRefunded) {
			d.Order = OrderRefunded
		}
		return d
	case !all && p.Status == PaymentRefunded:
		d.Payment = PaymentRefunding
	}
	switch {
	case r.Status == ReturnFailed && !r.Dispute:
		d.Outcome = OutcomeRefundFailed
	case r.Status == ReturnPending && r.Dispute:
		d.Outcome = OutcomeDisputed
	case d.RefundedCents > p.RefundedCents:
		d.Outcome = OutcomePartlyRefunded
	}
	return d
}

// OwedCents is what is still to be given back of a payment: all that was captured and not yet returned,
// if it is refunding.
func (p Payment) OwedCents() int64 {
	if p.Status != PaymentRefunding {
		return 0
	}
	return p.CapturedCents - p.RefundedCents
}

// DueCents is what of it is not under way.
func (p Payment) DueCents() int64 { return max(0, p.OwedCents()-p.PendingCents) }
