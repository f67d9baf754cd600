package shop

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	checkBatch   = 10 // payments that are asked about at once
	checkTimeout = 5 * time.Second
	// checkPause is the time between two full batches. Ten checks a second and instance stay below
	// what Stripe allows an account: 100 requests a second, in a sandbox 25, and 25 of one kind. See
	// https://docs.stripe.com/rate-limits
	checkPause = time.Second
	// checkEvery is how often a shopper who looks at an unpaid order has its payment asked about.
	checkEvery = 5 * time.Second
	// webhookPatience is how long news is left to its webhook before an answer is taken instead.
	webhookPatience = 10 * time.Second
)

// Webhook checks and applies a webhook's raw body. CodeBadSignature if it is not the gateway's,
// CodeEventRefused if it is not about this shop; any other error means not applied: the sender should
// try again.
func (c *Cashier) Webhook(ctx context.Context, body []byte, signature string) (Outcome, error) {
	e, err := c.Gateway.ParseEvent(body, signature)
	if err != nil {
		return "", c.refused(ctx, e, err)
	}
	outcome := OutcomeIgnored
	switch e.Type {
	case EventSucceeded, EventFailed, EventCanceled, EventRefund, EventDispute:
		outcome, err = c.apply(ctx, e)
		if outcome == OutcomeUnknown && e.Type == EventSucceeded {
			err = Errorf(CodeEventRefused, "The event is about a payment that this shop did not ask for.")
			return "", c.refused(ctx, e, err)
		}
		return outcome, err
	case EventChargeRefunded:
		outcome, err = c.ask(ctx, e.IntentID)
		if e.IntentID == "" || CodeOf(err) == CodeNotFound { // a charge of something else
			outcome, err = OutcomeUnknown, nil
		}
		if err != nil || outcome.isNews() { // which is counted already
			return outcome, err
		}
	}
	c.Observe("payment_" + string(outcome))
	return outcome, nil
}

// refused notes an event that is not about this shop: money may have been taken that nobody here
// knows of.
func (c *Cashier) refused(ctx context.Context, e Event, err error) error {
	if CodeOf(err) == CodeEventRefused {
		c.Observe(ObservedPaymentRefused)
		c.Log.ErrorContext(ctx, Alarm+"event refused",
			"event", e.ID, "type", string(e.Type), "intent", e.IntentID, "error", err)
	}
	return err
}

// apply applies an event, counts it, and says what somebody has to know of it.
func (c *Cashier) apply(ctx context.Context, e Event) (Outcome, error) {
	outcome, err := c.Payments.ApplyEvent(ctx, e)
	if err != nil {
		return "", fmt.Errorf("apply event %s: %w", e.ID, err)
	}
	c.Observe("payment_" + string(outcome))
	switch outcome {
	case OutcomeRefund:
		c.Log.WarnContext(ctx, "payment is owed back", "event", e.ID, "intent", e.IntentID)
	case OutcomeRefundFailed:
		c.Log.ErrorContext(ctx, Alarm+"a refund did not reach the shopper",
			"event", e.ID, "intent", e.IntentID, "refund", e.Return.ID, "cents", e.Return.AmountCents)
	case OutcomeDisputed:
		c.Log.ErrorContext(ctx, Alarm+"a payment is disputed: answer in Stripe's dashboard",
			"event", e.ID, "intent", e.IntentID, "dispute", e.Return.ID, "cents", e.Return.AmountCents)
	}
	if outcome == OutcomeRefund || outcome == OutcomeRefundFailed {
		wake(c.wake)
	}
	return outcome, nil
}

// ask asks the gateway about an intent, applies the answer, and returns the last outcome that was one.
func (c *Cashier) ask(ctx context.Context, intentID string) (Outcome, error) {
	outcome := OutcomeIgnored
	if intentID == "" {
		return outcome, nil
	}
	events, err := c.Gateway.Intent(ctx, intentID)
	for i := 0; i < len(events) && err == nil; i++ {
		var o Outcome
		if o, err = c.apply(ctx, events[i]); o.isNews() {
			outcome = o
		}
	}
	return outcome, err
}

// isNews tells whether an event changed where the money is.
func (o Outcome) isNews() bool {
	switch o {
	case OutcomePaid, OutcomeRefund, OutcomeRefunded, OutcomePartlyRefunded, OutcomeRefundFailed, OutcomeDisputed:
		return true
	default:
		return false
	}
}

// CheckSoon has the gateway asked about the payment of a pending order that a shopper is looking at, in
// the background. It never fails: what the shopper sees is the order as it is known.
func (c *Cashier) CheckSoon(ctx context.Context, o Order) {
	if !c.Polls || o.Status != OrderPending {
		return
	}
	due, err := c.Payments.CheckSoon(ctx, o.ID, checkEvery)
	if err != nil {
		c.Log.WarnContext(ctx, "check payment soon", "order", o.ID, "error", err)
	}
	if due {
		wake(c.look)
	}
}

// check asks the gateway about all payments whose time has come.
func (c *Cashier) check(ctx context.Context) error {
	for {
		due, err := c.Payments.DueChecks(ctx, checkBatch)
		if err != nil {
			return err
		}
		var asking sync.WaitGroup
		for _, d := range due {
			asking.Go(func() {
				if err := c.checkOne(ctx, d); err != nil && ctx.Err() == nil {
					// It comes again at its next time.
					c.Observe(ObservedCheckFailed)
					c.Log.WarnContext(ctx, "check payment", "order", d.OrderID, "intent", d.IntentID, "error", err)
				}
			})
		}
		asking.Wait()
		if len(due) < checkBatch {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(checkPause):
		}
	}
}

func (c *Cashier) checkOne(ctx context.Context, d Check) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if d.Over {
		events, err := c.Gateway.CancelIntent(ctx, d.IntentID)
		if err != nil {
			return err
		}
		return c.applyFound(ctx, events)
	}
	events, err := c.Gateway.Intent(ctx, d.IntentID)
	if err != nil {
		return err
	}
	for _, e := range events {
		if c.Webhooks && time.Since(e.CreatedAt) < webhookPatience {
			_, err := c.Payments.CheckSoon(ctx, d.OrderID, webhookPatience)
			return err
		}
	}
	return c.applyFound(ctx, events)
}

// applyFound applies what the gateway told when it was asked. What a webhook should have told by then
// says that webhooks do not arrive.
func (c *Cashier) applyFound(ctx context.Context, events []Event) error {
	for _, e := range events {
		outcome, err := c.apply(ctx, e)
		if err != nil {
			return err
		}
		if !outcome.isNews() {
			continue
		}
		c.Observe(ObservedPaymentFound)
		if !c.Webhooks || time.Since(e.CreatedAt) < webhookPatience {
			c.Log.InfoContext(ctx, "payment found", "intent", e.IntentID, "type", string(e.Type), "outcome", string(outcome))
			continue
		}
		c.Observe(ObservedWebhookMissed)
		c.Log.ErrorContext(ctx, Alarm+"no webhook told what became of a payment: look at the endpoint in Stripe's dashboard",
			"intent", e.IntentID, "type", string(e.Type), "outcome", string(outcome), "at", e.CreatedAt)
	}
	return nil
}

func wake(loop chan<- struct{}) {
	select {
	case loop <- struct{}{}:
	default: // a sweep is already asked for
	}
}
