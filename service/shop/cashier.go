package shop

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// What a Cashier tells its observer, beside "payment_" + Outcome for each webhook event.
const (
	ObservedOrderCanceled      = "order_canceled"
	ObservedOrderExpired       = "order_expired"
	ObservedPaymentStarted     = "payment_started"
	ObservedPaymentUnavailable = "payment_unavailable"
	ObservedRefundSettled      = "refund_settled"
	ObservedRefundFailed       = "refund_failed"
	ObservedSweepFailed        = "sweep_failed"
)

const (
	expireBatch = 50 // orders in one transaction
	refundBatch = 10
	// refundTimeout times refundBatch stays below refundLease, so that a slow gateway does not make
	// two instances work on one refund. They could: refunds are idempotent.
	refundTimeout = 5 * time.Second
	refundLease   = time.Minute
	// cancelTimeout bounds what a shopper who cancels waits for the gateway, and cancelBudget what
	// the next expiry waits for it.
	cancelTimeout = 2 * time.Second
	cancelBudget  = 5 * time.Second
)

// Cashier joins the stores and the gateway: it starts payments, applies webhooks, cancels orders,
// and sweeps up what is overdue. Many may run at once on the same stores.
type Cashier struct {
	Orders   Orders
	Payments Payments
	Gateway  Gateway

	// Log takes what failed in the background. Default: slog.Default().
	Log *slog.Logger
	// Observe is told of each event, for counting. It must be safe for concurrent use and fast.
	// Default: nobody is told.
	Observe func(event string)
	// SweepEvery is the mean time between two sweeps. Default: 5 s.
	SweepEvery time.Duration

	wake chan struct{} // a refund has just become due here
}

// NewCashier returns a Cashier with its defaults.
func NewCashier(o Orders, p Payments, g Gateway) *Cashier {
	return &Cashier{
		Orders: o, Payments: p, Gateway: g,
		Log:        slog.Default(),
		Observe:    func(string) {},
		SweepEvery: 5 * time.Second,
		wake:       make(chan struct{}, 1),
	}
}

// StartPayment returns the payment of the user's pending order, and makes it the first time.
// CodeNotFound for another's order, CodeOrderNotPending when it is no longer pending or due to
// expire, CodePaymentUnavailable when the gateway fails.
func (c *Cashier) StartPayment(ctx context.Context, userID, orderID int64) (Payment, error) {
	o, err := c.Orders.Order(ctx, userID, orderID)
	if err != nil {
		return Payment{}, err
	}
	if o.Status != OrderPending {
		return Payment{}, ErrOrderNotPending(o.Status)
	}
	if !time.Now().Before(o.ExpiresAt) {
		return Payment{}, ErrOrderNotPending(OrderExpired)
	}
	p, err := c.Payments.Payment(ctx, orderID)
	if err == nil && p.Status != PaymentOpen { // paid in another amount or currency than asked for
		return Payment{}, Errorf(CodeOrderNotPending, "What was paid for this order is being given back; please order again.")
	}
	if CodeOf(err) != CodeNotFound {
		return p, err
	}
	// The gateway gives the same intent to all who ask at once, and SavePayment keeps the first. If
	// the order is canceled in between, a payment of the intent is refunded by its webhook.
	p, err = c.Gateway.CreateIntent(ctx, o)
	if err != nil {
		c.Observe(ObservedPaymentUnavailable)
		unavailable := Errorf(CodePaymentUnavailable, "Payments are not available right now. The order stays reserved for you; try again.")
		return Payment{}, fmt.Errorf("create payment intent for order %d: %w: %w", orderID, unavailable, err)
	}
	p, err = c.Payments.SavePayment(ctx, p)
	if err != nil {
		return Payment{}, fmt.Errorf("save payment of order %d: %w", orderID, err)
	}
	c.Observe(ObservedPaymentStarted)
	return p, nil
}

// Webhook checks and applies a webhook's raw body. CodeBadSignature if it is not the gateway's;
// any other error means not applied: the sender should try again.
func (c *Cashier) Webhook(ctx context.Context, body []byte, signature string) (Outcome, error) {
	e, err := c.Gateway.ParseEvent(body, signature)
	if err != nil {
		return "", err
	}
	outcome := OutcomeIgnored
	switch e.Type {
	case EventSucceeded, EventFailed, EventCanceled, EventRefunded:
		outcome, err = c.Payments.ApplyEvent(ctx, e)
		if err != nil {
			return "", fmt.Errorf("apply event %s: %w", e.ID, err)
		}
	}
	if outcome == OutcomeRefund {
		c.Log.WarnContext(ctx, "payment is owed back", "event", e.ID, "intent", e.IntentID)
		select {
		case c.wake <- struct{}{}:
		default: // a sweep is already asked for
		}
	}
	c.Observe("payment_" + string(outcome))
	return outcome, nil
}

