package shop

import (
	"context"
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
}

// PaymentStatus is where the money stands.
type PaymentStatus string

// The payment states. refunding: captured, and owed back; refunded: given back.
const (
	PaymentOpen      PaymentStatus = "open"
	PaymentCaptured  PaymentStatus = "captured"
	PaymentRefunding PaymentStatus = "refunding"
	PaymentRefunded  PaymentStatus = "refunded"
)

// EventType is the kind of a payment event, in Stripe's words. Others are ignored.
type EventType string

// The event types that the shop acts on.
const (
	EventSucceeded EventType = "payment_intent.succeeded"
	EventFailed    EventType = "payment_intent.payment_failed"
	EventCanceled  EventType = "payment_intent.canceled"
	EventRefunded  EventType = "charge.refunded"
)

// Event is a verified webhook event about one PaymentIntent.
type Event struct {
	ID          string // "evt_...", the key of deduplication
	Type        EventType
	IntentID    string
	AmountCents int64 // amount received, or refunded
	Currency    string
	CreatedAt   time.Time
}

// Outcome is what applying an event did; it is also a metric label.
type Outcome string

// The outcomes of an event.
const (
	OutcomePaid      Outcome = "paid"      // the order is now paid
	OutcomeRefund    Outcome = "refund"    // captured, but owed back
	OutcomeRefunded  Outcome = "refunded"  // the refund is confirmed
	OutcomeFailed    Outcome = "failed"    // the attempt failed; the order can be paid again
	OutcomeIgnored   Outcome = "ignored"   // late, out of order, or not for us
	OutcomeDuplicate Outcome = "duplicate" // this event was applied before
)

// Refund is money owed back to a shopper.
type Refund struct {
	IntentID    string
	OrderID     int64
	AmountCents int64
}

// Payments stores payments, and the events that were applied to them.
type Payments interface {
	// Payment returns the order's payment or CodeNotFound.
	Payment(ctx context.Context, orderID int64) (Payment, error)
	// SavePayment stores p unless the order has one, and returns the one that is stored.
	SavePayment(ctx context.Context, p Payment) (Payment, error)
	// ApplyEvent applies e in one transaction with its deduplication: event id stored, order and
	// payment locked, Decide asked, its decision written.
	ApplyEvent(ctx context.Context, e Event) (Outcome, error)
	// DueRefunds claims up to limit refunds that are owed for the length of lease; a claim that is
	// not settled in time is handed out again. Safe with many instances at once.
	DueRefunds(ctx context.Context, limit int, lease time.Duration) ([]Refund, error)
	// SettleRefund marks the refund as given back.
	SettleRefund(ctx context.Context, intentID string) error
}

// Gateway moves money: Stripe, or the simulation.
type Gateway interface {
	// CreateIntent makes the PaymentIntent of an order. The same order gives the same intent.
	CreateIntent(ctx context.Context, o Order) (Payment, error)
	// CancelIntent makes the intent unpayable. One that cannot be canceled any more is no error.
	CancelIntent(ctx context.Context, intentID string) error
	// RefundIntent gives the money back; idempotent by intent.
	RefundIntent(ctx context.Context, r Refund) error
	// ParseEvent checks the signature of a webhook's raw body and decodes it; CodeBadSignature.
	// An event type that the shop does not act on is returned with its type as it came.
	ParseEvent(body []byte, signature string) (Event, error)
}
