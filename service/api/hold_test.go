package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shoplab/service/shop"
)

// TestHoldLimits: an account that does not pay holds no more than it may, whatever it asks for, and neither do
// many accounts in one network.
func TestHoldLimits(t *testing.T) {
	limits := shop.DefaultHoldLimits
	r := newRig(t, func(c *Config, sh *Shop) {
		trusting("127.0.0.0/8")(c, sh)
		c.HoldLimits = limits
	})
	mug := r.product("mug", 900, 100_000)
	key := 0
	order := func(network string, pieces int) reply {
		r.t.Helper()
		from := []string{"X-Forwarded-For", network}
		r.do("PUT", fmt.Sprintf("/api/cart/items/%d", mug.ID), Quantity{pieces}, from...).want(t, 200)
		key++
		return r.do("POST", "/api/orders", nil, append(from, "Idempotency-Key", fmt.Sprint(key))...)
	}
	held, accounts := 0, 0
	for refused := false; !refused; accounts++ {
		r.client = newBrowser(t)
		r.register(fmt.Sprintf("shopper%d@example.com", accounts))
		for range limits.Orders {
			rep := order("2001:db8:1:2::"+fmt.Sprintf("%x", accounts+1), 40) // one /64
			if rep.StatusCode == 201 {
				held += 40
				continue
			}
			wantCode(t, rep, shop.CodeHoldLimit)
			refused = true
			break
		}
		if held > limits.NetworkPieces {
			t.Fatalf("a network holds %d pieces", held)
		}
		if !refused {
			wantCode(t, order("198.51.100.1", 1), shop.CodeHoldLimit) // the account, from wherever
		}
	}
	if held != limits.NetworkPieces {
		t.Errorf("%d pieces are held, want %d", held, limits.NetworkPieces)
	}
	r.client = newBrowser(t)
	r.register("elsewhere@example.com")
	order("2001:db8:1:3::1", 1).want(t, 201)
	if n := r.metric(`shoplab_orders_total{outcome="hold_limit"}`); n == 0 {
		t.Error("nobody counted")
	}
}

// TestHoldIsExtended: the hold is short, and longer once the payment has begun.
func TestHoldIsExtended(t *testing.T) {
	r := newRig(t, func(c *Config, sh *Shop) { c.OrderHold, sh.Cashier.OrderTTL = time.Minute, 10*time.Minute })
	mug := r.product("mug", 900, 10)
	r.register("ada@example.com")
	o := r.order(mug, "key")
	if held := o.ExpiresAt.Sub(o.CreatedAt); held != time.Minute {
		t.Errorf("held for %s", held)
	}
	path := fmt.Sprintf("/api/orders/%d", o.ID)
	r.do("POST", path+"/payment", nil).want(t, 200)
	r.do("GET", path, nil).want(t, 200).decode(t, &o)
	if held := o.ExpiresAt.Sub(o.CreatedAt); held != 10*time.Minute {
		t.Errorf("held for %s once the payment has begun", held)
	}
}

// TestArchivedProduct: a cart shows what is no longer sold, and is ordered without it.
func TestArchivedProduct(t *testing.T) {
	r := newRig(t, nil)
	mug, pen := r.product("mug", 900, 10), r.product("pen", 250, 10)
	r.register("ada@example.com")
	for _, p := range []shop.Product{mug, pen} {
		r.do("POST", "/api/cart/items", NewItem{p.ID, 1}).want(t, 200)
	}
	if err := r.store.ArchiveProduct(t.Context(), mug.ID); err != nil {
		t.Fatal(err)
	}
	var cart Cart
	r.do("GET", "/api/cart", nil).want(t, 200).decode(t, &cart)
	if len(cart.Items) != 2 || !cart.Items[0].Gone || cart.Items[1].Gone {
		t.Errorf("cart %+v", cart)
	}
	r.do("GET", fmt.Sprintf("/api/products/%d", mug.ID), nil).want(t, 404)
	wantCode(t, r.do("POST", "/api/cart/items", NewItem{mug.ID, 1}), shop.CodeNotFound)
	rep := r.do("POST", "/api/orders", nil, "Idempotency-Key", "k")
	wantCode(t, rep, shop.CodeOutOfStock)
	if !strings.Contains(string(rep.body), `"available":0`) {
		t.Errorf("refused with %s", rep.body)
	}
	r.do("DELETE", fmt.Sprintf("/api/cart/items/%d", mug.ID), nil).want(t, 200)
	r.do("POST", "/api/orders", nil, "Idempotency-Key", "k").want(t, 201)
}

func wantCode(t *testing.T, rep reply, code shop.Code) {
	t.Helper()
	if got := rep.code(t); got != string(code) {
		t.Fatalf("%s %s: %d %s, want %s", rep.Request.Method, rep.Request.URL.Path, rep.StatusCode, rep.body, code)
	}
}
