package shop

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestCartTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Cart
		var want int64
		for range rapid.IntRange(0, MaxCartItems).Draw(t, "items") {
			i := CartItem{
				Quantity:       rapid.IntRange(1, MaxQuantity).Draw(t, "quantity"),
				UnitPriceCents: rapid.Int64Range(0, 1_000_000_00).Draw(t, "price"),
			}
			c.Items = append(c.Items, i)
			for range i.Quantity { // the sum piece by piece
				want += i.UnitPriceCents
			}
		}
		if got := c.TotalCents(); got != want {
			t.Fatalf("total is %d, want %d", got, want)
		}
	})
}

func TestValidateQuantity(t *testing.T) {
	for _, tt := range []struct {
		quantity, least int
		ok              bool
	}{{1, 1, true}, {99, 1, true}, {0, 0, true}, {0, 1, false}, {-1, 0, false}, {100, 1, false}, {100, 0, false}} {
		if err := ValidateQuantity(tt.quantity, tt.least); (err == nil) != tt.ok {
			t.Errorf("ValidateQuantity(%d, %d) = %v", tt.quantity, tt.least, err)
		}
	}
}

// TestOrderStatus: nothing leaves an end state, and pieces are held, sold, or neither.
func TestOrderStatus(t *testing.T) {
	all := []OrderStatus{OrderPending, OrderPaid, OrderCanceled, OrderExpired, OrderRefunded}
	allowed := map[[2]OrderStatus]bool{
		{OrderPending, OrderPaid}: true, {OrderPending, OrderCanceled}: true, {OrderPending, OrderExpired}: true,
		{OrderPaid, OrderRefunded}: true,
	}
	for _, from := range all {
		for _, to := range all {
			if got := from.CanBecome(to); got != allowed[[2]OrderStatus{from, to}] {
				t.Errorf("%s to %s: %v", from, to, got)
			}
		}
		if from.HoldsStock() && from.Sold() {
			t.Errorf("%s holds and has sold its stock", from)
		}
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("the pool is exhausted")
	err := error(&Error{Code: CodeOverloaded, Detail: "Busy.", Err: cause})
	if !errors.Is(err, cause) || CodeOf(err) != CodeOverloaded || err.Error() != "OVERLOADED: Busy.: the pool is "+
		"exhausted" {
		t.Errorf("error is %q", err)
	}
	if CodeOf(nil) != "" || CodeOf(cause) != CodeInternal {
		t.Errorf("codes are %q and %q", CodeOf(nil), CodeOf(cause))
	}
	for n, want := range map[int]string{
		0: "Lamp is sold out.", 1: "Only one of Lamp is left.", 2: "Only 2 of Lamp are left.",
	} {
		if e, ok := errors.AsType[*Error](ErrOutOfStock(7, "Lamp", n)); !ok || e.Detail != want || e.Extra["available"] != n {
			t.Errorf("%d left: %+v", n, e)
		}
	}
}
