package shoptest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"shoplab/service/shop"
)

// TestCarts holds a shop.Carts to its contract.
func TestCarts(t *testing.T, newStore func(*testing.T) Backend) {
	for _, who := range []string{"user", "guest"} {
		owner := func(s suite) shop.Owner {
			if who == "guest" {
				return shop.Owner{Guest: "g-1"}
			}
			return shop.Owner{UserID: s.user("ada@example.com").ID}
		}
		t.Run(who+"/put and remove", func(t *testing.T) {
			s := newSuite(t, newStore)
			testCartItems(t, s, owner(s))
		})
		t.Run(who+"/refused", func(t *testing.T) {
			s := newSuite(t, newStore)
			testCartRefusals(t, s, owner(s))
		})
		t.Run(who+"/added at once", func(t *testing.T) {
			s := newSuite(t, newStore)
			testCartAddedAtOnce(t, s, owner(s))
		})
	}
	t.Run("merge", func(t *testing.T) { testMerge(t, newSuite(t, newStore)) })
	t.Run("merge at once", func(t *testing.T) { testMergeAtOnce(t, newSuite(t, newStore)) })
	t.Run("merge into a full cart", func(t *testing.T) { testMergeFull(t, newSuite(t, newStore)) })
}

// wantCart compares a cart's lines, as "name quantity".
func wantCart(t *testing.T, c shop.Cart, err error, want ...string) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
	var got []string
	for _, i := range c.Items {
		got = append(got, fmt.Sprint(i.Name, " ", i.Quantity))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("cart is %q, want %q", got, want)
	}
}

func testCartItems(t *testing.T, s suite, o shop.Owner) {
	ctx := t.Context()
	b, a := s.product("b", 250, 9), s.product("a", 100, 0) // what is sold out may wait in a cart
	c, err := s.Cart(ctx, o)
	wantCart(t, c, err)
	c, err = s.AddItem(ctx, o, a.ID, 2)
	wantCart(t, c, err, "a 2")
	c, err = s.AddItem(ctx, o, b.ID, 3)
	wantCart(t, c, err, "a 2", "b 3")
	c, err = s.AddItem(ctx, o, a.ID, 1)
	wantCart(t, c, err, "a 3", "b 3")
	if c.TotalCents() != 3*100+3*250 {
		t.Fatalf("total is %d", c.TotalCents())
	}
	if want := (shop.CartItem{
		ProductID: a.ID, Name: "a", ImageURL: a.ImageURL, Quantity: 3, UnitPriceCents: 100,
	}); c.Items[0] != want {
		t.Fatalf("item is %+v, want %+v", c.Items[0], want)
	}
	c, err = s.AddItem(ctx, o, a.ID, shop.MaxQuantity)
	wantCart(t, c, err, "a 99", "b 3")
	c, err = s.SetItem(ctx, o, a.ID, 4)
	wantCart(t, c, err, "a 4", "b 3")
	c, err = s.SetItem(ctx, o, b.ID, 0)
	wantCart(t, c, err, "a 4")
	c, err = s.SetItem(ctx, o, b.ID, 1)
	wantCart(t, c, err, "a 4", "b 1")

	a.PriceCents = 175 // a cart shows today's price
	_, err = s.PutProduct(ctx, a)
	s.must(err)
	c, err = s.Cart(ctx, o)
	wantCart(t, c, err, "a 4", "b 1")
	if c.Items[0].UnitPriceCents != 175 || c.Items[0].Stock != 0 || c.Items[1].Stock != 9 {
		t.Fatalf("price and stock in the cart are %+v", c.Items)
	}
	c, err = s.RemoveItem(ctx, o, a.ID)
	wantCart(t, c, err, "b 1")
	c, err = s.RemoveItem(ctx, o, a.ID)
	wantCart(t, c, err, "b 1")
	other, err := s.Cart(ctx, shop.Owner{Guest: "somebody-else"})
	wantCart(t, other, err)
	s.must(s.ClearCart(ctx, o))
	s.must(s.ClearCart(ctx, o))
	c, err = s.Cart(ctx, o)
	wantCart(t, c, err)
}