// Cancel cancels the user's pending order, then its payment intent if the gateway can be reached;
// should it be paid all the same, the webhook leads to a refund.
func (c *Cashier) Cancel(ctx context.Context, userID, orderID int64) (Order, error) {
	o, err := c.Orders.CancelOrder(ctx, userID, orderID)
	if err != nil {
		return Order{}, err
	}
	c.Observe(ObservedOrderCanceled)
	c.cancelIntent(context.WithoutCancel(ctx), orderID)
	return o, nil
}

// cancelIntent makes the order's intent unpayable, as far as the gateway can be reached.
func (c *Cashier) cancelIntent(ctx context.Context, orderID int64) {
	ctx, cancel := context.WithTimeout(ctx, cancelTimeout)
	defer cancel()
	p, err := c.Payments.Payment(ctx, orderID)
	if CodeOf(err) == CodeNotFound {
		return // nobody began to pay
	}
	if err == nil {
		err = c.Gateway.CancelIntent(ctx, p.IntentID)
	}
	if err != nil {
		c.Log.WarnContext(ctx, "cancel payment intent", "order", orderID, "error", err)
	}
}

// Sweep expires orders that are due and gives back payments that are owed, again and again until
// ctx is done. What fails is logged, and tried again by a later sweep of any instance.
func (c *Cashier) Sweep(ctx context.Context) {
	var loops sync.WaitGroup // two, so that a gateway that hangs in refunds holds up no stock
	loops.Go(func() { c.repeat(ctx, "expire orders", nil, c.expireOrders) })
	loops.Go(func() { c.repeat(ctx, "refund payments", c.wake, c.refund) })
	loops.Wait()
}

// repeat sweeps, and again after a pause or when woken, until ctx is done.
func (c *Cashier) repeat(ctx context.Context, what string, wake <-chan struct{}, sweep func(context.Context) error) {
	for {
		if err := sweep(ctx); err != nil && ctx.Err() == nil {
			c.Observe(ObservedSweepFailed)
			c.Log.ErrorContext(ctx, what, "error", err)
		}
		// From half to one and a half of the interval: instances that start together drift apart.
		pause := time.NewTimer(c.SweepEvery/2 + rand.N(c.SweepEvery)) //nolint:gosec // jitter, not a secret
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-wake:
			pause.Stop()
		case <-pause.C:
		}
	}
}

// expireOrders gives back all the stock that is due, then makes the orders' intents unpayable. An
// intent that is left out because time ran out or the gateway is down leads to a refund if paid.
func (c *Cashier) expireOrders(ctx context.Context) error {
	var expired []int64
	var err error
	for full := true; full && err == nil; {
		var ids []int64
		ids, err = c.Orders.ExpireOrders(ctx, expireBatch)
		full = len(ids) == expireBatch
		expired = append(expired, ids...)
	}
	budget, cancel := context.WithTimeout(ctx, cancelBudget)
	defer cancel()
	for _, id := range expired {
		c.Observe(ObservedOrderExpired)
		if budget.Err() == nil {
			c.cancelIntent(budget, id)
		}
	}
	return err
}

// refund gives back what is due.
func (c *Cashier) refund(ctx context.Context) error {
	for {
		due, err := c.Payments.DueRefunds(ctx, refundBatch, refundLease)
		if err != nil {
			return err
		}
		for _, r := range due {
			if err := c.refundOne(ctx, r); err != nil {
				// Its lease runs out, then somebody claims it again.
				c.Observe(ObservedRefundFailed)
				c.Log.ErrorContext(ctx, "refund", "order", r.OrderID, "intent", r.IntentID, "error", err)
				continue
			}
			c.Observe(ObservedRefundSettled)
		}
		if len(due) < refundBatch || ctx.Err() != nil {
			return nil
		}
	}
}

func (c *Cashier) refundOne(ctx context.Context, r Refund) error {
	ctx, cancel := context.WithTimeout(ctx, refundTimeout)
	defer cancel()
	if err := c.Gateway.RefundIntent(ctx, r); err != nil {
		return err
	}
	return c.Payments.SettleRefund(ctx, r.IntentID)
}
