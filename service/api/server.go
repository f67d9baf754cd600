// Package api serves the shop over HTTP: the JSON API of GET /api/openapi.json, the storefront's
// files, and the probes. All routes are in routes.go.
//
// # Metrics
//
//	shoplab_http_request_duration_seconds{route,method,status}  histogram; route is the pattern
//	                                        ("/api/products/:id"), "/" for storefront files, or
//	                                        "unmatched"
//	shoplab_http_requests_in_flight         gauge
//	shoplab_catalog_cache_total{layer,result}  layer "process": hit, miss; layer "redis": hit, miss,
//	                                        bypass (Redis is down), error
//	shoplab_orders_total{outcome}           placed, repeated, canceled, expired; refused: empty_cart,
//	                                        out_of_stock, price_changed, total_too_small,
//	                                        total_too_large, idempotency_key_reused
//	shoplab_payments_total{outcome}         started, unavailable, bad_signature, refused, and what
//	                                        became of each event: paid, refund (owed), refunded,
//	                                        partly_refunded, disputed, failed, canceled, ignored,
//	                                        duplicate, unknown; refund_settled, refund_pending,
//	                                        refund_failed; found (by asking the gateway),
//	                                        webhook_missed (found, but a webhook should have told),
//	                                        check_failed
//	shoplab_sweep_failures_total            rounds of the sweeper that failed
//	shoplab_rate_limited_total{limit}       requests that were refused
package api

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// Limits of a connection and of a request.
const (
	readTimeout    = 10 * time.Second // for a whole request to arrive
	writeTimeout   = 20 * time.Second // for its answer to be taken
	idleTimeout    = 75 * time.Second // an ALB keeps connections for 60 s; whoever closes later loses nothing
	requestTimeout = 10 * time.Second // for what a handler waits for
	headerLimit    = 16 << 10         // bytes
	bodyLimit      = 128 << 10        // bytes; JSON bodies are held to maxJSON, Stripe's events are larger
)

// Info is what GET /api/info says.
type Info struct {
	Stage          string `json:"stage"`
	Topology       string `json:"topology"`
	Instance       string `json:"instance"`
	Version        string `json:"version"`
	Payments       string `json:"payments" enum:"stripe,simulated"`
	PublishableKey string `json:"publishable_key" doc:"Stripe's publishable key; empty when payments are simulated."`
}

// Config is what a server needs from the start.
type Config struct {
	Info Info
	// SessionKeys sign tokens: the first signs, all are good. All instances share them.
	SessionKeys [][]byte
	// OrderHold is how long an order holds its stock before its payment has begun.
	OrderHold time.Duration
	// HoldLimits bound what unpaid orders hold.
	HoldLimits shop.HoldLimits
	// TrustedProxies are believed about the client's address and protocol and the request's id.
	TrustedProxies []netip.Prefix
	// AlwaysHTTPS says that clients reach the shop by HTTPS only, whatever the proxies say.
	AlwaysHTTPS bool
	// MaxInFlight is how many requests of the API are answered at once, beyond which they are refused; 0 is
	// DefaultMaxInFlight.
	MaxInFlight int
	// AccessLog writes a line for each request to Log.
	AccessLog bool
	Log       *slog.Logger
	Metrics   *Metrics
	// Allow limits rates: whether an event of key may happen now, and if not, when to try again.
	// Nil allows all.
	Allow func(ctx context.Context, key string, l Limit) (ok bool, retryAfter time.Duration)
	// Forgive takes back an event that was allowed. Nil where Allow is.
	Forgive func(ctx context.Context, key string, l Limit)
}

// DefaultMaxInFlight is 1,024 requests. By Little's law even a shop that answers 2,000 a second takes half a second
// for one of so many, and each of them takes memory: who comes then is better off at another instance (0017).
const DefaultMaxInFlight = 1024

// Shop is what the server serves.
type Shop struct {
	Catalog  shop.Catalog
	Accounts shop.Accounts
	Sessions shop.Sessions
	Carts    shop.Carts
	Orders   shop.Orders
	Cashier  *shop.Cashier
	Hasher   *shop.Hasher
	// Simulate pays or fails a simulated payment; nil when payments are Stripe's.
	Simulate func(ctx context.Context, clientSecret, outcome string) error
	// Ready returns why requests would fail now, or nil. It must be fast.
	Ready func(ctx context.Context) error
}