func testCartRefusals(t *testing.T, s suite, o shop.Owner) {
	ctx := t.Context()
	p := s.product("p", 100, 9)
	for _, quantity := range []int{0, -1, shop.MaxQuantity + 1} {
		_, err := s.AddItem(ctx, o, p.ID, quantity)
		wantCode(t, err, shop.CodeInvalid)
	}
	for _, quantity := range []int{-1, shop.MaxQuantity + 1} {
		_, err := s.SetItem(ctx, o, p.ID, quantity)
		wantCode(t, err, shop.CodeInvalid)
	}
	_, err := s.AddItem(ctx, o, p.ID+1000, 1)
	wantCode(t, err, shop.CodeNotFound)
	_, err = s.SetItem(ctx, o, p.ID+1000, 1)
	wantCode(t, err, shop.CodeNotFound)
	c, err := s.Cart(ctx, o)
	wantCart(t, c, err)

	for i := range shop.MaxCartItems {
		_, err := s.AddItem(ctx, o, s.product(fmt.Sprint("p", i), 1, 1).ID, 1)
		s.must(err)
	}
	_, err = s.AddItem(ctx, o, p.ID, 1)
	wantCode(t, err, shop.CodeInvalid)
	_, err = s.SetItem(ctx, o, p.ID, 1)
	wantCode(t, err, shop.CodeInvalid)
	c, err = s.Cart(ctx, o)
	s.must(err)
	c, err = s.AddItem(ctx, o, c.Items[0].ProductID, 1) // what is in it may grow
	s.must(err)
	if len(c.Items) != shop.MaxCartItems || c.Items[0].Quantity != 2 {
		t.Fatalf("full cart has %d items, first %+v", len(c.Items), c.Items[0])
	}
}

func testCartAddedAtOnce(t *testing.T, s suite, o shop.Owner) {
	p := s.product("p", 100, 9)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := s.AddItem(t.Context(), o, p.ID, 2); err != nil {
				t.Errorf("add: %v", err)
			}
		})
	}
	wg.Wait()
	c, err := s.Cart(t.Context(), o)
	wantCart(t, c, err, "p 40")
}

func testMerge(t *testing.T, s suite) {
	ctx := t.Context()
	u := s.user("ada@example.com")
	user, guest := shop.Owner{UserID: u.ID}, shop.Owner{Guest: "g-1"}
	a, b, c := s.product("a", 1, 1), s.product("b", 1, 1), s.product("c", 1, 1)
	for _, add := range []struct {
		o shop.Owner
		p shop.Product
		n int
	}{{user, b, 60}, {guest, c, 3}, {guest, b, 60}, {guest, a, 2}} {
		_, err := s.AddItem(ctx, add.o, add.p.ID, add.n)
		s.must(err)
	}
	s.must(s.MergeCart(ctx, "g-1", u.ID))
	got, err := s.Cart(ctx, user)
	wantCart(t, got, err, "b 99", "c 3", "a 2")
	got, err = s.Cart(ctx, guest)
	wantCart(t, got, err)
	s.must(s.MergeCart(ctx, "g-1", u.ID))
	s.must(s.MergeCart(ctx, "nobody", u.ID))
	got, err = s.Cart(ctx, user)
	wantCart(t, got, err, "b 99", "c 3", "a 2")
}

func testMergeAtOnce(t *testing.T, s suite) {
	u, p := s.user("ada@example.com"), s.product("p", 1, 1)
	_, err := s.AddItem(t.Context(), shop.Owner{Guest: "g-1"}, p.ID, 5)
	s.must(err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.MergeCart(t.Context(), "g-1", u.ID); err != nil {
				t.Errorf("merge: %v", err)
			}
		})
	}
	wg.Wait()
	c, err := s.Cart(t.Context(), shop.Owner{UserID: u.ID})
	wantCart(t, c, err, "p 5")
}

func testMergeFull(t *testing.T, s suite) {
	ctx := t.Context()
	u := s.user("ada@example.com")
	for i := range shop.MaxCartItems + 2 {
		p := s.product(fmt.Sprint("p", i), 1, 1)
		if i < shop.MaxCartItems-1 {
			s.add(u, p, 1)
		}
		if i > 2 && i < 5 || i >= shop.MaxCartItems-1 { // two that both have, three that are new
			_, err := s.AddItem(ctx, shop.Owner{Guest: "g-1"}, p.ID, 1)
			s.must(err)
		}
	}
	s.must(s.MergeCart(ctx, "g-1", u.ID))
	c, err := s.Cart(ctx, shop.Owner{UserID: u.ID})
	s.must(err)
	if n := len(c.Items); n != shop.MaxCartItems || c.Items[3].Quantity != 2 ||
		c.Items[n-1].Name != fmt.Sprint("p", shop.MaxCartItems-1) {
		t.Fatalf("merged cart has %d items: %+v", n, c.Items)
	}
	c, err = s.Cart(ctx, shop.Owner{Guest: "g-1"})
	wantCart(t, c, err)
}
