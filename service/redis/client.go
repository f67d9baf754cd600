// Package redis keeps what instances of the shop share for speed: the cached catalog and the
// counters of rate limits. Nothing in it is needed for the shop to work. Without Redis the catalog
// comes from the next store and rate limits hold per instance: see docs/decisions/0032.
package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// What an observer is told. Up and down alternate; the client begins down.
const (
	ObservedHit    = "hit"    // catalog answer found
	ObservedMiss   = "miss"   // catalog answer loaded, and stored
	ObservedBypass = "bypass" // catalog answer loaded, Redis not asked because it is down
	ObservedError  = "error"  // a command failed
	ObservedUp     = "up"
	ObservedDown   = "down"
)

const (
	dialTimeout    = 500 * time.Millisecond // TLS included
	commandTimeout = 100 * time.Millisecond // Redis in the same region answers within 1 ms
	tripAfter      = 3                      // failures in a row until Redis counts as down
	probeEvery     = 250 * time.Millisecond
)

// Options of a Client. All may be left out.
type Options struct {
	Log *slog.Logger
	// Observe is told of each event, for counting. It must be safe for concurrent use and fast.
	Observe func(event string)

	timeout time.Duration // of a command; tests on a busy machine want more
}

// Client is a connection pool with a circuit breaker: after a few failures in a row Redis counts as
// down and is not asked any more, until a ping in the background succeeds. So no request ever pays
// for a Redis that is gone, but the few that find out. Nil is a Redis that is always down.
type Client struct {
	rdb      *redis.Client
	log      *slog.Logger
	observe  func(event string)
	up       atomic.Bool
	failures atomic.Int32
	tripped  chan struct{}
	stop     context.CancelFunc
	probing  sync.WaitGroup
}

// Open returns a client of redis://[user:password@]host:port[/db], or rediss:// for TLS. It does
// not wait for a connection: the client is down until a first ping succeeds. Close it.
func Open(url string, o Options) (*Client, error) {
	opt, err := redis.ParseURL(url)
	if err != nil {
		// err may hold the password.
		return nil, errors.New("redis URL: want redis://[user:password@]host:port[/db], or rediss: for TLS")
	}
	opt.DialTimeout = dialTimeout
	opt.DialerRetries = 1
	opt.ReadTimeout = cmp.Or(o.timeout, commandTimeout)
	opt.WriteTimeout = opt.ReadTimeout
	opt.PoolTimeout = opt.ReadTimeout
	opt.MaxRetries = -1
	opt.ContextTimeoutEnabled = true
	opt.Protocol = 2 // nothing here needs RESP3's push messages
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	logging.Disable() // the library would write a line of plain text for every dial that fails
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{
		rdb:     redis.NewClient(opt),
		log:     cmp.Or(o.Log, slog.Default()),
		observe: o.Observe,
		tripped: make(chan struct{}, 1),
		stop:    stop,
	}
	if c.observe == nil {
		c.observe = func(string) {}
	}
	c.probing.Go(func() { c.probe(ctx) })
	return c, nil
}

// Close closes the connections.
func (c *Client) Close() error {
	c.stop()
	c.probing.Wait()
	c.up.Store(false)
	if err := c.rdb.Close(); err != nil {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// Up says whether Redis counts as reachable.
func (c *Client) Up() bool { return c != nil && c.up.Load() }

// PoolStats returns the pool's counters and gauges.
func (c *Client) PoolStats() *redis.PoolStats { return c.rdb.PoolStats() }

// report tells the breaker how a command went.
func (c *Client) report(ctx context.Context, err error) {
	switch {
	case err == nil || errors.Is(err, redis.Nil):
		c.failures.Store(0)
	case ctx.Err() != nil:
		// The caller gave up: that says nothing about Redis.
	default:
		c.observe(ObservedError)
		if c.failures.Add(1) >= tripAfter && c.up.CompareAndSwap(true, false) {
			c.observe(ObservedDown)
			c.log.Warn("redis is down: catalog uncached, rate limits per instance", "error", err)
			c.tripped <- struct{}{} // has room: the prober took the one before it set up
		}
	}
}

// probe pings until Redis answers, then waits for the next trip.
func (c *Client) probe(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		err := c.rdb.Ping(ctx).Err()
		if err != nil && first {
			c.log.Warn("redis cannot be reached yet: catalog uncached, rate limits per instance", "error", err)
		}
		if err == nil {
			c.failures.Store(0)
			c.observe(ObservedUp)
			c.log.Info("redis is up")
			c.up.Store(true)
			select {
			case <-c.tripped:
			case <-ctx.Done():
				return
			}
			tick.Reset(probeEvery)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
