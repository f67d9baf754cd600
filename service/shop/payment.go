package shop

import (
	"context"
	"errors"
	"time"
)

// Payment is the one PaymentIntent of an order.
type Payment struct {
	OrderID      int64
	IntentID     string // Stripe's id, "pi_..."
	ClientSecret string
	AmountCents  int64
	Currency     string
	Status       PaymentStatus
	// CapturedCents is what the shopper paid in fact, RefundedCents what was given back of it. They
	// differ from AmountCents when a payment comes in another amount or currency than asked for.
	CapturedCents int64
	RefundedCents int64
	// PendingCents is what is on its way back: refunds that are not settled, and open disputes.
	PendingCents int64
	Dispute      Dispute
}

// PaymentStatus is where the money stands.
type PaymentStatus string

// The payment states. canceled: the gateway takes no money for it any more, as far as is known;
// refunding: captured, and owed back; refunded: given back.
const (
	PaymentOpen      PaymentStatus = "open"
	PaymentCanceled  PaymentStatus = "canceled"
	PaymentCaptured  PaymentStatus = "captured"
	PaymentRefunding PaymentStatus = "refunding"
	PaymentRefunded  PaymentStatus = "refunded"
)

// HasMoney tells whether the shopper's money was captured, whatever became of it then.
func (s PaymentStatus) HasMoney() bool { return s != PaymentOpen && s != PaymentCanceled }

// EventType is the kind of a payment event, in Stripe's words. Others are ignored.
type EventType string

// The event types that the shop acts on.
const (
	EventSucceeded EventType = "payment_intent.succeeded"
	EventFailed    EventType = "payment_intent.payment_failed"
	EventCanceled  EventType = "payment_intent.canceled"
	// EventRefund and EventDispute stand for all events about one refund or one dispute.
	EventRefund  EventType = "refund.updated"
	EventDispute EventType = "charge.dispute.updated"
	// EventChargeRefunded says that there is a refund, but not which and how it stands.
	EventChargeRefunded EventType = "charge.refunded"
)

// Event is news of one PaymentIntent: a verified webhook event, or what the gateway answered when it
// was asked.
type Event struct {
	ID          string // the key of deduplication: "evt_...", or "asked:..." of an answer
	Type        EventType
	IntentID    string
	AmountCents int64 // amount received
	Currency    string
	Return      Return // of EventRefund and EventDispute
	CreatedAt   time.Time
}

// Outcome is what applying an event did; it is also a metric label.
type Outcome string

// The outcomes of an event.
const (
	OutcomePaid           Outcome = "paid"            // the order is now paid
	OutcomeRefund         Outcome = "refund"          // captured, but owed back
	OutcomeRefunded       Outcome = "refunded"        // all is given back
	OutcomePartlyRefunded Outcome = "partly_refunded" // a part of it is given back
	OutcomeRefundFailed   Outcome = "refund_failed"   // a refund did not reach the shopper
	OutcomeDisputed       Outcome = "disputed"        // the shopper's bank wants it back
	OutcomeFailed         Outcome = "failed"          // the attempt failed; the order can be paid again
	OutcomeCanceled       Outcome = "canceled"        // the intent cannot be paid any more
	OutcomeIgnored        Outcome = "ignored"         // late, out of order, or of no interest
	OutcomeDuplicate      Outcome = "duplicate"       // this event was applied before
	OutcomeUnknown        Outcome = "unknown"         // the intent is none of this shop's
)

// Refund is money owed back to a shopper.
type Refund struct {
	IntentID    string
	OrderID     int64
	AmountCents int64
	Attempt     int // how many refunds of the payment have failed so far
}

// Check is a payment about which the gateway is to be asked.
type Check struct {
	IntentID string
	OrderID  int64
	Over     bool // nobody may pay it any more: its order is not pending, or is due to expire
}

// Payments stores payments, and the events that were applied to them.
type Payments interface {
	// Payment returns the order's payment or CodeNotFound.
	Payment(ctx context.Context, orderID int64) (Payment, error)
	// SavePayment stores p unless the order has one, and returns the one that is stored.
	SavePayment(ctx context.Context, p Payment) (Payment, error)
	// ApplyEvent applies e in one transaction with its deduplication: event id stored, order and
	// payment locked, Decide asked, its decision written. OutcomeUnknown if there is no such payment.
	ApplyEvent(ctx context.Context, e Event) (Outcome, error)
	// DueRefunds claims up to limit refunds that are owed and not under way, for the length of lease,
	// which doubles with each attempt; a claim that is not settled in time is handed out again. Safe
	// with many instances at once.
	DueRefunds(ctx context.Context, limit int, lease time.Duration) ([]Refund, error)
	// DueChecks claims up to limit payments about which the gateway is to be asked: one that can be
	// paid at first after FirstCheck and when its order expires, one that was captured much later, and
	// all of them more and more seldom, for as long as a bank may dispute a payment. Safe with many
	// instances at once: a payment comes again only when its next time has come.
	DueChecks(ctx context.Context, limit int) ([]Check, error)
	// CheckSoon moves the order's next check forward to wait after the last one, or after the payment
	// was started, and tells whether it is due now. An order without a payment has none.
	CheckSoon(ctx context.Context, orderID int64, wait time.Duration) (due bool, err error)
}

// FirstCheck is how long after the start of a payment the gateway is first asked about it.
const FirstCheck = 10 * time.Second

// ErrRefunded is a gateway's error of refunding what is refunded already.
var ErrRefunded = errors.New("already refunded")

// Gateway moves money: Stripe, or the simulation.
type Gateway interface {
	// CreateIntent makes the PaymentIntent of an order. The same order gives the same intent.
	CreateIntent(ctx context.Context, o Order) (Payment, error)
	// Intent tells what became of an intent, as the events that would have told it; none while it is
	// open. CodeNotFound if the gateway does not know it.
	Intent(ctx context.Context, intentID string) ([]Event, error)
	// CancelIntent makes an intent unpayable and tells what became of it, as Intent does: it may have
	// been paid before. CodeNotFound as in Intent.
	CancelIntent(ctx context.Context, intentID string) ([]Event, error)
	// RefundIntent gives the money back and tells how that stands; idempotent by intent, amount and
	// attempt. ErrRefunded if nothing is left to be given back.
	RefundIntent(ctx context.Context, r Refund) (Return, error)
	// ParseEvent checks the signature of a webhook's raw body and decodes it; CodeBadSignature,
	// CodeEventRefused for an event that cannot be one of this shop's, CodeWebhooksOff without a secret
	// to check with. An event type that the shop does not act on is returned with its type as it came.
	ParseEvent(body []byte, signature string) (Event, error)
}
