package shop_test

import (
	"errors"
	"testing"
	"time"

	"shoplab/service/shop"
)

// TestStartPaymentHolds: the hold of an order is short until its payment begins, and is extended once.
func TestStartPaymentHolds(t *testing.T) {
	l := newTill(t)
	l.OrderTTL = time.Hour
	o := l.order(t, time.Minute)
	held := func() time.Duration {
		got, err := l.store.Order(t.Context(), 1, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got.ExpiresAt.Sub(got.CreatedAt)
	}
	if held() != time.Minute {
		t.Fatalf("held for %s before the payment", held())
	}
	for range 2 {
		if _, err := l.StartPayment(t.Context(), 1, o.ID); err != nil {
			t.Fatal(err)
		}
		if held() != time.Hour {
			t.Errorf("held for %s after the payment began, want an hour from the placing", held())
		}
	}
	// Where it cannot be extended, no payment begins that could come too late.
	other := l.order(t, time.Minute)
	l.store.SetError(errors.New("the database is gone"))
	if _, err := l.StartPayment(t.Context(), 1, other.ID); err == nil {
		t.Error("began without the database")
	}
}

func TestHoldLimits(t *testing.T) {
	limits := shop.HoldLimits{Orders: 2, Pieces: 10, NetworkOrders: 4, NetworkPieces: 30}
	for name, test := range map[string]struct {
		limits  shop.HoldLimits
		held    shop.Held
		pieces  int
		refused bool
	}{
		"first":               {limits, shop.Held{}, 10, false},
		"too many at once":    {limits, shop.Held{}, 11, true},
		"last order":          {limits, shop.Held{Orders: 1, Pieces: 1}, 9, false},
		"an order too many":   {limits, shop.Held{Orders: 2, Pieces: 2}, 1, true},
		"a piece too many":    {limits, shop.Held{Orders: 1, Pieces: 1}, 10, true},
		"last of the network": {limits, shop.Held{NetworkOrders: 3, NetworkPieces: 20}, 10, false},
		"an order beyond it":  {limits, shop.Held{NetworkOrders: 4, NetworkPieces: 4}, 1, true},
		"a piece beyond it":   {limits, shop.Held{NetworkOrders: 1, NetworkPieces: 21}, 10, true},
		"nothing bounds": {
			shop.HoldLimits{}, shop.Held{Orders: 99, Pieces: 9999, NetworkOrders: 99, NetworkPieces: 9999}, 999, false,
		},
		"only orders bounded":  {shop.HoldLimits{Orders: 1}, shop.Held{}, 9999, false},
		"only a network's are": {shop.HoldLimits{NetworkPieces: 5}, shop.Held{Orders: 99}, 6, true},
	} {
		err := test.limits.Refusal(test.held, test.pieces)
		if refused := shop.CodeOf(err) == shop.CodeHoldLimit; refused != test.refused || err != nil && !refused {
			t.Errorf("%s: %v", name, err)
		}
		if test.limits.Bound() != (test.limits != shop.HoldLimits{}) {
			t.Errorf("%s: bound %v", name, test.limits.Bound())
		}
	}
}
