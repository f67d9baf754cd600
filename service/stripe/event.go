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

// parseEvent checks the signature over the raw body (HMAC-SHA256 of "timestamp.body", at most five
// minutes old) and decodes the event. An event of another API version than stripe-go's is decoded
// all the same; see docs/decisions/0030.
func parseEvent(body []byte, signature, secret string, log *slog.Logger) (shop.Event, error) {
	opts := webhook.ConstructEventOptions{
		Tolerance:                webhook.DefaultTolerance,
		IgnoreAPIVersionMismatch: true,
	}
	e, err := webhook.ConstructEventWithOptions(body, signature, secret, opts)
	if err != nil {
		log.Warn("webhook refused", "error", err)
		return shop.Event{}, shop.Errorf(shop.CodeBadSignature, "The webhook is not signed by the payment provider, too old, or not an event.")
	}
	out := shop.Event{ID: e.ID, Type: shop.EventType(e.Type), CreatedAt: time.Unix(e.Created, 0).UTC()}
	switch out.Type {
	case shop.EventSucceeded, shop.EventFailed, shop.EventCanceled:
		var pi stripe.PaymentIntent
		if err := decodeObject(e, &pi); err != nil {
			return shop.Event{}, err
		}
		out.IntentID, out.AmountCents, out.Currency = pi.ID, pi.AmountReceived, string(pi.Currency)
	case shop.EventRefunded:
		var ch stripe.Charge
		if err := decodeObject(e, &ch); err != nil {
			return shop.Event{}, err
		}
		if ch.PaymentIntent != nil {
			out.IntentID = ch.PaymentIntent.ID
		}
		out.AmountCents, out.Currency = ch.AmountRefunded, string(ch.Currency)
	}
	return out, nil
}

// decodeObject decodes the object that the event is about.
func decodeObject(e stripe.Event, into any) error {
	if e.Data == nil {
		return shop.Errorf(shop.CodeInvalid, "The webhook event has no data.")
	}
	if err := json.Unmarshal(e.Data.Raw, into); err != nil {
		return fmt.Errorf("%w: %w", shop.Errorf(shop.CodeInvalid, "The webhook event's object cannot be decoded."), err)
	}
	return nil
}
