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
	"strings"
	"time"

	stripe "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/dispute"
	"github.com/stripe/stripe-go/v76/paymentintent"
	"github.com/stripe/stripe-go/v76/refund"

	"shoplab/service/shop"
)

// Config says which Stripe account to use.
type Config struct {
	SecretKey     string // "sk_..." or "rk_..."
	WebhookSecret string // "whsec_...", of the endpoint that calls /api/webhooks/stripe; "" for no webhooks
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
	disputes      dispute.Client
	livemode      bool // of the key, and so of all that it sees
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
		disputes:      dispute.Client{B: backend, Key: c.SecretKey},
		livemode:      strings.Contains(c.SecretKey, "_live_"),
		webhookSecret: c.WebhookSecret,
		log:           log,
	}
}

// CreateIntent makes the PaymentIntent of an order. Order and amount are the idempotency key, so
// that many callers, or one that tries again after a crash, get the same intent; Stripe remembers
// keys for at least 24 hours, which is far longer than an order stays pending. The time of the
// order keeps two throwaway databases on one test account apart, which both begin at order 1. Only
// methods are offered that pay at once; see docs/decisions/0035.
func (g *Gateway) CreateIntent(ctx context.Context, o shop.Order) (shop.Payment, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	params := &stripe.PaymentIntentParams{
		Amount:             stripe.Int64(o.TotalCents),
		Currency:           stripe.String(shop.Currency),
		PaymentMethodTypes: stripe.StringSlice([]string{string(stripe.PaymentMethodTypeCard)}),
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

// RefundIntent gives the money back. Intent, amount and attempt are the idempotency key: with the same
// key Stripe would answer with the refund that failed.
func (g *Gateway) RefundIntent(ctx context.Context, r shop.Refund) (shop.Return, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	params := &stripe.RefundParams{
		PaymentIntent: stripe.String(r.IntentID),
		Amount:        stripe.Int64(r.AmountCents),
	}
	params.AddMetadata("order_id", strconv.FormatInt(r.OrderID, 10))
	params.SetIdempotencyKey(fmt.Sprintf("refund-%s-%d-%d", r.IntentID, r.AmountCents, r.Attempt))
	params.Context = ctx
	re, err := g.refunds.New(params)
	if hasCode(err, stripe.ErrorCodeChargeAlreadyRefunded) {
		return shop.Return{}, fmt.Errorf("stripe: refund %s: %w", r.IntentID, shop.ErrRefunded)
	}
	if err != nil {
		return shop.Return{}, fmt.Errorf("stripe: refund %s: %w", r.IntentID, redact(err))
	}
	return refundOf(re), nil
}

// ParseEvent checks the signature of a webhook's raw body and decodes it.
func (g *Gateway) ParseEvent(body []byte, signature string) (shop.Event, error) {
	return parseEvent(body, signature, g.webhookSecret, g.livemode, g.log)
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
