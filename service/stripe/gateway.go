// Package stripe moves the shop's money: through Stripe, or through a simulation that signs its
// own webhook events and sends them through the very same code.
package stripe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	stripe "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/paymentintent"
	"github.com/stripe/stripe-go/v76/refund"

	"shoplab/service/shop"
)

// Config says which Stripe account to use.
type Config struct {
	SecretKey     string // "sk_..." or "rk_..."
	WebhookSecret string // "whsec_...", of the endpoint that calls /api/webhooks/stripe
	APIURL        string // default: https://api.stripe.com
	Log           *slog.Logger
}

const (
	// attemptTimeout bounds one HTTP exchange. Stripe's own default is 80 s; a shopper waits.
	attemptTimeout = 5 * time.Second
	// retries after a network error, 409 or 5xx; all of them with the same idempotency key.
	retries = 2
	// callTimeout bounds a call with its retries when the caller's context does not.
	callTimeout = 8 * time.Second
)

// Gateway is Stripe as a shop.Gateway.
type Gateway struct {
	intents       paymentintent.Client
	refunds       refund.Client
	webhookSecret string
	log           *slog.Logger
}

var _ shop.Gateway = (*Gateway)(nil)

// New returns a gateway to Stripe. It does not connect.
func New(c Config) *Gateway {
	log := cmp.Or(c.Log, slog.Default())
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:               stripe.String(cmp.Or(c.APIURL, stripe.APIURL)),
		HTTPClient:        &http.Client{Timeout: attemptTimeout},
		MaxNetworkRetries: stripe.Int64(retries),
		EnableTelemetry:   stripe.Bool(false),
		LeveledLogger:     logger{log},
	})
	return &Gateway{
		intents:       paymentintent.Client{B: backend, Key: c.SecretKey},
		refunds:       refund.Client{B: backend, Key: c.SecretKey},
		webhookSecret: c.WebhookSecret,
		log:           log,
	}
}

// CreateIntent makes the PaymentIntent of an order. Order and amount are the idempotency key, so
// that many callers, or one that tries again after a crash, get the same intent; Stripe remembers
// keys for at least 24 hours, which is far longer than an order stays pending. The time of the
// order keeps two throwaway databases on one test account apart, which both begin at order 1.
func (g *Gateway) CreateIntent(ctx context.Context, o shop.Order) (shop.Payment, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	params := &stripe.PaymentIntentParams{
		Amount:   stripe.Int64(o.TotalCents),
		Currency: stripe.String(shop.Currency),
		AutomaticPaymentMethods: &stripe.PaymentIntentAutomaticPaymentMethodsParams{
			Enabled: stripe.Bool(true),
		},
	}
	params.AddMetadata("order_id", strconv.FormatInt(o.ID, 10))
	params.SetIdempotencyKey(fmt.Sprintf("order-%d-%d-%d", o.ID, o.CreatedAt.UnixMicro(), o.TotalCents))
	params.Context = ctx
	pi, err := g.intents.New(params)
	if err != nil {
		return shop.Payment{}, fmt.Errorf("stripe: create intent: %w", redact(err))
	}
	return shop.Payment{
		OrderID:      o.ID,
		IntentID:     pi.ID,
		ClientSecret: pi.ClientSecret,
		AmountCents:  o.TotalCents,
		Currency:     shop.Currency,
		Status:       shop.PaymentOpen,
	}, nil
}

// CancelIntent makes the intent unpayable. One that was paid, canceled or never known is no error.
func (g *Gateway) CancelIntent(ctx context.Context, intentID string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	params := &stripe.PaymentIntentCancelParams{
		CancellationReason: stripe.String(string(stripe.PaymentIntentCancellationReasonAbandoned)),
	}
	params.Context = ctx
	_, err := g.intents.Cancel(intentID, params)
	if hasCode(err, stripe.ErrorCodePaymentIntentUnexpectedState, stripe.ErrorCodeResourceMissing) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stripe: cancel intent %s: %w", intentID, redact(err))
	}
	return nil
}

// RefundIntent gives the money back. Intent and amount are the idempotency key; a charge that is already
// refunded is no error.
func (g *Gateway) RefundIntent(ctx context.Context, r shop.Refund) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	params := &stripe.RefundParams{
		PaymentIntent: stripe.String(r.IntentID),
		Amount:        stripe.Int64(r.AmountCents),
	}
	params.AddMetadata("order_id", strconv.FormatInt(r.OrderID, 10))
	params.SetIdempotencyKey(fmt.Sprintf("refund-%s-%d", r.IntentID, r.AmountCents))
	params.Context = ctx
	re, err := g.refunds.New(params)
	if hasCode(err, stripe.ErrorCodeChargeAlreadyRefunded) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stripe: refund %s: %w", r.IntentID, redact(err))
	}
	if re.Status == stripe.RefundStatusFailed || re.Status == stripe.RefundStatusCanceled {
		return fmt.Errorf("stripe: refund %s of %s is %s: %s; settle it by hand in the dashboard", re.ID, r.IntentID, re.Status, re.FailureReason)
	}
	return nil
}

// ParseEvent checks the signature of a webhook's raw body and decodes it.
func (g *Gateway) ParseEvent(body []byte, signature string) (shop.Event, error) {
	return parseEvent(body, signature, g.webhookSecret, g.log)
}

func hasCode(err error, codes ...stripe.ErrorCode) bool {
	var se *stripe.Error
	if !errors.As(err, &se) {
		return false
	}
	for _, c := range codes {
		if se.Code == c {
			return true
		}
	}
	return false
}

// redact makes an error of Stripe's fit for logs: the original prints itself as JSON that may hold
// the intent with its client secret.
func redact(err error) error {
	var se *stripe.Error
	if !errors.As(err, &se) {
		return err
	}
	return fmt.Errorf("%s %s (status %d, request %s)", se.Type, se.Code, se.HTTPStatusCode, se.RequestID)
}

// logger carries stripe-go's log lines into slog. Debug lines hold whole responses with client
// secrets and error lines hold whole error objects; both are dropped, errors are returned anyway.
type logger struct{ log *slog.Logger }

// Debugf drops what it is told.
func (logger) Debugf(string, ...any) {}

// Errorf drops what it is told.
func (logger) Errorf(string, ...any) {}

// Infof drops what it is told.
func (logger) Infof(string, ...any) {}

// Warnf logs what it is told: that a request is tried again.
func (l logger) Warnf(format string, args ...any) {
	l.log.Warn("stripe: " + fmt.Sprintf(format, args...))
}
