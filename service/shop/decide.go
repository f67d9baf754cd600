package shop

// Decision is what an event does to an order and its payment: their state afterwards.
type Decision struct {
	Outcome       Outcome
	Order         OrderStatus
	Payment       PaymentStatus
	CapturedCents int64
	RefundedCents int64
}

// Decide says what event e, which was not applied before, does to order o and its payment p. It
// has no side effects. Events may come late, in any order, and not at all: a payment only ever
// moves forward, open -> captured or refunding -> refunded, so whatever comes after the fact is
// ignored. Money that was captured without a claim to it, because the order is canceled or expired
// or because amount or currency are not the order's, is owed back.
func Decide(o Order, p Payment, e Event) Decision {
	d := Decision{
		Outcome: OutcomeIgnored,
		Order:   o.Status, Payment: p.Status,
		CapturedCents: p.CapturedCents, RefundedCents: p.RefundedCents,
	}
	switch e.Type {
	case EventSucceeded:
		return d.succeeded(o, p, e)
	case EventRefunded:
		return d.refunded(p, e)
	case EventFailed:
		if o.Status == OrderPending && p.Status == PaymentOpen {
			d.Outcome = OutcomeFailed
		}
	}
	// A canceled intent needs nothing: the shop cancels it after its order, and an order whose
	// intent was canceled elsewhere expires.
	return d
}

func (d Decision) succeeded(o Order, p Payment, e Event) Decision {
	if p.Status != PaymentOpen || e.AmountCents <= 0 {
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

// refunded applies a refund, whose amount is the sum of all refunds of the charge, as Stripe's
// charge.amount_refunded is. A partial one leaves the order paid; one that comes before the capture
// is only noted.
func (d Decision) refunded(p Payment, e Event) Decision {
	if p.Status == PaymentRefunded || e.AmountCents <= p.RefundedCents {
		return d
	}
	d.RefundedCents = e.AmountCents
	if p.Status == PaymentOpen || e.AmountCents < p.CapturedCents {
		return d
	}
	d.RefundedCents = p.CapturedCents // more than was captured cannot come back
	d.Outcome, d.Payment = OutcomeRefunded, PaymentRefunded
	if d.Order.CanBecome(OrderRefunded) {
		d.Order = OrderRefunded
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
