package shoptest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"shoplab/service/shop"
)

// TestOrders holds a shop.Orders to its contract.
func TestOrders(t *testing.T, newStore func(*testing.T) Backend) {
	for name, test := range map[string]func(*testing.T, suite){
		"place":                      testPlaceOrder,
		"refused":                    testOrderRefusals,
		"same key":                   testSameKey,
		"same key, another cart":     testKeyReused,
		"nothing to pay":             testZeroTotal,
		"totals":                     testTotals,
		"price changed":              testPriceChanged,
		"same key at once":           testSameKeyAtOnce,
		"list":                       testOrderList,
		"cancel":                     testCancelOrder,
		"cancel at once":             testCancelAtOnce,
		"expire":                     testExpireOrders,
		"expire at once":             testExpireAtOnce,
		"200 buyers for 50":          testRush,
		"crossing carts, in a storm": testOrderStorm,
	} {
		t.Run(name, func(t *testing.T) { test(t, newSuite(t, newStore)) })
	}
}

// order places an order of quantity pieces of p for u.
func (s suite) order(u shop.User, p shop.Product, quantity int, key string, ttl time.Duration) shop.Order {
	s.t.Helper()
	s.add(u, p, quantity)
	o, created, err := s.PlaceOrder(s.ctx(), shop.OrderRequest{UserID: u.ID, Key: key, TTL: ttl})
	s.must(err)
	if !created {
		s.t.Fatalf("order %s was there before", key)
	}
	return o
}

func sameOrder(a, b shop.Order) bool {
	items := slices.Equal(a.Items, b.Items)
	return items && a.ID == b.ID && a.UserID == b.UserID && a.Status == b.Status && a.TotalCents == b.TotalCents &&
		a.CreatedAt.Equal(b.CreatedAt) && a.ExpiresAt.Equal(b.ExpiresAt)
}

func testPlaceOrder(t *testing.T, s suite) {
	ctx := t.Context()
	u := s.user("ada@example.com")
	a, b := s.product("a", 100, 10), s.product("b", 250, 3)
	s.add(u, b, 3)
	s.add(u, a, 2)
	o, created, err := s.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: "k1", TTL: time.Minute})
	s.must(err)
	if !created || o.ID == 0 || o.UserID != u.ID || o.Status != shop.OrderPending || o.TotalCents != 950 {
		t.Fatalf("placed %+v, created %v", o, created)
	}
	if ttl := o.ExpiresAt.Sub(o.CreatedAt); ttl != time.Minute {
		t.Fatalf("expires after %s", ttl)
	}
	if want := []shop.OrderItem{
		{ProductID: a.ID, Name: "a", ImageURL: a.ImageURL, Quantity: 2, UnitPriceCents: 100},
		{ProductID: b.ID, Name: "b", ImageURL: b.ImageURL, Quantity: 3, UnitPriceCents: 250},
	}; !slices.Equal(o.Items, want) {
		t.Fatalf("items are %+v, want %+v", o.Items, want)
	}
	c, err := s.Cart(ctx, shop.Owner{UserID: u.ID})
	wantCart(t, c, err)
	s.wantStock(a, 8, 2, 0)
	s.wantStock(b, 0, 3, 0)

	b.PriceCents, b.Name = 999, "renamed" // an order keeps the price and the name of its moment
	_, err = s.PutProduct(ctx, shop.Product{
		ID: b.ID, Name: b.Name, Category: "Things", PriceCents: 999, Stock: 0, ImageURL: "/x.svg",
	})
	s.must(err)
	got, err := s.Order(ctx, u.ID, o.ID)
	s.must(err)
	if !sameOrder(got, o) {
		t.Fatalf("got %+v, want %+v", got, o)
	}
	_, err = s.Order(ctx, s.user("eve@example.com").ID, o.ID)
	wantCode(t, err, shop.CodeNotFound)
	_, err = s.Order(ctx, u.ID, o.ID+1000)
	wantCode(t, err, shop.CodeNotFound)
}

func testOrderRefusals(t *testing.T, s suite) {
	ctx := t.Context()
	u := s.user("ada@example.com")
	_, _, err := s.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: "k1", TTL: time.Minute})
	wantCode(t, err, shop.CodeEmptyCart)
	for _, key := range []string{"", "a b", "\x00", string(make([]byte, 300))} {
		_, _, err := s.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: key, TTL: time.Minute})
		wantCode(t, err, shop.CodeIdempotencyKey)
	}
	a, b := s.product("a", 100, 10), s.product("b", 250, 3)
	s.add(u, a, 10)
	s.add(u, b, 4)
	_, _, err = s.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: "k1", TTL: time.Minute})
	wantCode(t, err, shop.CodeOutOfStock)
	var e *shop.Error
	if !errors.As(err, &e) || e.Extra["product_id"] != b.ID || e.Extra["name"] != "b" || e.Extra["available"] != 3 {
		t.Fatalf("out of stock says %+v", e)
	}
	s.wantStock(a, 10, 0, 0)
	c, err := s.Cart(ctx, shop.Owner{UserID: u.ID})
	wantCart(t, c, err, "a 10", "b 4")
	// What was refused can be ordered under the same key.
	_, err = s.SetItem(ctx, shop.Owner{UserID: u.ID}, b.ID, 3)
	s.must(err)
	_, created, err := s.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: "k1", TTL: time.Minute})
	s.must(err)
	if !created {
		t.Fatal("not created")
	}
}

