package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"shoplab/contract"
	"shoplab/service/api"
	"shoplab/service/lambda"
	"shoplab/service/postgres"
	"shoplab/service/redis"
	"shoplab/service/shop"
	"shoplab/service/stripe"
)

const (
	// finishTimeout bounds how long requests in flight may take after the listener is closed.
	// Fargate and Kubernetes kill 30 s after SIGTERM; with the drain delay this stays below.
	finishTimeout = 15 * time.Second
	// openAttempt bounds one try to connect to the database, migrate and seed it.
	openAttempt = 2 * time.Minute
)

// service is the program while it runs.
type service struct {
	config
	log      *slog.Logger
	registry *prometheus.Registry
	metrics  *api.Metrics
	server   *api.Server
	redis    *redis.Client    // nil without Redis
	function *lambda.Function // nil but on AWS Lambda

	// What open sets:
	db         *postgres.DB
	simulation *stripe.Simulation // nil with Stripe
	cashier    *shop.Cashier
	sweep      sync.WaitGroup
	stopSweep  context.CancelFunc
}

// serve listens at once, becomes ready when the database is there, and drains when ctx is done.
func serve(ctx context.Context, c config, log *slog.Logger) (err error) {
	began := time.Now()
	s := &service{config: c, log: log, registry: prometheus.NewRegistry()}
	s.metrics = api.NewMetrics(s.registry)
	registerProcess(s.registry, version())
	if c.redisURL != "" {
		s.redis, err = redis.Open(c.redisURL, redis.Options{Log: log, Observe: s.metrics.ObserveRedis})
		if err != nil {
			return err
		}
		registerRedis(s.registry, s.redis)
		defer func() { err = errors.Join(err, s.redis.Close()) }()
	}
	s.server, err = api.New(s.apiConfig())
	if err != nil {
		return err
	}
	listener, err := s.listen()
	if err != nil {
		return err
	}
	admin, err := s.serveAdmin()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, admin.Close()) }()

	log.Info("listening", "addr", listener.Addr().String(), "admin_addr", admin.Addr, "version", version(),
		"stage", c.stage, "topology", c.topology, "instance", c.instance, "payments", c.payments)
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	go func() {
		if err := s.server.Serve(listener); err != nil {
			failed(fmt.Errorf("serve: %w", err))
		}
	}()
	if s.function != nil {
		go s.function.Run(ctx)
	}
	if err := s.openPatiently(ctx); err == nil {
		if s.function != nil {
			s.function.Opened()
		}
		log.Info("ready", "after_ms", time.Since(began).Milliseconds())
	}
	<-ctx.Done()
	s.drain()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// listen opens the public listener: a port, or on AWS Lambda what its events come through.
func (s *service) listen() (net.Listener, error) {
	if !lambda.Hosted() {
		listener, err := net.Listen("tcp", s.addr)
		if err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
		return listener, nil
	}
	var err error
	s.function, err = lambda.New(lambda.Options{
		OriginSecret: s.originSecret, PublicURL: s.publicURL, Background: s.background, Settle: s.settle,
	})
	if err != nil {
		return nil, err
	}
	return s.function.Listener(), nil
}

// background does one round of what a server of its own does all the time.
func (s *service) background(ctx context.Context) error {
	return errors.Join(s.cashier.SweepOnce(ctx), s.db.ForgetOnce(ctx))
}

// settle returns when the simulated payments that requests have made are delivered.
func (s *service) settle(ctx context.Context) error {
	if s.simulation == nil {
		return nil
	}
	return s.simulation.Settle(ctx)
}

func (s *service) apiConfig() api.Config {
	c := api.Config{
		Info: api.Info{
			Stage: s.stage, Topology: s.topology, Instance: s.instance, Version: version(),
			Payments: s.payments, PublishableKey: s.stripePublishableKey,
		},
		SessionKeys: s.sessionKeys, OrderHold: min(s.orderHold, s.orderTTL), TrustedProxies: s.trustedProxies,
		AlwaysHTTPS: s.httpsAll,
		AccessLog:   s.accessLog, Log: s.log, Metrics: s.metrics,
	}
	if s.rateLimit {
		c.HoldLimits = shop.DefaultHoldLimits
		limiter := redis.NewLimiter(s.redis)
		c.Allow = func(ctx context.Context, key string, l api.Limit) (bool, time.Duration) {
			return limiter.Allow(ctx, key, redis.Limit(l))
		}
		c.Forgive = func(ctx context.Context, key string, l api.Limit) { limiter.Forgive(ctx, key, redis.Limit(l)) }
	}
	return c
}

