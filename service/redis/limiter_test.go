package redis

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var perHour = Limit{Rate: 10, Burst: 10, Period: time.Hour}

// count returns how many of n events are allowed.
func count(ctx context.Context, l *Limiter, key string, limit Limit, n int) (allowed int, retryAfter time.Duration) {
	for range n {
		ok, wait := l.Allow(ctx, key, limit)
		if ok {
			allowed++
		} else {
			retryAfter = wait
		}
	}
	return allowed, retryAfter
}

// TestLimiters holds the shared and the local limiter to the same behaviour.
func TestLimiters(t *testing.T) {
	client, _ := open(t, startRedis(t).URL())
	await(t, "the client is up", client.Up)
	for name, l := range map[string]*Limiter{"shared": NewLimiter(client), "local": NewLimiter(nil)} {
		t.Run(name, func(t *testing.T) {
			allowed, wait := count(t.Context(), l, "a@example.com", perHour, 15)
			if allowed != 10 {
				t.Errorf("%d were allowed at once, want 10", allowed)
			}
			if wait < 5*time.Minute || wait > 6*time.Minute { // 10 an hour is one in 6 minutes
				t.Errorf("retry after %v, want about 6m", wait)
			}
			if allowed, _ := count(t.Context(), l, "b@example.com", perHour, 1); allowed != 1 {
				t.Error("another key was limited too")
			}
			if allowed, _ := count(t.Context(), l, "off", Limit{}, 1000); allowed != 1000 {
				t.Error("the zero limit limits")
			}
			for range 30 { // what is forgiven does not count
				if ok, _ := l.Allow(t.Context(), "c@example.com", perHour); !ok {
					t.Fatal("refused for what was forgiven")
				}
				l.Forgive(t.Context(), "c@example.com", perHour)
			}
			l.Forgive(t.Context(), "c@example.com", perHour) // and gives nothing beyond the burst
			if allowed, _ := count(t.Context(), l, "c@example.com", perHour, 15); allowed < 9 || allowed > 10 {
				t.Errorf("%d were allowed after what was forgiven, want 10, or 9", allowed)
			}
			quick := Limit{Rate: 20, Burst: 1, Period: time.Second}
			count(t.Context(), l, "quick", quick, 1)
			if ok, _ := l.Allow(t.Context(), "quick", quick); ok {
				t.Error("more than the burst was allowed")
			}
			await(t, "it is allowed again", func() bool { ok, _ := l.Allow(t.Context(), "quick", quick); return ok })
		})
	}
}

func TestLimitHoldsAcrossInstances(t *testing.T) {
	url := startRedis(t).URL()
	var allowed atomic.Int64
	var instances sync.WaitGroup
	for range 4 {
		client, _ := open(t, url)
		await(t, "the client is up", client.Up)
		l := NewLimiter(client)
		for range 2 {
			instances.Go(func() {
				n, _ := count(t.Context(), l, "login", perHour, 10)
				allowed.Add(int64(n))
			})
		}
	}
	instances.Wait()
	if n := allowed.Load(); n != 10 {
		t.Errorf("4 instances allowed %d together, want 10", n)
	}
}

func TestLimitsFallBackAndReturn(t *testing.T) {
	r := startRedis(t)
	client, _ := open(t, r.URL())
	await(t, "the client is up", client.Up)
	l := NewLimiter(client)
	if allowed, _ := count(t.Context(), l, "login", perHour, 20); allowed != 10 {
		t.Errorf("shared: %d allowed", allowed)
	}
	if err := r.Halt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if allowed, _ := count(t.Context(), l, "login", perHour, 20); allowed != 10 {
		t.Errorf("Redis gone: %d allowed, want 10 of this instance's own", allowed)
	}
	if client.Up() {
		t.Error("Redis still counts as up")
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "Redis counts as up", client.Up)
	if allowed, _ := count(t.Context(), l, "login", perHour, 20); allowed != 10 {
		t.Errorf("Redis back, and empty: %d allowed", allowed)
	}
}

func TestRedisSeesNoNames(t *testing.T) {
	client, _ := open(t, startRedis(t).URL())
	await(t, "the client is up", client.Up)
	NewLimiter(client).Allow(t.Context(), "login:account:ada@example.com", perHour)
	keys, err := client.rdb.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 1 || len(keys[0]) != len("rate:shoplab:")+32 {
		t.Errorf("keys = %v, %v", keys, err)
	}
}

// TestBucketsAreBounded floods the local limiter with addresses while one shopper keeps coming.
func TestBucketsAreBounded(t *testing.T) {
	l := NewLimiter(nil)
	count(t.Context(), l, "regular", perHour, 10)
	for i := range 5 * bucketsPerGeneration {
		l.Allow(t.Context(), fmt.Sprint(i), perHour)
		if i%(bucketsPerGeneration/2) == 0 {
			if ok, _ := l.Allow(t.Context(), "regular", perHour); ok {
				t.Fatalf("the regular was forgotten after %d others", i)
			}
		}
	}
	if n := len(l.local.young) + len(l.local.old); n > 2*bucketsPerGeneration {
		t.Errorf("%d buckets are kept", n)
	}
}
