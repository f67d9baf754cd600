package shop

import (
	"context"
	"slices"
	"time"
)

// Limits of a cart.
const (
	MaxQuantity  = 99 // pieces of one product
	MaxCartItems = 50 // different products
)

// Owner is who a cart belongs to: a user, or a guest by the opaque id that the server handed out.
// Exactly one of the two is set.
type Owner struct {
	UserID int64
	Guest  string
}

// CartItem is a product in a cart, at the catalog's price of now.
type CartItem struct {
	ProductID      int64
	Name           string
	ImageURL       string
	Quantity       int
	UnitPriceCents int64
	Gone           bool // no longer sold: what is in the cart of it cannot be ordered
	Stock          int  // what can still be ordered of it
}

// SubtotalCents is quantity times unit price.
func (i CartItem) SubtotalCents() int64 { return times(i.UnitPriceCents, i.Quantity) }

// Cart is what a shopper means to buy, in the order in which it was put in.
type Cart struct {
	Items []CartItem
}

// TotalCents is the sum of the subtotals.
func (c Cart) TotalCents() int64 {
	var total int64
	for _, i := range c.Items {
		total = plus(total, i.SubtotalCents())
	}
	return total
}

// Full tells whether the cart has no room for the product.
func (c Cart) Full(productID int64) bool {
	return len(c.Items) >= MaxCartItems && !slices.ContainsFunc(c.Items, func(i CartItem) bool {
		return i.ProductID == productID
	})
}

// CartTTL is how long what a guest put into a cart is kept after its last use.
const CartTTL = 30 * 24 * time.Hour

// Carts stores carts. Every write returns the cart as it is afterwards. Unknown products and
// archived ones are CodeNotFound, except that removing what is not there is no error; a quantity outside
// 1..MaxQuantity (0 allowed in SetItem) and a product beyond MaxCartItems are CodeInvalid.
type Carts interface {
	Cart(ctx context.Context, o Owner) (Cart, error)
	// AddItem adds to what is there; the sum is capped at MaxQuantity.
	AddItem(ctx context.Context, o Owner, productID int64, quantity int) (Cart, error)
	// SetItem sets the quantity; 0 removes.
	SetItem(ctx context.Context, o Owner, productID int64, quantity int) (Cart, error)
	RemoveItem(ctx context.Context, o Owner, productID int64) (Cart, error)
	ClearCart(ctx context.Context, o Owner) error
	// MergeCart moves a guest's items into the user's cart (quantities add, capped; what goes beyond
	// MaxCartItems is dropped) and drops the guest's cart. An unknown guest is no error.
	MergeCart(ctx context.Context, guest string, userID int64) error
}

// ErrCartFull is the error of putting more than MaxCartItems different products into a cart.
func ErrCartFull() error {
	var v validation
	v.check(false, "product_id", "A cart holds at most %d different products.", MaxCartItems)
	return v.err()
}
