package stripe

import (
	"context"
	"fmt"
	"time"

	stripe "github.com/stripe/stripe-go/v76"

	"shoplab/service/shop"
)

// Intent asks Stripe what became of an intent.
func (g *Gateway) Intent(ctx context.Context, intentID string) ([]shop.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	params := &stripe.PaymentIntentParams{}
	params.AddExpand("latest_charge.refunds")
	params.Context = ctx
	pi, err := g.intents.Get(intentID, params)
	if err != nil {
		return nil, asked("ask about", intentID, err)
	}
	return g.events(ctx, pi)
}

// CancelIntent makes the intent unpayable. "Unexpected state" is an answer: it was paid or canceled
// before, or is being paid right now.
func (g *Gateway) CancelIntent(ctx context.Context, intentID string) ([]shop.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	params := &stripe.PaymentIntentCancelParams{
		CancellationReason: stripe.String(string(stripe.PaymentIntentCancellationReasonAbandoned)),
	}
	params.Context = ctx
	pi, err := g.intents.Cancel(intentID, params)
	if hasCode(err, stripe.ErrorCodePaymentIntentUnexpectedState) {
		return g.Intent(ctx, intentID)
	}
	if err != nil {
		return nil, asked("cancel", intentID, err)
	}
	return g.events(ctx, pi)
}

// asked puts a failure to ask about an intent into words.
func asked(what, intentID string, err error) error {
	if hasCode(err, stripe.ErrorCodeResourceMissing) {
		missing := shop.Errorf(shop.CodeNotFound,
			"Stripe has no such payment intent in the account of this key: was the key changed?")
		return fmt.Errorf("stripe: %s intent %s: %w", what, intentID, missing)
	}
	return fmt.Errorf("stripe: %s intent %s: %w", what, intentID, redact(err))
}

// events is what a retrieved intent tells, as the events that would have told it.
func (g *Gateway) events(ctx context.Context, pi *stripe.PaymentIntent) ([]shop.Event, error) {
	at := pi.Created
	if ch := pi.LatestCharge; ch != nil && ch.Created != 0 {
		at = ch.Created
	}
	e := shop.Event{
		IntentID: pi.ID, AmountCents: pi.AmountReceived, Currency: string(pi.Currency), CreatedAt: time.Unix(at, 0).UTC(),
	}
	switch pi.Status {
	case stripe.PaymentIntentStatusSucceeded:
		e.ID, e.Type = "asked:"+pi.ID+":succeeded", shop.EventSucceeded
	case stripe.PaymentIntentStatusCanceled:
		e.ID, e.Type = "asked:"+pi.ID+":canceled", shop.EventCanceled
	default:
		return nil, nil
	}
	returns, err := g.returns(ctx, pi)
	return append([]shop.Event{e}, returns...), err
}

// returns are the refunds and disputes of the intent's charge.
func (g *Gateway) returns(ctx context.Context, pi *stripe.PaymentIntent) (events []shop.Event, err error) {
	ch := pi.LatestCharge
	if ch == nil {
		return nil, nil
	}
	add := func(kind shop.EventType, r shop.Return, created int64) {
		events = append(events, shop.Event{
			ID: fmt.Sprintf("asked:%s:%s:%d", r.ID, r.Status, r.AmountCents), Type: kind, IntentID: pi.ID,
			Currency: string(pi.Currency), Return: r, CreatedAt: time.Unix(created, 0).UTC(),
		})
	}
	if list := ch.Refunds; list != nil && !list.HasMore {
		for _, re := range list.Data {
			add(shop.EventRefund, refundOf(re), re.Created)
		}
	} else if list != nil || ch.AmountRefunded > 0 { // more than come with the charge
		params := &stripe.RefundListParams{PaymentIntent: stripe.String(pi.ID)}
		params.Context = ctx
		refunds := g.refunds.List(params)
		for refunds.Next() {
			add(shop.EventRefund, refundOf(refunds.Refund()), refunds.Refund().Created)
		}
		if err := refunds.Err(); err != nil {
			return nil, asked("list the refunds of", pi.ID, err)
		}
	}
	if ch.Disputed {
		params := &stripe.DisputeListParams{PaymentIntent: stripe.String(pi.ID)}
		params.Context = ctx
		disputes := g.disputes.List(params)
		for disputes.Next() {
			add(shop.EventDispute, disputeOf(disputes.Dispute()), disputes.Dispute().Created)
		}
		if err := disputes.Err(); err != nil {
			return nil, asked("list the disputes of", pi.ID, err)
		}
	}
	return events, nil
}