func testSameKey(t *testing.T, s suite) {
	ctx := t.Context()
	u, p := s.user("ada@example.com"), s.product("p", 100, 10)
	first := s.order(u, p, 1, "k1", time.Minute)
	total := first.TotalCents
	for _, r := range []shop.OrderRequest{ // the cart is empty now
		{UserID: u.ID, Key: "k1", TTL: time.Hour},
		{UserID: u.ID, Key: "k1", TTL: time.Hour, ExpectedCents: &total},
	} {
		again, created, err := s.PlaceOrder(ctx, r)
		s.must(err)
		if created || !sameOrder(again, first) {
			t.Fatalf("got %+v (created %v), want %+v", again, created, first)
		}
	}
	s.wantStock(p, 9, 1, 0)
	other := s.order(s.user("eve@example.com"), p, 1, "k1", time.Minute) // a key is its user's own
	if other.ID == first.ID {
		t.Fatal("two users share an order")
	}
}

func testOrderList(t *testing.T, s suite) {
	ctx := t.Context()
	u, p := s.user("ada@example.com"), s.product("p", 100, 100)
	q := s.product("q", 100, 100)
	var want []shop.Order
	for i := range 7 {
		s.add(u, q, 1) // two lines an order: a page counts orders, not lines
		want = append(want, s.order(u, p, i+1, fmt.Sprint("k", i), time.Minute))
	}
	slices.Reverse(want)
	s.order(s.user("eve@example.com"), p, 1, "k", time.Minute)
	for _, limit := range []int{1, 2, 6, 7, 8} {
		var got []shop.Order
		cursor := ""
		for {
			page, err := s.Orders(ctx, u.ID, limit, cursor)
			s.must(err)
			if len(page.Items) > limit {
				t.Fatalf("%d orders in a page of %d", len(page.Items), limit)
			}
			got = append(got, page.Items...)
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
		if !slices.EqualFunc(got, want, sameOrder) {
			t.Fatalf("limit %d: got %+v, want %+v", limit, got, want)
		}
	}
	page, err := s.Orders(ctx, s.user("nobody@example.com").ID, 0, "")
	s.must(err)
	if len(page.Items) != 0 || page.NextCursor != "" {
		t.Fatalf("somebody without orders has %+v", page)
	}
	_, err = s.Orders(ctx, u.ID, 101, "")
	wantCode(t, err, shop.CodeInvalid)
	_, err = s.Orders(ctx, u.ID, 1, "bm9uZQ")
	wantCode(t, err, shop.CodeInvalidCursor)
}

func testCancelOrder(t *testing.T, s suite) {
	ctx := t.Context()
	u, p := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, p, 4, "k1", time.Minute)
	_, err := s.CancelOrder(ctx, s.user("eve@example.com").ID, o.ID)
	wantCode(t, err, shop.CodeNotFound)
	s.wantStock(p, 6, 4, 0)
	got, err := s.CancelOrder(ctx, u.ID, o.ID)
	s.must(err)
	if o.Status = shop.OrderCanceled; !sameOrder(got, o) {
		t.Fatalf("got %+v, want %+v", got, o)
	}
	s.wantStock(p, 10, 0, 0)
	_, err = s.CancelOrder(ctx, u.ID, o.ID)
	wantCode(t, err, shop.CodeOrderNotPending)
	_, err = s.CancelOrder(ctx, u.ID, o.ID+1000)
	wantCode(t, err, shop.CodeNotFound)
	s.wantStock(p, 10, 0, 0)
}

func testExpireOrders(t *testing.T, s suite) {
	ctx := t.Context()
	u, p := s.user("ada@example.com"), s.product("p", 100, 20)
	alive := s.order(u, p, 1, "alive", time.Hour)
	canceled := s.order(u, p, 2, "canceled", 0)
	_, err := s.CancelOrder(ctx, u.ID, canceled.ID)
	s.must(err)
	var due []int64
	for i := range 3 {
		due = append(due, s.order(u, p, 3, fmt.Sprint("due", i), 0).ID)
	}
	s.wantStock(p, 10, 10, 0)
	first, err := s.ExpireOrders(ctx, 2, 0)
	s.must(err)
	second, err := s.ExpireOrders(ctx, 2, 0)
	s.must(err)
	third, err := s.ExpireOrders(ctx, 2, 0)
	s.must(err)
	got := slices.Sorted(slices.Values(append(first, second...)))
	if len(first) != 2 || len(third) != 0 || !slices.Equal(got, due) {
		t.Fatalf("expired %v, %v, %v, want %v", first, second, third, due)
	}
	s.wantStock(p, 19, 1, 0)
	for id, want := range map[int64]shop.OrderStatus{
		alive.ID: shop.OrderPending, canceled.ID: shop.OrderCanceled, due[0]: shop.OrderExpired,
	} {
		o, err := s.Order(ctx, u.ID, id)
		s.must(err)
		if o.Status != want {
			t.Fatalf("order is %s, want %s", o.Status, want)
		}
	}
	_, err = s.CancelOrder(ctx, u.ID, due[0])
	wantCode(t, err, shop.CodeOrderNotPending)
}
