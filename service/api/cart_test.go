package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"shoplab/service/shop"
)

// TestGuestKeepsCart: the cookie of a guest who comes back now and then does not end.
func TestGuestKeepsCart(t *testing.T) {
	r := newRig(t, nil)
	mug := r.product("mug", 900, 2)
	begun := r.do("POST", "/api/cart/items", NewItem{mug.ID, 1}).want(t, 200)
	if !strings.Contains(begun.Header.Get("Set-Cookie"), "cart=") {
		t.Fatalf("no cookie in %v", begun.Header)
	}
	line := fmt.Sprintf("/api/cart/items/%d", mug.ID)
	for _, rep := range []reply{
		r.do("GET", "/api/cart", nil), r.do("PUT", line, Quantity{2}), r.do("DELETE", line, nil),
	} {
		if got, want := rep.want(t, 200).Header.Get("Set-Cookie"), begun.Header.Get("Set-Cookie"); got != want {
			t.Errorf("%s: cookie %q, want %q", rep.Request.Method, got, want)
		}
	}
	id := begun.Header.Get(cartHeader)
	r.client = newBrowser(t)
	if got := r.do("GET", "/api/cart", nil, cartHeader, id).want(t, 200).Header.Get("Set-Cookie"); got != "" {
		t.Errorf("a program gets the cookie %q", got)
	}
	r.register("ada@example.com")
	if got := r.do("GET", "/api/cart", nil).want(t, 200).Header.Get("Set-Cookie"); got != "" {
		t.Errorf("who is signed in gets the cookie %q", got)
	}
}

// TestCartIDIsChecked: also where somebody is signed in, or about to be, whose own cart it is then about.
func TestCartIDIsChecked(t *testing.T) {
	r := newRig(t, nil)
	bad := []string{cartHeader, "not an id"}
	registration := Registration{Email: "ada@example.com", Password: password, FirstName: "Ada", LastName: "L"}
	r.do("POST", "/api/auth/register", registration, bad...).want(t, 422)
	r.register("ada@example.com")
	r.do("GET", "/api/cart", nil, bad...).want(t, 422)
	r.do("DELETE", "/api/cart", nil, bad...).want(t, 422)
	r.do("POST", "/api/auth/login", Credentials{"ada@example.com", password}, bad...).want(t, 422)
}

// TestCartTellsStock: what is left of each line, nothing included.
func TestCartTellsStock(t *testing.T) {
	r := newRig(t, nil)
	for name, stock := range map[string]int{"mug": 2, "gone": 0} {
		var cart Cart
		p := r.product(name, 900, stock)
		r.do("POST", "/api/cart/items", NewItem{p.ID, 3}).want(t, 200).decode(t, &cart)
		if got := cart.Items[len(cart.Items)-1]; got.ProductID != p.ID || got.Stock != stock || got.Quantity != 3 {
			t.Errorf("%s: %+v, want a stock of %d", name, got, stock)
		}
	}
}

// TestLimitsOfWhatCostsNothingToSend: each is refused once its limit is used up, and what Stripe has
// signed never is.
func TestLimitsOfWhatCostsNothingToSend(t *testing.T) {
	left := map[string]int{}
	r := newRig(t, func(c *Config, _ *Shop) {
		c.Allow = func(_ context.Context, key string, l Limit) (bool, time.Duration) {
			name, _, _ := strings.Cut(key, ":")
			if _, ok := left[name]; !ok {
				left[name] = l.Burst
			}
			left[name]--
			return left[name] >= 0, time.Second
		}
		c.Forgive = func(_ context.Context, key string, _ Limit) {
			name, _, _ := strings.Cut(key, ":")
			left[name]++
		}
	})
	mug := r.product("mug", 900, 1000)
	event := shop.Event{ID: "evt", Type: "customer.created"}
	for range 2 * limitWebhook.Burst {
		if rep := r.do("POST", "/api/webhooks/stripe", event, signatureHeader, "good"); rep.StatusCode == 429 {
			t.Fatal("a signed event is refused")
		}
	}
	for name, request := range map[string]func() reply{
		limitWebhook.name: func() reply { return r.do("POST", "/api/webhooks/stripe", "{}", signatureHeader, "forged") },
		limitGuestCart.name: func() reply {
			r.client = newBrowser(t)
			return r.do("POST", "/api/cart/items", NewItem{mug.ID, 1})
		},
	} {
		burst := left[name]
		if name == limitGuestCart.name {
			burst = limitGuestCart.Burst
		}
		for i := range burst {
			if rep := request(); rep.StatusCode == 429 {
				t.Fatalf("%s: refused after %d", name, i)
			}
		}
		if rep := request(); rep.code(t) != string(shop.CodeRateLimited) {
			t.Errorf("%s: %d %s after its limit", name, rep.StatusCode, rep.body)
		}
		if r.metric(`shoplab_rate_limited_total{limit="`+name+`"}`) != 1 {
			t.Errorf("%s is not counted", name)
		}
	}
	left[limitCart.name], left[limitGuestCart.name] = 10, 10
	r.register("ada@example.com")
	for i := range limitCancel.Burst + 1 {
		rep := r.do("POST", "/api/orders/1/cancel", nil)
		if want := i == limitCancel.Burst; (rep.StatusCode == 429) != want {
			t.Fatalf("cancel %d: %d", i+1, rep.StatusCode)
		}
	}
}
