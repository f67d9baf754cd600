package shop

import (
	"context"
	"slices"
	"time"
)

// OrderStatus is where an order stands. pending is the only state that holds stock unsold.
type OrderStatus string

// The order states. A paid order stays paid until refunded; a canceled or expired order that is
// paid late is refunded by its payment, and stays canceled or expired.
const (
	OrderPending  OrderStatus = "pending"
	OrderPaid     OrderStatus = "paid"
	OrderCanceled OrderStatus = "canceled"
	OrderExpired  OrderStatus = "expired"
	OrderRefunded OrderStatus = "refunded"
)

// CanBecome tells whether an order may go from s to next.
func (s OrderStatus) CanBecome(next OrderStatus) bool {
	switch s {
	case OrderPending:
		return next == OrderPaid || next == OrderCanceled || next == OrderExpired
	case OrderPaid:
		return next == OrderRefunded
	default:
		return false
	}
}

// HoldsStock tells whether the order's pieces are neither in stock nor sold: held for it.
func (s OrderStatus) HoldsStock() bool { return s == OrderPending }

// Sold tells whether the order's pieces have left the shop. A refund does not bring them back;
// whoever gets them back puts them in again.
func (s OrderStatus) Sold() bool { return s == OrderPaid || s == OrderRefunded }

// OrderItem is a line of an order, at the price of the moment of ordering.
type OrderItem struct {
	ProductID      int64
	Name           string
	ImageURL       string
	Quantity       int
	UnitPriceCents int64
}

// SubtotalCents is quantity times unit price.
func (i OrderItem) SubtotalCents() int64 { return times(i.UnitPriceCents, i.Quantity) }

// Order is a purchase. Until ExpiresAt its stock is held for it.
type Order struct {
	ID         int64
	UserID     int64
	Status     OrderStatus
	Items      []OrderItem
	TotalCents int64
	CreatedAt  time.Time
	ExpiresAt  time.Time
	// RefundedCents and Dispute are those of its payment.
	RefundedCents int64
	Dispute       Dispute
}

// OrderPage is a page of orders, newest first. NextCursor is "" at the end.
type OrderPage struct {
	Items      []Order
	NextCursor string
}

// The totals that can be charged, beside 0, which nobody is charged: what Stripe takes in US dollars.
// See https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
const (
	MinTotalCents = 50
	MaxTotalCents = 99_999_999
)

// OrderRequest asks for an order of what is in the user's cart.
type OrderRequest struct {
	UserID int64
	Key    string        // the idempotency key
	TTL    time.Duration // how long the stock is held; see Orders.HoldOrder
	// Network is where the request comes from, as rate limits count it. "" is none.
	Network string
	// Limits bound what the user's and the network's unpaid orders hold, this one included. What comes at the
	// same moment from several users of a network may go beyond the network's.
	Limits HoldLimits
	// ExpectedCents is the total that the shopper was shown; nil if the request does not say.
	ExpectedCents *int64
}

// Refusal says why items cannot be ordered by this request, of which as many are in stock as stock
// says, one number an item: CodeEmptyCart, CodeOutOfStock, CodePriceChanged, CodeTotalTooSmall,
// CodeTotalTooLarge. Nil if they can be.
func (r OrderRequest) Refusal(items []OrderItem, stock []int) error {
	if len(items) == 0 {
		return ErrEmptyCart()
	}
	var total int64
	for n, i := range items {
		if i.Quantity > stock[n] {
			return ErrOutOfStock(i.ProductID, i.Name, stock[n])
		}
		total = plus(total, i.SubtotalCents())
	}
	switch {
	case r.ExpectedCents != nil && *r.ExpectedCents != total:
		return ErrPriceChanged(*r.ExpectedCents, total)
	case total > MaxTotalCents:
		return errTotal(CodeTotalTooLarge, "This is more than can be paid at once. Order in several parts.", total,
			MaxTotalCents)
	case total > 0 && total < MinTotalCents:
		return errTotal(CodeTotalTooSmall, "This is less than can be paid. Put something more into the cart.", total,
			MinTotalCents)
	}
	return nil
}

