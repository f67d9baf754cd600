package api

import (
	"fmt"
	"strings"
	"testing"

	"shoplab/service/shop"
)

// TestOrders walks an order from the cart to the refund of a payment that came too late.
func TestOrders(t *testing.T) {
	r := newRig(t, nil)
	mug := r.product("mug", 900, 10)
	r.register("ada@example.com")
	o := r.order(mug, "key-1")
	if o.Status != "pending" || o.TotalCents != 900 || len(o.Items) != 1 || !o.ExpiresAt.After(o.CreatedAt) {
		t.Errorf("placed %+v", o)
	}
	var again Order
	if r.do("POST", "/api/orders", nil, "Idempotency-Key", "key-1").want(t, 200).decode(t, &again); again.ID != o.ID {
		t.Errorf("the same key made order %d, want %d", again.ID, o.ID)
	}
	path := fmt.Sprintf("/api/orders/%d", o.ID)
	var p, samePayment Payment
	r.do("POST", path+"/payment", nil).want(t, 200).decode(t, &p)
	if r.do("POST", path+"/payment", nil).want(t, 200).decode(t, &samePayment); p != samePayment || p.AmountCents != 900 ||
		p.Currency != "usd" {
		t.Errorf("payments %+v and %+v", p, samePayment)
	}
	intent := strings.TrimSuffix(p.ClientSecret, "_secret")
	paid := shop.Event{
		ID: "evt_1", Type: shop.EventSucceeded, IntentID: intent, AmountCents: 900, Currency: "usd", CreatedAt: o.CreatedAt,
	}
	for range 2 { // the second is a duplicate
		r.do("POST", "/api/webhooks/stripe", paid, "Stripe-Signature", "good").want(t, 200)
	}
	var got Order
	if r.do("GET", path, nil).want(t, 200).decode(t, &got); got.Status != "paid" {
		t.Errorf("after the payment: %+v", got)
	}
	r.do("POST", path+"/cancel", nil).want(t, 409)

	second := r.order(mug, "key-2")
	canceled := fmt.Sprintf("/api/orders/%d", second.ID)
	r.do("POST", canceled+"/payment", nil).want(t, 200)
	if r.do("POST", canceled+"/cancel", nil).want(t, 200).decode(t, &got); got.Status != "canceled" {
		t.Errorf("after the cancellation: %+v", got)
	}
	late := paid
	late.ID, late.IntentID = "evt_2", fmt.Sprintf("pi_%d", second.ID)
	r.do("POST", "/api/webhooks/stripe", late, "Stripe-Signature", "good").want(t, 200)

	var list OrderList
	r.do("GET", "/api/orders?limit=1", nil).want(t, 200).decode(t, &list)
	if len(list.Items) != 1 || list.Items[0].ID != second.ID || list.NextCursor == nil {
		t.Fatalf("the first page: %+v", list)
	}
	r.do("GET", "/api/orders?limit=1&cursor="+*list.NextCursor, nil).want(t, 200).decode(t, &list)
	if len(list.Items) != 1 || list.Items[0].ID != o.ID || list.NextCursor != nil {
		t.Errorf("the second page: %+v", list)
	}
	for series, want := range map[string]float64{
		`shoplab_orders_total{outcome="placed"}`: 2, `shoplab_orders_total{outcome="repeated"}`: 1,
		`shoplab_orders_total{outcome="canceled"}`: 1,
		`shoplab_payments_total{outcome="paid"}`:   1, `shoplab_payments_total{outcome="duplicate"}`: 1,
		`shoplab_payments_total{outcome="refund"}`: 1,
	} {
		if got := r.metric(series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
}

// TestOrderIsWhatWasShown: a price that changed since the cart was shown is not charged silently, and
// what costs nothing needs no payment.
func TestOrderIsWhatWasShown(t *testing.T) {
	r := newRig(t, nil)
	mug := r.product("mug", 900, 10)
	r.register("ada@example.com")
	r.do("POST", "/api/cart/items", NewItem{ProductID: mug.ID, Quantity: 1}).want(t, 200)
	mug.PriceCents = 950
	if _, err := r.store.PutProduct(t.Context(), mug); err != nil {
		t.Fatal(err)
	}
	shown := int64(900)
	rep := r.do("POST", "/api/orders", NewOrder{&shown}, "Idempotency-Key", "k").want(t, 409)
	var both struct {
		Code               shop.Code
		ExpectedTotalCents int64 `json:"expected_total_cents"`
		TotalCents         int64 `json:"total_cents"`
	}
	if rep.decode(t, &both); both.Code != shop.CodePriceChanged || both.ExpectedTotalCents != 900 ||
		both.TotalCents != 950 {
		t.Errorf("price changed says %s", rep.body)
	}
	shown = 950
	var o, again Order
	r.do("POST", "/api/orders", NewOrder{&shown}, "Idempotency-Key", "k").want(t, 201).decode(t, &o)
	r.do("POST", "/api/orders", NewOrder{&shown}, "Idempotency-Key", "k").want(t, 200).decode(t, &again)
	if o.TotalCents != 950 || again.ID != o.ID {
		t.Errorf("ordered %+v, then %+v", o, again)
	}
	if got := r.order(r.product("sample", 0, 1), "free"); got.Status != "paid" {
		t.Errorf("an order that costs nothing is %s", got.Status)
	}
	if got := r.metric(`shoplab_orders_total{outcome="price_changed"}`); got != 1 {
		t.Errorf("%v changed prices are counted", got)
	}
}
