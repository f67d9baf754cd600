package shop

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHasher(t *testing.T) {
	h, ctx := NewHasher(2), t.Context()
	hash, err := h.Hash(ctx, "analytical engine")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("hash is %q", hash)
	}
	if again, err := h.Hash(ctx, "analytical engine"); err != nil || again == hash {
		t.Fatalf("the same salt twice: %q, %v", again, err)
	}
	for _, tt := range []struct {
		hash, password string
		want           bool
	}{
		{hash, "analytical engine", true},
		{hash, "analytical engine ", false},
		{hash, "", false},
		{"", "analytical engine", false},
		{"", "", false},
	} {
		if got, err := h.Verify(ctx, tt.hash, tt.password); err != nil || got != tt.want {
			t.Errorf("Verify(%q, %q) = %v, %v", tt.hash, tt.password, got, err)
		}
	}
}

// TestVerifyKnownHash holds Verify against a hash of the reference implementation's test suite
// (https://github.com/P-H-C/phc-winner-argon2/blob/master/src/test.c: version 0x13, Argon2id).
func TestVerifyKnownHash(t *testing.T) {
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := NewHasher(1).Verify(t.Context(), reference, "password"); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestVerifyBadHash(t *testing.T) {
	h := NewHasher(1)
	for _, hash := range []string{
		"x", "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5",
		"$argon2id$v=16$m=19456,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5",
		"$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5",
		"$argon2id$v=19$m=19456,t=0,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5",
		"$argon2id$v=19$m=19456,t=2,p=1$!$a2V5a2V5a2V5a2V5a2V5",
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$",
	} {
		if ok, err := h.Verify(t.Context(), hash, "password"); ok || err == nil {
			t.Errorf("Verify(%q) = %v, %v", hash, ok, err)
		}
	}
}

// TestHasherWaits: who finds all slots taken waits until the context ends, and takes none.
func TestHasherWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(1)
		if err := h.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := h.Hash(ctx, "p"); CodeOf(err) != CodeOverloaded || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.Verify(gone, "", "p"); !errors.Is(err, context.Canceled) || CodeOf(err) != CodeInternal {
			t.Errorf("a shopper who left gives %v", err)
		}
		h.release()
		if err := h.acquire(t.Context()); err != nil {
			t.Errorf("the slot is lost: %v", err)
		}
	})
}

// TestHasherQueue: who finds the queue full is told so at once, and the queue moves on.
func TestHasherQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(2)
		for range 2 {
			if err := h.acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		for range 2 * queuePerSlot {
			go func() { left <- h.acquire(ctx) }()
		}
		synctest.Wait() // all of them wait
		start := time.Now()
		if _, err := h.Hash(t.Context(), "p"); CodeOf(err) != CodeOverloaded || time.Since(start) != 0 {
			t.Errorf("a full queue: after %s: %v", time.Since(start), err)
		}
		h.release()
		if err := <-left; err != nil {
			t.Errorf("the next one: %v", err)
		}
		cancel()
		for range 2*queuePerSlot - 1 {
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Errorf("those who left: %v", err)
			}
		}
		h.release()
		h.release()
		if n := len(h.queue) + len(h.slots); n != 0 {
			t.Errorf("%d places are lost", n)
		}
	})
}

// TestHasherOutdated: parameters that have risen since make a hash outdated, those that have fallen do not.
func TestHasherOutdated(t *testing.T) {
	h := NewHasher(1)
	today, err := h.Hash(t.Context(), "analytical engine")
	if err != nil {
		t.Fatal(err)
	}
	for hash, want := range map[string]bool{
		today: false,
		strings.Replace(today, "m=19456,t=2", "m=19456,t=1", 1): true,
		strings.Replace(today, "m=19456,t=2", "m=9216,t=4", 1):  true,
		strings.Replace(today, "m=19456,t=2", "m=19456,t=3", 1): false,
		"": false, "nonsense": false,
	} {
		if got := h.Outdated(hash); got != want {
			t.Errorf("%q: %v", hash, got)
		}
	}
}

// TestHasherBound counts how many are inside at once.
func TestHasherBound(t *testing.T) {
	h := NewHasher(2)
	var (
		wg           sync.WaitGroup
		mu           sync.Mutex
		inside, most int
	)
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		inside += n
		most = max(most, inside)
	}
	for range 8 {
		wg.Go(func() {
			if err := h.acquire(t.Context()); err != nil {
				t.Error(err)
				return
			}
			count(1)
			time.Sleep(time.Millisecond)
			count(-1)
			h.release()
		})
	}
	wg.Wait()
	if most != 2 {
		t.Errorf("%d at once, want 2", most)
	}
}

func BenchmarkHash(b *testing.B) {
	h := NewHasher(1)
	for b.Loop() {
		if _, err := h.Hash(b.Context(), "analytical engine"); err != nil {
			b.Fatal(err)
		}
	}
}