// Repeats tells whether the request, which comes with the key of o, asks for o once more. What it asks
// for is the cart, and the total if it names one. Ordering empties the cart, so that an empty one is
// that of a retry; items are what is in it otherwise, by product as o's are.
func (r OrderRequest) Repeats(o Order, items []OrderItem) bool {
	if r.ExpectedCents != nil && *r.ExpectedCents != o.TotalCents {
		return false
	}
	return len(items) == 0 || slices.EqualFunc(items, o.Items, func(a, b OrderItem) bool {
		return a.ProductID == b.ProductID && a.Quantity == b.Quantity
	})
}

// Orders stores orders and moves stock with them, each call in one transaction.
type Orders interface {
	// PlaceOrder turns the user's cart into a pending order, takes its stock (products locked in
	// id order) and empties the cart. An order of 0 cents is paid at once. The same request again
	// returns the same order and false; another one with its key is CodeKeyReused. What cannot be
	// ordered is refused as OrderRequest.Refusal and HoldLimits.Refusal say, and leaves the key free.
	PlaceOrder(ctx context.Context, r OrderRequest) (o Order, created bool, err error)
	// Order returns the user's order; another's is CodeNotFound.
	Order(ctx context.Context, userID, id int64) (Order, error)
	Orders(ctx context.Context, userID int64, limit int, cursor string) (OrderPage, error)
	// HoldOrder has a pending order hold its stock for ttl from its placing, unless it does for longer.
	HoldOrder(ctx context.Context, id int64, ttl time.Duration) error
	// CancelOrder gives the stock back; CodeOrderNotPending when it is no longer pending.
	CancelOrder(ctx context.Context, userID, id int64) (Order, error)
	// ExpireOrders expires up to limit pending orders that are due, gives their stock back and
	// returns their ids. One whose payment is open waits until the gateway has said what became of
	// it, but no longer than grace. Safe with many instances at once (FOR UPDATE SKIP LOCKED).
	ExpireOrders(ctx context.Context, limit int, grace time.Duration) ([]int64, error)
}

// ErrEmptyCart is the error of ordering nothing.
func ErrEmptyCart() error {
	return Errorf(CodeEmptyCart, "The cart is empty.")
}

// ErrOutOfStock is the error of ordering more of a product than there is.
func ErrOutOfStock(productID int64, name string, available int) error {
	e := Errorf(CodeOutOfStock, "Only %d of %s are left.", available, name)
	switch available {
	case 0:
		e.Detail = name + " is sold out."
	case 1:
		e.Detail = "Only one of " + name + " is left."
	}
	e.Extra = map[string]any{"product_id": productID, "name": name, "available": available}
	return e
}

// ErrPriceChanged is the error of ordering at another total than the shopper was shown.
func ErrPriceChanged(expected, total int64) error {
	e := Errorf(CodePriceChanged, "A price has changed since the cart was shown. "+
		"Look at the new total, and order again if it suits you.")
	e.Extra = map[string]any{"expected_total_cents": expected, "total_cents": total, "currency": Currency}
	return e
}

func errTotal(code Code, detail string, total, limit int64) error {
	e := Errorf(code, "%s", detail)
	e.Extra = map[string]any{"total_cents": total, "limit_cents": limit, "currency": Currency}
	return e
}

// ErrKeyReused is the error of ordering another cart with the key of an earlier order.
func ErrKeyReused() error {
	return Errorf(CodeKeyReused, "This idempotency key belongs to another order. Send a new key with each new order.")
}

// ErrOrderNotPending is the error of canceling or paying an order that is already status.
func ErrOrderNotPending(status OrderStatus) error {
	return Errorf(CodeOrderNotPending, "The order is %s.", status)
}
