package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"golang.org/x/time/rate"
)

// Limit allows Rate events a Period on average and Burst at once. The zero Limit allows all.
type Limit struct {
	Rate   int
	Burst  int
	Period time.Duration
}

// Limiter limits rates by GCRA over all instances together, and over each by itself as long as
// Redis is down: then n instances let through n times as much.
type Limiter struct {
	client *Client
	shared *redis_rate.Limiter
	local  buckets
}

// NewLimiter returns a limiter. A nil client limits per instance.
func NewLimiter(c *Client) *Limiter {
	l := &Limiter{client: c}
	if c != nil {
		l.shared = redis_rate.NewLimiter(c.rdb)
	}
	return l
}

// Allow says whether an event of key may happen now, and if not, in what time to try again. A key
// goes with one limit ("login:address:10.0.0.1"); Redis sees only its hash.
func (l *Limiter) Allow(ctx context.Context, key string, limit Limit) (ok bool, retryAfter time.Duration) {
	if limit.Rate <= 0 || limit.Period <= 0 {
		return true, 0
	}
	limit.Burst = max(limit.Burst, 1)
	sum := sha256.Sum256([]byte(key))
	if l.client.Up() {
		res, err := l.shared.Allow(ctx, sharedKey(sum), redis_rate.Limit(limit))
		l.client.report(ctx, err)
		if err == nil {
			return res.Allowed > 0, max(res.RetryAfter, 0)
		}
	}
	return l.local.allow(sum, limit, time.Now())
}

// Forgive takes back an event of key that Allow has allowed: in GCRA, an event that costs -1. (Redis keeps the
// last event that is left all the same until it would have been allowed again.)
func (l *Limiter) Forgive(ctx context.Context, key string, limit Limit) {
	if limit.Rate <= 0 || limit.Period <= 0 {
		return
	}
	limit.Burst = max(limit.Burst, 1)
	sum := sha256.Sum256([]byte(key))
	if l.client.Up() {
		_, err := l.shared.AllowN(ctx, sharedKey(sum), redis_rate.Limit(limit), -1)
		l.client.report(ctx, err)
		return
	}
	l.local.forgive(sum, limit, time.Now())
}

func sharedKey(sum [sha256.Size]byte) string { return "shoplab:" + hex.EncodeToString(sum[:16]) }

// bucketsPerGeneration bounds the memory of buckets: two generations of about 200 bytes an entry.
const bucketsPerGeneration = 10_000

// buckets holds a token bucket for each of the keys that were used last. When the young generation
// is full it becomes the old one, and the old one is forgotten: whoever keeps coming is kept.
type buckets struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]*rate.Limiter
}

func (b *buckets) allow(key [sha256.Size]byte, limit Limit, now time.Time) (ok bool, retryAfter time.Duration) {
	r := b.bucket(key, limit).ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return false, wait
	}
	return true, 0
}

func (b *buckets) forgive(key [sha256.Size]byte, limit Limit, now time.Time) {
	b.bucket(key, limit).ReserveN(now, -1)
}

func (b *buckets) bucket(key [sha256.Size]byte, limit Limit) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l, ok := b.young[key]; ok {
		return l
	}
	l, ok := b.old[key]
	if !ok {
		l = rate.NewLimiter(rate.Limit(float64(limit.Rate)/limit.Period.Seconds()), limit.Burst)
	}
	if b.young == nil || len(b.young) >= bucketsPerGeneration {
		b.old, b.young = b.young, make(map[[sha256.Size]byte]*rate.Limiter)
	}
	b.young[key] = l
	return l
}
