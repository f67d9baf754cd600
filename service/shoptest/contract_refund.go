package shoptest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"shoplab/service/shop"
)

// owe makes n canceled orders that are paid late.
func (s suite) owe(n int) {
	s.t.Helper()
	u, product := s.user("ada@example.com"), s.product("p", 100, 100)
	for i := range n {
		o := s.order(u, product, 1, fmt.Sprint("k", i), time.Minute)
		p := s.pay(o)
		_, err := s.CancelOrder(s.ctx(), u.ID, o.ID)
		s.must(err)
		wantOutcome(s.t, s.event(fmt.Sprint("evt_", i), shop.EventSucceeded, p), shop.OutcomeRefund)
	}
}

func testRefundLeases(t *testing.T, s suite) {
	s.owe(3)
	claim := func(limit int, lease time.Duration) []shop.Refund {
		t.Helper()
		refunds, err := s.DueRefunds(t.Context(), limit, lease)
		s.must(err)
		return refunds
	}
	first, rest := claim(1, time.Hour), claim(10, 0)
	if len(first) != 1 || len(rest) != 2 || slices.Contains(rest, first[0]) {
		t.Fatalf("claimed %v, then %v", first, rest)
	}
	if again := claim(10, 0); len(again) != 2 || slices.Contains(again, first[0]) {
		t.Fatalf("leases that ran out give %v", again)
	}
	s.settle(rest[0])
	if again := claim(10, time.Hour); len(again) != 1 || again[0] != rest[1] {
		t.Fatalf("after one is settled: %v", again)
	}
	if again := claim(10, time.Hour); len(again) != 0 {
		t.Fatalf("leased refunds are claimed again: %v", again)
	}
	s.wantMoney(MoneyAudit{Captured: 300, Owed: 200, Refunded: 100})
}

func testRefundsAtOnce(t *testing.T, s suite) {
	const owed = 20
	s.owe(owed)
	claimedOnce(t, owed, func(ctx context.Context) (intents []string, err error) {
		refunds, err := s.DueRefunds(ctx, 3, time.Hour)
		for _, r := range refunds {
			intents = append(intents, r.IntentID)
		}
		return intents, err
	})
}

// claimedOnce lets six claim at once until all intents are claimed, each of which may be claimed once.
func claimedOnce(t *testing.T, intents int, claim func(context.Context) ([]string, error)) {
	t.Helper()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[string]int{}
	)
	for range 6 {
		wg.Go(func() {
			for {
				claimed, err := claim(t.Context())
				if err != nil {
					t.Errorf("claim: %v", err)
				}
				mu.Lock()
				for _, intent := range claimed {
					seen[intent]++
				}
				done := len(seen) == intents || err != nil || t.Context().Err() != nil
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	for intent, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times", intent, n)
		}
	}
}
