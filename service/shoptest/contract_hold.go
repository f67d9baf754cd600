package shoptest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoplab/service/shop"
)

// TestHolds holds a shop.Orders to its contract about what unpaid orders hold, and about archived products.
func TestHolds(t *testing.T, newStore func(*testing.T) Backend) {
	for name, test := range map[string]func(*testing.T, suite){
		"limits":           testHoldLimits,
		"at once":          testHoldAtOnce,
		"for longer":       testHoldOrder,
		"archived product": testArchive,
	} {
		t.Run(name, func(t *testing.T) { test(t, newSuite(t, newStore)) })
	}
}

// placed orders quantity pieces of p for u from the network, within the limits, and returns its code.
func (s suite) placed(
	u shop.User, p shop.Product, quantity int, network string, l shop.HoldLimits,
) (shop.Order, shop.Code) {
	s.t.Helper()
	s.must(s.ClearCart(s.ctx(), shop.Owner{UserID: u.ID}))
	s.add(u, p, quantity)
	o, _, err := s.PlaceOrder(s.ctx(), shop.OrderRequest{
		UserID: u.ID, Key: fmt.Sprint(time.Now().UnixNano()), TTL: time.Minute, Network: network, Limits: l,
	})
	return o, shop.CodeOf(err)
}

// wantPlaced fails the test unless the order was placed, or not.
func wantPlaced(t *testing.T, code, want shop.Code) {
	t.Helper()
	if code != want {
		t.Fatalf("ordering gave %q, want %q", code, want)
	}
}

func testHoldLimits(t *testing.T, s suite) {
	limits := shop.HoldLimits{Orders: 2, Pieces: 10, NetworkOrders: 3, NetworkPieces: 18}
	p, other := s.product("p", 100, 1000), s.product("other", 100, 1000)
	ada, eve, bob := s.user("ada@example.com"), s.user("eve@example.com"), s.user("bob@example.com")

	_, code := s.placed(ada, p, 11, "n1", limits)
	wantPlaced(t, code, shop.CodeHoldLimit)
	s.wantStock(p, 1000, 0, 0)
	first, code := s.placed(ada, p, 6, "n1", limits)
	wantPlaced(t, code, "")
	_, code = s.placed(ada, other, 5, "n2", limits) // 11 pieces, from wherever
	wantPlaced(t, code, shop.CodeHoldLimit)
	_, code = s.placed(ada, other, 4, "n1", limits)
	wantPlaced(t, code, "")
	_, code = s.placed(ada, p, 1, "n2", limits) // a third order
	wantPlaced(t, code, shop.CodeHoldLimit)
	s.wantStock(p, 994, 6, 0)

	_, code = s.placed(eve, p, 9, "n1", limits) // 19 pieces of the network
	wantPlaced(t, code, shop.CodeHoldLimit)
	_, code = s.placed(eve, p, 8, "n1", limits)
	wantPlaced(t, code, "")
	_, code = s.placed(bob, p, 1, "n1", limits) // its fourth order
	wantPlaced(t, code, shop.CodeHoldLimit)
	_, code = s.placed(bob, p, 1, "n2", limits)
	wantPlaced(t, code, "")

	_, err := s.CancelOrder(t.Context(), ada.ID, first.ID) // gives back what it held
	s.must(err)
	_, code = s.placed(ada, p, 6, "n2", limits)
	wantPlaced(t, code, "")
	for range 3 * limits.NetworkOrders { // without limits, and without a network
		_, code = s.placed(bob, p, 20, "n1", shop.HoldLimits{})
		wantPlaced(t, code, "")
	}
	_, code = s.placed(eve, p, 1, "", limits)
	wantPlaced(t, code, "")
}

