package shop

import (
	"context"
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
func (i OrderItem) SubtotalCents() int64 { return int64(i.Quantity) * i.UnitPriceCents }

// Order is a purchase. Until ExpiresAt its stock is held for it.
type Order struct {
	ID         int64
	UserID     int64
	Status     OrderStatus
	Items      []OrderItem
	TotalCents int64
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// OrderPage is a page of orders, newest first. NextCursor is "" at the end.
type OrderPage struct {
	Items      []Order
	NextCursor string
}

// Orders stores orders and moves stock with them, each call in one transaction.
type Orders interface {
	// PlaceOrder turns the user's cart into a pending order, takes its stock (products locked in
	// id order) and empties the cart. The same key again returns the same order and false.
	// CodeEmptyCart, CodeOutOfStock (Extra: product_id, name, available).
	PlaceOrder(ctx context.Context, userID int64, key string, ttl time.Duration) (o Order, created bool, err error)
	// Order returns the user's order; another's is CodeNotFound.
	Order(ctx context.Context, userID, id int64) (Order, error)
	Orders(ctx context.Context, userID int64, limit int, cursor string) (OrderPage, error)
	// CancelOrder gives the stock back; CodeOrderNotPending when it is no longer pending.
	CancelOrder(ctx context.Context, userID, id int64) (Order, error)
	// ExpireOrders expires up to limit pending orders that are due, gives their stock back and
	// returns their ids. Safe with many instances at once (FOR UPDATE SKIP LOCKED).
	ExpireOrders(ctx context.Context, limit int) ([]int64, error)
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

// ErrOrderNotPending is the error of canceling or paying an order that is already status.
func ErrOrderNotPending(status OrderStatus) error {
	return Errorf(CodeOrderNotPending, "The order is %s.", status)
}
