package api

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"shoplab/contract"
)

// secure sets the headers that every response has. HSTS does not ask for subdomains: they may be
// somebody else's.
func (s *Server) secure(c *fiber.Ctx) {
	h := &c.Response().Header
	setCanonical(h, "X-Content-Type-Options", "nosniff")
	if s.https(c) {
		setCanonical(h, "Strict-Transport-Security", "max-age=31536000")
	}
	setCanonical(h, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// pagePolicy is the Content-Security-Policy of the storefront: itself, and Stripe where it is used,
// as https://docs.stripe.com/security/guide#content-security-policy asks for Stripe.js.
func pagePolicy(payments string) string {
	var script, frame, connect, img string
	if payments == contract.PaymentsStripe {
		script = " https://js.stripe.com https://*.js.stripe.com"
		frame = script + " https://hooks.stripe.com"
		connect = " https://api.stripe.com"
		img = " https://*.stripe.com"
	} else {
		frame = " 'none'"
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'" + script,
		"style-src 'self'",
		"img-src 'self'" + img,
		"font-src 'self'",
		"connect-src 'self'" + connect,
		"frame-src" + frame,
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

// permissions is the storefront's Permissions-Policy.
func permissions(payments string) string {
	payment := "payment=()"
	if payments == contract.PaymentsStripe {
		payment = `payment=(self "https://js.stripe.com")`
	}
	return payment + ", camera=(), geolocation=(), microphone=(), usb=()"
}
