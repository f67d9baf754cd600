package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// Product is a product as clients see it.
type Product struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Category    string `json:"category"`
	PriceCents  int64  `json:"price_cents" minimum:"0"`
	Currency    string `json:"currency" example:"usd"`
	Stock       int    `json:"stock" minimum:"0" doc:"How many can still be ordered."`
	ImageURL    string `json:"image_url"`
}

// ProductList is a page of products.
type ProductList struct {
	Items      []Product `json:"items" nullable:"false"`
	NextCursor *string   `json:"next_cursor" nullable:"true" doc:"Null at the end."`
}

// Category is a category and how many products it has.
type Category struct {
	Name  string `json:"name"`
	Count int    `json:"count" minimum:"0"`
}

// CategoryList is all categories.
type CategoryList struct {
	Items []Category `json:"items" nullable:"false"`
}

func newProduct(p shop.Product) Product {
	return Product{
		ID: p.ID, Name: p.Name, Description: p.Description, Category: p.Category,
		PriceCents: p.PriceCents, Currency: shop.Currency, Stock: p.Stock, ImageURL: p.ImageURL,
	}
}

// cursorOrNull is the cursor as clients see it: null at the end.
func cursorOrNull(cursor string) *string {
	if cursor == "" {
		return nil
	}
	return &cursor
}

// listProducts answers GET /api/products.
func (s *Server) listProducts(c *fiber.Ctx) error {
	return s.cached(c, func(ctx context.Context) (any, error) {
		q, err := productQuery(c)
		if err != nil {
			return nil, err
		}
		page, err := s.Catalog.Products(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list products: %w", err)
		}
		list := ProductList{Items: make([]Product, len(page.Items)), NextCursor: cursorOrNull(page.NextCursor)}
		for i, p := range page.Items {
			list.Items[i] = newProduct(p)
		}
		return list, nil
	})
}

func productQuery(c *fiber.Ctx) (shop.ProductQuery, error) {
	limit, cursor, err := page(c)
	if err != nil {
		return shop.ProductQuery{}, err
	}
	if err := once(c, "q", "category", "sort"); err != nil {
		return shop.ProductQuery{}, err
	}
	q := shop.ProductQuery{
		Search:   strings.Clone(strings.TrimSpace(c.Query("q"))),
		Category: strings.Clone(c.Query("category")),
		Sort:     shop.Sort(strings.Clone(c.Query("sort"))),
		Limit:    limit,
		Cursor:   cursor,
	}
	if !c.Request().URI().QueryArgs().Has("sort") {
		q.Sort = shop.SortNewest
	}
	switch q.Sort {
	case shop.SortNewest, shop.SortPrice, shop.SortPriceDesc, shop.SortName:
	default:
		return q, invalid("sort", "must be newest, price, -price or name")
	}
	if err := checkText("q", q.Search); err != nil {
		return q, err
	}
	return q, checkText("category", q.Category)
}

// getProduct answers GET /api/products/{id}.
func (s *Server) getProduct(c *fiber.Ctx) error {
	return s.cached(c, func(ctx context.Context) (any, error) {
		id, err := pathID(c, "id")
		if err != nil {
			return nil, err
		}
		p, err := s.Catalog.Product(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("get product %d: %w", id, err)
		}
		return newProduct(p), nil
	})
}

// listCategories answers GET /api/categories.
func (s *Server) listCategories(c *fiber.Ctx) error {
	return s.cached(c, func(ctx context.Context) (any, error) {
		categories, err := s.Catalog.Categories(ctx)
		if err != nil {
			return nil, fmt.Errorf("list categories: %w", err)
		}
		list := CategoryList{Items: make([]Category, len(categories))}
		for i, category := range categories {
			list.Items[i] = Category(category)
		}
		return list, nil
	})
}

// cached answers with what the cache has for the request's address, or else with what load returns,
// as JSON.
func (s *Server) cached(c *fiber.Ctx, load func(context.Context) (any, error)) error {
	a, err := s.answers.get(c.Request().RequestURI(), func() ([]byte, error) {
		// Others may wait for the same answer, so it does not end with this request.
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		defer cancel()
		v, err := load(ctx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	})
	if err != nil {
		return err
	}
	body, etag := a.body, a.etag
	h := &c.Response().Header
	if acceptsGzip(c.Request().Header.Peek(fiber.HeaderAcceptEncoding)) {
		if zipped, tag := a.compressed(); zipped != nil {
			body, etag = zipped, tag
			setCanonical(h, "Content-Encoding", "gzip")
		}
	}
	setCanonical(h, "Etag", etag)
	setCanonical(h, "Vary", fiber.HeaderAcceptEncoding)
	// Stored copies are asked about each time: the shop alone says how old a price may be.
	setCanonical(h, "Cache-Control", "public, no-cache")
	if matches(c.Request().Header.Peek(fiber.HeaderIfNoneMatch), etag) {
		c.Status(fiber.StatusNotModified)
		return nil
	}
	h.SetContentType(fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(body)
	return nil
}

// productParams are what GET /api/products understands.
func productParams() []*huma.Param {
	sorts := []any{string(shop.SortNewest), string(shop.SortPrice), string(shop.SortPriceDesc), string(shop.SortName)}
	return append([]*huma.Param{
		query("q", "Words to search for in names and descriptions.", textSchema(shop.MaxSearchLength)),
		query("category", "Only this category.", textSchema(shop.MaxSearchLength)),
		query("sort", "In which order.", &huma.Schema{Type: huma.TypeString, Enum: sorts, Default: string(shop.SortNewest)}),
	}, pageParams()...)
}