// testHoldAtOnce lets one account order at once, as often as it can.
func testHoldAtOnce(t *testing.T, s suite) {
	limits := shop.HoldLimits{Orders: 3, Pieces: 100}
	u, p := s.user("ada@example.com"), s.product("p", 100, 1000)
	var (
		wg      sync.WaitGroup
		created atomic.Int32
	)
	for i := range 20 {
		wg.Go(func() {
			for range 3 { // another order may have emptied the cart
				if _, err := s.SetItem(t.Context(), shop.Owner{UserID: u.ID}, p.ID, 1); err != nil {
					t.Errorf("set: %v", err)
				}
				_, isNew, err := s.PlaceOrder(t.Context(), shop.OrderRequest{
					UserID: u.ID, Key: fmt.Sprint(i), TTL: time.Minute, Limits: limits,
				})
				if isNew {
					created.Add(1)
				}
				switch shop.CodeOf(err) {
				case "", shop.CodeEmptyCart, shop.CodeHoldLimit, shop.CodeKeyReused:
				default:
					t.Errorf("place: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if created.Load() != int32(limits.Orders) {
		t.Fatalf("%d orders are held, want %d", created.Load(), limits.Orders)
	}
	s.wantStock(p, 997, 3, 0)
}

func testHoldOrder(t *testing.T, s suite) {
	u, p := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, p, 1, "k1", time.Minute)
	for _, step := range []struct{ ttl, want time.Duration }{
		{30 * time.Second, time.Minute}, {time.Hour, time.Hour}, {time.Hour, time.Hour},
	} {
		s.must(s.HoldOrder(t.Context(), o.ID, step.ttl))
		got, err := s.Order(t.Context(), u.ID, o.ID)
		s.must(err)
		if held := got.ExpiresAt.Sub(got.CreatedAt); held != step.want {
			t.Fatalf("held for %s, want %s", held, step.want)
		}
	}
	canceled, err := s.CancelOrder(t.Context(), u.ID, o.ID)
	s.must(err)
	s.must(s.HoldOrder(t.Context(), o.ID, 2*time.Hour))
	s.must(s.HoldOrder(t.Context(), o.ID+1000, time.Hour))
	got, err := s.Order(t.Context(), u.ID, o.ID)
	s.must(err)
	if !sameOrder(got, canceled) {
		t.Fatalf("a canceled order became %+v", got)
	}
}

func testArchive(t *testing.T, s suite) {
	ctx := t.Context()
	u, p, q := s.user("ada@example.com"), s.product("p", 100, 10), s.product("q", 100, 10)
	owner := shop.Owner{UserID: u.ID}
	before := s.order(u, p, 2, "before", time.Minute)
	s.add(u, p, 1)
	s.add(u, q, 1)
	s.must(s.ArchiveProduct(ctx, p.ID))
	s.must(s.ArchiveProduct(ctx, p.ID))
	wantCode(t, s.ArchiveProduct(ctx, q.ID+1000), shop.CodeNotFound)

	_, err := s.Product(ctx, p.ID)
	wantCode(t, err, shop.CodeNotFound)
	page, err := s.Products(ctx, shop.ProductQuery{})
	s.must(err)
	categories, err := s.Categories(ctx)
	s.must(err)
	if len(page.Items) != 1 || page.Items[0].ID != q.ID || len(categories) != 1 || categories[0].Count != 1 {
		t.Fatalf("listed %+v, counted %+v", page.Items, categories)
	}

	_, err = s.AddItem(ctx, owner, p.ID, 1)
	wantCode(t, err, shop.CodeNotFound)
	_, err = s.SetItem(ctx, owner, p.ID, 3)
	wantCode(t, err, shop.CodeNotFound)
	_, err = s.AddItem(ctx, shop.Owner{Guest: "g-1"}, p.ID, 1)
	wantCode(t, err, shop.CodeNotFound)
	c, err := s.Cart(ctx, owner)
	wantCart(t, c, err, "p 1", "q 1")
	if !c.Items[0].Gone || c.Items[1].Gone {
		t.Fatalf("cart is %+v", c.Items)
	}
	_, _, err = s.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: "after", TTL: time.Minute})
	wantCode(t, err, shop.CodeOutOfStock)
	c, err = s.RemoveItem(ctx, owner, p.ID)
	wantCart(t, c, err, "q 1")
	_, _, err = s.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: "after", TTL: time.Minute})
	s.must(err)

	got, err := s.Order(ctx, u.ID, before.ID)
	s.must(err)
	if !sameOrder(got, before) {
		t.Fatalf("an order of it became %+v", got)
	}
	wantOutcome(t, s.event("evt", shop.EventSucceeded, s.pay(before)), shop.OutcomePaid)
	s.wantStock(p, 8, 0, 2)
}
