package stripe

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	stripe "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"

	"shoplab/service/shop"
)

// kinds is what the events that the shop acts on tell: which of the shop's types they are. An account
// of a newer API version sends refund.failed, which stripe-go v76 has no name for.
var kinds = map[stripe.EventType]shop.EventType{
	stripe.EventTypePaymentIntentSucceeded:       shop.EventSucceeded,
	stripe.EventTypePaymentIntentPaymentFailed:   shop.EventFailed,
	stripe.EventTypePaymentIntentCanceled:        shop.EventCanceled,
	stripe.EventTypeChargeRefunded:               shop.EventChargeRefunded,
	stripe.EventTypeChargeRefundUpdated:          shop.EventRefund,
	stripe.EventTypeRefundCreated:                shop.EventRefund,
	stripe.EventTypeRefundUpdated:                shop.EventRefund,
	"refund.failed":                              shop.EventRefund,
	stripe.EventTypeChargeDisputeCreated:         shop.EventDispute,
	stripe.EventTypeChargeDisputeUpdated:         shop.EventDispute,
	stripe.EventTypeChargeDisputeClosed:          shop.EventDispute,
	stripe.EventTypeChargeDisputeFundsWithdrawn:  shop.EventDispute,
	stripe.EventTypeChargeDisputeFundsReinstated: shop.EventDispute,
}

// parseEvent checks the signature over the raw body (HMAC-SHA256 of "timestamp.body", at most five
// minutes old) and decodes the event. An event of another API version than stripe-go's is decoded
// all the same; see docs/decisions/0030. One without an id, of the other mode, or of another account is
// refused.
func parseEvent(body []byte, signature, secret string, livemode bool, log *slog.Logger) (shop.Event, error) {
	if secret == "" { // with an empty key everybody could sign
		return shop.Event{}, shop.Errorf(shop.CodeWebhooksOff, "This shop has no webhook secret yet, and asks Stripe itself.")
	}
	opts := webhook.ConstructEventOptions{
		Tolerance:                webhook.DefaultTolerance,
		IgnoreAPIVersionMismatch: true,
	}
	e, err := webhook.ConstructEventWithOptions(body, signature, secret, opts)
	if err != nil {
		log.Warn("webhook refused", "error", err)
		return shop.Event{}, shop.Errorf(shop.CodeBadSignature,
			"The webhook is not signed by the payment provider, too old, or not an event.")
	}
	out := shop.Event{ID: e.ID, Type: shop.EventType(e.Type), CreatedAt: time.Unix(e.Created, 0).UTC()}
	if kind, ok := kinds[e.Type]; ok {
		out.Type = kind
	}
	switch {
	case e.ID == "":
		return out, shop.Errorf(shop.CodeEventRefused, "The event has no id.")
	case e.Livemode != livemode:
		return out, shop.Errorf(shop.CodeEventRefused, "The event's livemode is %t, but the shop's key is of the other mode.",
			e.Livemode)
	case e.Account != "": // only a platform's Connect endpoint gets these
		return out, shop.Errorf(shop.CodeEventRefused, "The event is of account %s, and not of the shop's own.", e.Account)
	}
	var object error
	switch out.Type {
	case shop.EventSucceeded, shop.EventFailed, shop.EventCanceled:
		var pi stripe.PaymentIntent
		object = decodeObject(e, &pi)
		out.IntentID, out.AmountCents, out.Currency = pi.ID, pi.AmountReceived, string(pi.Currency)
	case shop.EventChargeRefunded:
		var ch stripe.Charge
		object = decodeObject(e, &ch)
		out.IntentID = intentOf(ch.PaymentIntent)
	case shop.EventRefund:
		var re stripe.Refund
		object = decodeObject(e, &re)
		out.IntentID, out.Return = intentOf(re.PaymentIntent), refundOf(&re)
	case shop.EventDispute:
		var dp stripe.Dispute
		object = decodeObject(e, &dp)
		out.IntentID, out.Return = intentOf(dp.PaymentIntent), disputeOf(&dp)
	}
	return out, object
}

// decodeObject decodes the object that the event is about.
func decodeObject(e stripe.Event, into any) error {
	if e.Data == nil {
		return shop.Errorf(shop.CodeEventRefused, "The event has no data.")
	}
	if err := json.Unmarshal(e.Data.Raw, into); err != nil {
		return fmt.Errorf("%w: %w", shop.Errorf(shop.CodeEventRefused, "The event's object cannot be decoded."), err)
	}
	return nil
}

// intentOf is the id of the intent that something belongs to, "" if none: a charge can be without.
func intentOf(pi *stripe.PaymentIntent) string {
	if pi == nil {
		return ""
	}
	return pi.ID
}

func refundOf(re *stripe.Refund) shop.Return {
	r := shop.Return{ID: re.ID, AmountCents: re.Amount, Status: shop.ReturnPending}
	switch re.Status {
	case stripe.RefundStatusSucceeded:
		r.Status = shop.ReturnSucceeded
	case stripe.RefundStatusFailed, stripe.RefundStatusCanceled:
		r.Status = shop.ReturnFailed
	}
	return r
}

// disputeOf reads a dispute. An inquiry ("warning_...") has taken no money yet. "prevented" is newer
// than stripe-go v76: the charge was refunded before it became a dispute, and the refund counts.
func disputeOf(dp *stripe.Dispute) shop.Return {
	r := shop.Return{ID: dp.ID, Dispute: true, AmountCents: dp.Amount, Status: shop.ReturnPending}
	switch dp.Status {
	case stripe.DisputeStatusLost:
		r.Status = shop.ReturnSucceeded
	case stripe.DisputeStatusWon, stripe.DisputeStatusWarningClosed, "prevented":
		r.Status = shop.ReturnFailed
	case stripe.DisputeStatusWarningNeedsResponse, stripe.DisputeStatusWarningUnderReview:
		r.AmountCents = 0
	}
	return r
}
