package api

import (
	"fmt"

	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

const signatureHeader = "Stripe-Signature"

// Payment is what a browser needs to pay for an order.
type Payment struct {
	ClientSecret string `json:"client_secret"`
	AmountCents  int64  `json:"amount_cents"`
	Currency     string `json:"currency" example:"usd"`
}

// Simulation says how a simulated payment ends.
type Simulation struct {
	ClientSecret string `json:"client_secret" maxLength:"200"`
	Outcome      string `json:"outcome" enum:"succeeded,failed"`
}

// Received says that the shop has got the message.
type Received struct {
	Received bool `json:"received"`
}

// startPayment answers POST /api/orders/{id}/payment.
func (s *Server) startPayment(c *fiber.Ctx) error {
	user, id, err := s.orderOf(c)
	if err != nil {
		return err
	}
	if err := s.limit(c, limitPayment, fmt.Sprint(user)); err != nil {
		return err
	}
	p, err := s.Cashier.StartPayment(c.UserContext(), user, id)
	if err != nil {
		return fmt.Errorf("start payment of order %d: %w", id, err)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(Payment{ClientSecret: p.ClientSecret, AmountCents: p.AmountCents, Currency: p.Currency})
}

// webhook answers POST /api/webhooks/stripe. Any failure makes Stripe send the event again.
func (s *Server) webhook(c *fiber.Ctx) error {
	network := s.network(c)
	if err := s.limit(c, limitWebhook, network); err != nil {
		return err
	}
	// The signature covers the bytes as they came: c.Body would decompress them.
	outcome, err := s.Cashier.Webhook(c.UserContext(), c.Request().Body(), c.Get(signatureHeader))
	code := shop.CodeOf(err)
	if code != shop.CodeBadSignature && code != shop.CodeWebhooksOff && s.forgive != nil { // signed: it does not count
		s.forgive(c.UserContext(), limitWebhook.key(network), limitWebhook.Limit)
	}
	switch code {
	case shop.CodeBadSignature:
		s.metrics.payment("bad_signature")
		return err
	case shop.CodeEventRefused, shop.CodeWebhooksOff:
		return err
	}
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	s.log.DebugContext(c.UserContext(), "webhook", "request_id", requestID(c), "outcome", string(outcome))
	return c.JSON(Received{Received: true})
}

// simulate answers POST /api/payments/simulate.
func (s *Server) simulate(c *fiber.Ctx) error {
	if s.Simulate == nil {
		return shop.Errorf(shop.CodeNotFound, "Payments are real here.")
	}
	if err := s.limit(c, limitPayment, s.network(c)); err != nil {
		return err
	}
	var in Simulation
	if err := s.decode(c, &in); err != nil {
		return err
	}
	if err := s.Simulate(c.UserContext(), in.ClientSecret, in.Outcome); err != nil {
		return fmt.Errorf("simulate payment: %w", err)
	}
	return c.Status(fiber.StatusAccepted).JSON(Received{Received: true})
}