// Server is the HTTP server. It answers probes and the storefront's files from the start, and the
// rest with 503 until Open.
type Server struct {
	Shop
	app         *fiber.App
	info        Info
	sessionKeys [][]byte
	orderHold   time.Duration
	holdLimits  shop.HoldLimits
	proxies     []netip.Prefix
	alwaysHTTPS bool
	accessLog   bool
	log         *slog.Logger
	metrics     *Metrics
	allow       func(context.Context, string, Limit) (bool, time.Duration)
	forgive     func(context.Context, string, Limit)
	answers     *answers
	spec        *spec
	files       *storefront
	most        int64        // requests that are answered at once
	underWay    atomic.Int64 // of those
	isOpen      atomic.Bool
	draining    atomic.Bool
}

// New returns a server that is not open yet.
func New(c Config) (*Server, error) {
	s := &Server{
		info: c.Info, sessionKeys: c.SessionKeys, orderHold: c.OrderHold, holdLimits: c.HoldLimits, proxies: c.TrustedProxies,
		alwaysHTTPS: c.AlwaysHTTPS, accessLog: c.AccessLog, log: c.Log, metrics: c.Metrics, allow: c.Allow,
		forgive: c.Forgive,
		answers: newAnswers(c.Metrics.answered), most: int64(cmp.Or(c.MaxInFlight, DefaultMaxInFlight)),
	}
	s.app = fiber.New(fiber.Config{
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ReadBufferSize: headerLimit, BodyLimit: bodyLimit,
		CaseSensitive: true, DisableStartupMessage: true, ErrorHandler: s.refuse,
		RequestMethods: methods, DisablePreParseMultipartForm: true, // else forms would be written to disk
	})
	s.app.Server().CloseOnShutdown = true // tells clients with open connections to go elsewhere
	ops := s.operations()
	var err error
	if s.spec, err = newSpec(c.Info.Version, ops); err != nil {
		return nil, err
	}
	if s.files, err = newStorefront(c.Info.Payments); err != nil {
		return nil, err
	}
	s.routes(ops)
	s.app.Server().Handler = s.admit(s.app.Server().Handler)
	return s, nil
}

// Open begins to serve the shop. Call it once.
func (s *Server) Open(sh Shop) {
	s.Shop = sh
	s.isOpen.Store(true)
}

// Drain makes GET /readyz fail, so that load balancers send no more requests here.
func (s *Server) Drain() { s.draining.Store(true) }

// App is the HTTP server's engine: ShutdownWithContext finishes requests and stops.
func (s *Server) App() *fiber.App { return s.app }

// around is what happens around every request: an id, security headers, the time taken, the log.
func (s *Server) around(c *fiber.Ctx) error {
	began := time.Now()
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	s.identify(c)
	s.secure(c)
	err := s.recovered(c)
	if err != nil {
		if err := s.fail(c, err); err != nil {
			return err
		}
	}
	s.answered(c, routeOf(c, err), c.Method(), time.Since(began))
	return nil
}

// answered counts and logs a request.
func (s *Server) answered(c *fiber.Ctx, route, method string, took time.Duration) {
	status := c.Response().StatusCode()
	s.metrics.request(route, method, status, took)
	if s.accessLog {
		s.log.LogAttrs(c.UserContext(), slog.LevelInfo, "request",
			slog.String("request_id", requestID(c)), slog.String("method", method), slog.String("path", c.Path()),
			slog.String("route", route), slog.Int("status", status), slog.Float64("ms", float64(took.Microseconds())/1000),
			slog.Int("bytes", len(c.Response().Body())), slog.String("client", s.client(c).String()))
	}
}

// recovered runs the handlers and turns a panic into an error.
func (s *Server) recovered(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return c.Next()
}

// routeOf is the pattern of the route that answered, as a metric's label.
func routeOf(c *fiber.Ctx, err error) string {
	if _, ok := err.(*fiber.Error); ok { //nolint:errorlint // the router's own error is never wrapped
		return unmatched
	}
	return c.Route().Path
}

// bounded gives a handler's context an end.
func bounded(h fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(c.UserContext(), requestTimeout)
		defer cancel()
		c.SetUserContext(ctx)
		return h(c)
	}
}

// errStarting is the answer of an instance that has not looked at the request, so another one may.
var errStarting = shop.Errorf(shop.CodeOverloaded, "The shop is starting. Try again in a moment.")

// errFull is the answer of an instance that answers as many requests as it can hold.
var errFull = shop.Errorf(shop.CodeOverloaded, "The shop is very busy. Try again in a moment.")

// opened refuses what cannot be served before Open, and more at once than the instance can hold.
func (s *Server) opened(h fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if !s.isOpen.Load() {
			return errStarting
		}
		defer s.underWay.Add(-1)
		if s.underWay.Add(1) > s.most {
			return errFull
		}
		return h(c)
	}
}
