package shoptest

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"shoplab/service/shop"
)

// testKeyReused: a key stands for one cart at one total. Another is no retry, and what is in it stays.
func testKeyReused(t *testing.T, s suite) {
	ctx := t.Context()
	u, p, q := s.user("ada@example.com"), s.product("p", 100, 10), s.product("q", 100, 10)
	s.add(u, p, 2)
	first := s.order(u, q, 1, "k1", time.Minute)
	total := first.TotalCents
	again := func(expected *int64) error {
		o, created, err := s.PlaceOrder(ctx, shop.OrderRequest{
			UserID: u.ID, Key: "k1", TTL: time.Minute, ExpectedCents: expected,
		})
		if created || err == nil && o.ID != first.ID {
			t.Fatalf("got %+v, created %v", o, created)
		}
		return err
	}
	other := total + 1
	wantCode(t, again(&other), shop.CodeKeyReused)
	owner := shop.Owner{UserID: u.ID}
	s.add(u, p, 2)
	wantCode(t, again(nil), shop.CodeKeyReused)
	wantCode(t, again(&total), shop.CodeKeyReused)
	s.add(u, q, 2)
	wantCode(t, again(nil), shop.CodeKeyReused)
	c, err := s.Cart(ctx, owner)
	wantCart(t, c, err, "p 2", "q 2")
	_, err = s.SetItem(ctx, owner, q.ID, 1)
	s.must(err)
	s.must(again(nil)) // the same cart once more
	s.wantStock(p, 8, 2, 0)
	s.must(s.ClearCart(ctx, owner))
	s.must(again(&total))
}

// testZeroTotal: what costs nothing is paid at once, and its stock sold.
func testZeroTotal(t *testing.T, s suite) {
	u, p := s.user("ada@example.com"), s.product("sample", 0, 10)
	o := s.order(u, p, 2, "k1", 0)
	if o.Status != shop.OrderPaid || o.TotalCents != 0 {
		t.Fatalf("placed %+v", o)
	}
	got, err := s.Order(t.Context(), u.ID, o.ID)
	s.must(err)
	if !sameOrder(got, o) {
		t.Fatalf("got %+v, want %+v", got, o)
	}
	_, err = s.CancelOrder(t.Context(), u.ID, o.ID)
	wantCode(t, err, shop.CodeOrderNotPending)
	ids, err := s.ExpireOrders(t.Context(), 10, 0)
	s.must(err)
	if len(ids) != 0 {
		t.Fatalf("a paid order expired: %v", ids)
	}
	s.wantStock(p, 8, 0, 2)
	s.wantMoney(MoneyAudit{})
}

// testTotals: a total that nobody can be charged is refused, however large, and takes no stock.
func testTotals(t *testing.T, s suite) {
	ctx := t.Context()
	for i, tt := range []struct {
		cents    int64
		quantity int
		code     shop.Code
	}{
		{1, 1, shop.CodeTotalTooSmall},
		{49, 1, shop.CodeTotalTooSmall},
		{1, 49, shop.CodeTotalTooSmall},
		{50, 1, ""},
		{1, 50, ""},
		{shop.MaxTotalCents, 1, ""},
		{shop.MaxTotalCents, 2, shop.CodeTotalTooLarge},
		{shop.MaxTotalCents + 1, 1, shop.CodeTotalTooLarge},
		{math.MaxInt64, 1, shop.CodeTotalTooLarge},
		{math.MaxInt64/2 + 1, 2, shop.CodeTotalTooLarge}, // -2^63, if the product wraps around
		{math.MaxInt64/4 + 1, 4, shop.CodeTotalTooLarge}, // 0, if it does
	} {
		u, p := s.user(fmt.Sprintf("u%d@example.com", i)), s.product(fmt.Sprint("p", i), tt.cents, 99)
		s.add(u, p, tt.quantity)
		_, _, err := s.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: "k", TTL: time.Minute})
		if shop.CodeOf(err) != tt.code {
			t.Errorf("%d pieces at %d: %v, want code %q", tt.quantity, tt.cents, err, tt.code)
		}
		if tt.code != "" {
			s.wantStock(p, 99, 0, 0)
		}
		c, err := s.Cart(ctx, shop.Owner{UserID: u.ID})
		s.must(err)
		if c.TotalCents() < 0 || len(c.Items) > 0 && c.TotalCents() < tt.cents {
			t.Errorf("a cart of %d pieces at %d costs %d", tt.quantity, tt.cents, c.TotalCents())
		}
	}
	u, a, b := s.user("sum@example.com"), s.product("a", math.MaxInt64, 9), s.product("b", math.MaxInt64, 9)
	s.add(u, a, 1)
	s.add(u, b, 2)
	_, _, err := s.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: "k", TTL: time.Minute})
	wantCode(t, err, shop.CodeTotalTooLarge)
}

// testPriceChanged: nobody is charged another total than the one that was shown.
func testPriceChanged(t *testing.T, s suite) {
	ctx := t.Context()
	u, p := s.user("ada@example.com"), s.product("p", 100, 10)
	s.add(u, p, 3)
	shown := int64(300)
	p.PriceCents = 120
	_, err := s.PutProduct(ctx, p)
	s.must(err)
	r := shop.OrderRequest{UserID: u.ID, Key: "k1", TTL: time.Minute, ExpectedCents: &shown}
	_, _, err = s.PlaceOrder(ctx, r)
	wantCode(t, err, shop.CodePriceChanged)
	var e *shop.Error
	if !errors.As(err, &e) || e.Extra["expected_total_cents"] != int64(300) || e.Extra["total_cents"] != int64(360) {
		t.Fatalf("price changed says %+v", e)
	}
	s.wantStock(p, 10, 0, 0)
	shown = 360
	o, created, err := s.PlaceOrder(ctx, r) // the same key: nothing was ordered with it
	s.must(err)
	if !created || o.TotalCents != 360 {
		t.Fatalf("placed %+v, created %v", o, created)
	}
}
