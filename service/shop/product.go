package shop

import (
	"context"
	"time"
)

// Currency is the only currency of this shop, in Stripe's spelling (ISO 4217, lower case).
const Currency = "usd"

// Product is one article of the catalog. Stock is what can still be ordered.
type Product struct {
	ID          int64
	Name        string
	Description string
	Category    string
	PriceCents  int64
	Stock       int
	ImageURL    string
	CreatedAt   time.Time
}

// Category is a category's name and how many products it has.
type Category struct {
	Name  string
	Count int
}

// Sort is an order of the product list. Ties are broken by id, so each is total.
type Sort string

// The sort orders, in the API's words.
const (
	SortNewest    Sort = "newest"
	SortPrice     Sort = "price"
	SortPriceDesc Sort = "-price"
	SortName      Sort = "name"
)

// ProductQuery selects a page of the catalog. Cursor is what the page before gave as NextCursor.
type ProductQuery struct {
	Search   string
	Category string
	Sort     Sort
	Limit    int
	Cursor   string
}

// ProductPage is a page of products. NextCursor is "" at the end.
type ProductPage struct {
	Items      []Product
	NextCursor string
}

// Catalog reads products. Implementations may be up to CatalogMaxAge behind.
type Catalog interface {
	// Products returns a page; CodeInvalidCursor if the cursor is not one of this query's sort.
	Products(ctx context.Context, q ProductQuery) (ProductPage, error)
	// Product returns one product or CodeNotFound.
	Product(ctx context.Context, id int64) (Product, error)
	// Categories returns all categories by name.
	Categories(ctx context.Context) ([]Category, error)
}

// CatalogMaxAge is how old a catalog answer may be: a price or stock change shows everywhere
// within this time. Checkout never reads through a cache.
const CatalogMaxAge = 2 * time.Second
