package shop

import (
	"context"
	"errors"
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
	ObservedPaymentRefused     = "payment_refused"        // an event that cannot be one of this shop's
	ObservedPaymentFound       = "payment_found"          // the gateway was asked, and told news
	ObservedWebhookMissed      = "payment_webhook_missed" // news that a webhook should have told before
	ObservedCheckFailed        = "payment_check_failed"
	ObservedRefundSettled      = "refund_settled"
	ObservedRefundPending      = "refund_pending"
	ObservedRefundFailed       = "refund_failed"
	ObservedSweepFailed        = "sweep_failed"
)

// Alarm begins the messages in the log that somebody has to act on, because money is not where it
// should be. They are errors; the platform's alarm looks for these words.
const Alarm = "payment alarm: "

const (
	expireBatch = 50 // orders in one transaction
	refundBatch = 10
	// refundTimeout times refundBatch stays below refundLease, so that a slow gateway does not make
	// two instances work on one refund. They could: refunds are idempotent.
	refundTimeout = 5 * time.Second
	refundLease   = time.Minute
	// cancelTimeout bounds what a shopper who cancels waits for the gateway.
	cancelTimeout = 2 * time.Second
	// expireGrace is how long a due order whose payment is open waits for the gateway's answer. When
	// it does not come, the stock is given back, and the money later if there was any.
	expireGrace = time.Minute
)

// Cashier joins the stores and the gateway: it starts payments, applies webhooks, asks about what no
// webhook tells, cancels orders, and sweeps up what is overdue. Many may run at once on the same stores.
type Cashier struct {
	Orders   Orders
	Payments Payments
	Gateway  Gateway

	// Log takes what failed in the background. Default: slog.Default().
	Log *slog.Logger
	// Observe is told of each event, for counting. It must be safe for concurrent use and fast.
	// Default: nobody is told.
	Observe func(event string)
	// OrderTTL is how long an order holds its stock once its payment has begun, from its placing on.
	// Default: 15 minutes.
	OrderTTL time.Duration
	// SweepEvery is the mean time between two sweeps. Default: 5 s.
	SweepEvery time.Duration
	// Webhooks says that the gateway's webhooks come in: what they should have told and did not is an
	// error then. Default: false, the gateway is asked about everything.
	Webhooks bool
	// Polls makes CheckSoon ask the gateway. Default: false, for the simulation, which knows nothing that the shop does
	// not.
	Polls bool

	wake chan struct{} // a refund has just become due here
	look chan struct{} // a check has just become due here
}

// NewCashier returns a Cashier with its defaults.
func NewCashier(o Orders, p Payments, g Gateway) *Cashier {
	return &Cashier{
		Orders: o, Payments: p, Gateway: g,
		Log:        slog.Default(),
		Observe:    func(string) {},
		OrderTTL:   15 * time.Minute,
		SweepEvery: 5 * time.Second,
		wake:       make(chan struct{}, 1),
		look:       make(chan struct{}, 1),
	}
}

// StartPayment returns the payment of the user's pending order, and makes it the first time. The order is
// then held for OrderTTL.
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
	if o.ExpiresAt.Before(o.CreatedAt.Add(c.OrderTTL)) { // whoever is paying is given time
		if err := c.Orders.HoldOrder(ctx, orderID, c.OrderTTL); err != nil {
			return Payment{}, fmt.Errorf("hold order %d: %w", orderID, err)
		}
	}
	p, err := c.Payments.Payment(ctx, orderID)
	if err == nil && p.Status == PaymentCanceled {
		return Payment{}, Errorf(CodeOrderNotPending, "The payment of this order was canceled; please order again.")
	}
	if err == nil && p.Status != PaymentOpen { // paid in another amount or currency than asked for
		return Payment{}, Errorf(CodeOrderNotPending, "What was paid for this order is being given back; please order again.")
	}
	if CodeOf(err) != CodeNotFound {
		return p, err
	}
	// The gateway gives the same intent to all who ask at once, and SavePayment keeps the first. If
	// the order is canceled in between, a check cancels the intent, or finds it paid and owed back.
	p, err = c.Gateway.CreateIntent(ctx, o)
	if err != nil {
		c.Observe(ObservedPaymentUnavailable)
		unavailable := Errorf(CodePaymentUnavailable,
			"Payments are not available right now. The order stays reserved for you; try again.")
		return Payment{}, fmt.Errorf("create payment intent for order %d: %w: %w", orderID, unavailable, err)
	}
	p, err = c.Payments.SavePayment(ctx, p)
	if err != nil {
		return Payment{}, fmt.Errorf("save payment of order %d: %w", orderID, err)
	}
	c.Observe(ObservedPaymentStarted)
	return p, nil
}