// openPatiently opens the shop, and tries again for as long as it takes: the database may start
// after the service.
func (s *service) openPatiently(ctx context.Context) error {
	pause := 50 * time.Millisecond
	for {
		err := s.open(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		s.log.Warn("cannot open the shop yet", "error", err, "again_in_ms", pause.Milliseconds())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// open connects to the database, brings it up to date, and hands the shop to the server.
func (s *service) open(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, openAttempt)
	defer cancel()
	db, err := postgres.Open(ctx, postgres.Config{
		URL: s.databaseURL, MaxConns: s.databaseMaxConns, AcquireTimeout: s.databaseAcquireTimeout, Log: s.log,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	if err := db.Seed(ctx); err != nil {
		return err
	}
	s.db = db
	registerDatabase(s.registry, db)
	s.server.Open(s.shop(db))
	return nil
}

// shop joins the adapters and starts the sweepers.
func (s *service) shop(db *postgres.DB) api.Shop {
	sh := api.Shop{
		Catalog: db, Accounts: db, Sessions: db, Carts: db, Orders: db, Hasher: shop.NewHasher(s.hashConcurrency),
		Ready: db.Ready,
	}
	if s.redis != nil {
		sh.Catalog = redis.NewCatalog(db, s.redis)
	}
	var gateway shop.Gateway
	if s.payments == contract.PaymentsSimulated {
		s.simulation = stripe.NewSimulation(s.stripeWebhookSecret,
			func(ctx context.Context, body []byte, signature string) error {
				_, err := sh.Cashier.Webhook(ctx, body, signature)
				return err
			}, s.log)
		sh.Simulate = s.simulation.Simulate
		gateway = s.simulation
	} else {
		gateway = stripe.New(stripe.Config{
			SecretKey: s.stripeSecretKey, WebhookSecret: s.stripeWebhookSecret, APIURL: s.stripeAPIURL, Log: s.log,
		})
	}
	sh.Cashier = shop.NewCashier(db, db, gateway)
	sh.Cashier.OrderTTL = s.orderTTL
	sh.Cashier.Log = s.log
	sh.Cashier.Observe = s.metrics.ObserveCashier
	sh.Cashier.Webhooks = s.stripeWebhookSecret != ""
	sh.Cashier.Polls = s.payments == contract.PaymentsStripe
	if !sh.Cashier.Webhooks {
		s.log.Info("no webhook secret: Stripe is asked what became of payments")
	}
	s.cashier = sh.Cashier
	ctx, stop := context.WithCancel(context.Background())
	s.stopSweep = stop
	if s.function != nil { // frozen between events: EventBridge Scheduler sends one that does a round
		return sh
	}
	s.sweep.Go(func() { sh.Cashier.Sweep(ctx) })
	s.sweep.Go(func() { db.Forget(ctx) })
	return sh
}

// drain stops in an order that loses nothing: first the load balancer is told to send no more requests, then the
// requests in flight finish, then the work in the background; the database is closed last.
func (s *service) drain() {
	s.server.Drain()
	s.log.Info("draining", "delay_ms", s.drainDelay.Milliseconds())
	time.Sleep(s.drainDelay)
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	if err := s.server.App().ShutdownWithContext(ctx); err != nil {
		s.log.Error("requests were cut off", "error", err)
	}
	if s.db == nil {
		return
	}
	s.stopSweep()
	s.sweep.Wait()
	if s.simulation != nil {
		if err := s.simulation.Close(ctx); err != nil {
			s.log.Error("simulated payments are lost", "error", err)
		}
	}
	s.db.Close()
	s.log.Info("stopped")
}

// serveAdmin serves metrics and profiles on the admin listener.
func (s *service) serveAdmin() (*http.Server, error) {
	listener, err := net.Listen("tcp", s.adminAddr)
	if err != nil {
		return nil, fmt.Errorf("listen for the admin: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+contract.MetricsPath, promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Addr: listener.Addr().String(), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("admin listener", "error", err)
		}
	}()
	return server, nil
}