// Cancel cancels the user's pending order, after its payment: if that turns out to be paid, so is the
// order, and it is not canceled. When the gateway does not answer the order is canceled all the same;
// a check asks again later, and what was paid is given back.
func (c *Cashier) Cancel(ctx context.Context, userID, orderID int64) (Order, error) {
	o, err := c.Orders.Order(ctx, userID, orderID)
	if err != nil {
		return Order{}, err
	}
	if o.Status != OrderPending {
		return Order{}, ErrOrderNotPending(o.Status)
	}
	if err := c.withdraw(context.WithoutCancel(ctx), orderID); err != nil {
		c.Log.WarnContext(ctx, "cancel payment intent", "order", orderID, "error", err)
	}
	o, err = c.Orders.CancelOrder(ctx, userID, orderID)
	if err != nil {
		return Order{}, err
	}
	c.Observe(ObservedOrderCanceled)
	return o, nil
}

// withdraw makes the order's intent unpayable and applies what became of it.
func (c *Cashier) withdraw(ctx context.Context, orderID int64) error {
	ctx, cancel := context.WithTimeout(ctx, cancelTimeout)
	defer cancel()
	p, err := c.Payments.Payment(ctx, orderID)
	if CodeOf(err) == CodeNotFound {
		return nil // nobody began to pay
	}
	if err != nil || p.Status != PaymentOpen {
		return err
	}
	events, err := c.Gateway.CancelIntent(ctx, p.IntentID)
	if err != nil {
		return err
	}
	return c.applyFound(ctx, events)
}

// Sweep expires orders that are due, asks about payments that may have been paid, and gives back what
// is owed, again and again until ctx is done. What fails is logged, and tried again by a later sweep
// of any instance.
func (c *Cashier) Sweep(ctx context.Context) {
	var loops sync.WaitGroup // three, so that a gateway that hangs holds up no stock
	loops.Go(func() { c.repeat(ctx, "expire orders", nil, c.expireOrders) })
	loops.Go(func() { c.repeat(ctx, "check payments", c.look, c.check) })
	loops.Go(func() { c.repeat(ctx, "refund payments", c.wake, c.refund) })
	loops.Wait()
}

// SweepOnce does what Sweep does, one round of each and all at once, for a process that does not run all the time.
// A round that fails is no reason to leave out the others.
func (c *Cashier) SweepOnce(ctx context.Context) error {
	var rounds sync.WaitGroup
	var errs [3]error
	for i, round := range []func(context.Context) error{c.expireOrders, c.check, c.refund} {
		rounds.Go(func() { errs[i] = round(ctx) })
	}
	rounds.Wait()
	for _, err := range errs {
		if err != nil {
			c.Observe(ObservedSweepFailed)
		}
	}
	return errors.Join(errs[:]...)
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

// expireOrders gives back all the stock that is due.
func (c *Cashier) expireOrders(ctx context.Context) error {
	for {
		ids, err := c.Orders.ExpireOrders(ctx, expireBatch, expireGrace)
		if err != nil {
			return err
		}
		for range ids {
			c.Observe(ObservedOrderExpired)
		}
		if len(ids) < expireBatch {
			return nil
		}
	}
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
				c.Log.ErrorContext(ctx, Alarm+"cannot refund",
					"order", r.OrderID, "intent", r.IntentID, "attempt", r.Attempt, "error", err)
			}
		}
		if len(due) < refundBatch || ctx.Err() != nil {
			return nil
		}
	}
}

// refundOne gives money back and notes how that stands: it is settled when the gateway says that it
// succeeded, now or by a later event.
func (c *Cashier) refundOne(ctx context.Context, r Refund) error {
	ctx, cancel := context.WithTimeout(ctx, refundTimeout)
	defer cancel()
	back, err := c.Gateway.RefundIntent(ctx, r)
	if err != nil { // perhaps somebody else has refunded it: the books must know what is left
		if _, askErr := c.ask(ctx, r.IntentID); askErr != nil || !errors.Is(err, ErrRefunded) {
			return errors.Join(err, askErr)
		}
		return nil
	}
	e := Event{
		ID: "asked:" + back.ID + ":" + string(back.Status), Type: EventRefund, IntentID: r.IntentID,
		Return: back, CreatedAt: time.Now(),
	}
	if _, err := c.apply(ctx, e); err != nil {
		return err
	}
	switch back.Status {
	case ReturnSucceeded:
		c.Observe(ObservedRefundSettled)
	case ReturnPending:
		c.Observe(ObservedRefundPending)
	}
	return nil
}
