package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/service/shop"
)

const productColumns = "id, name, description, category, price_cents, stock, image_url, created_at"

func scanProduct(row pgx.CollectableRow) (p shop.Product, err error) {
	err = row.Scan(&p.ID, &p.Name, &p.Description, &p.Category, &p.PriceCents, &p.Stock, &p.ImageURL, &p.CreatedAt)
	p.CreatedAt = p.CreatedAt.UTC()
	return p, err
}

// Products implements shop.Catalog.
func (db *DB) Products(ctx context.Context, q shop.ProductQuery) (shop.ProductPage, error) {
	q, err := q.Normalize()
	if err != nil {
		return shop.ProductPage{}, err
	}
	query, args, err := productsQuery(q, db.trigram.Load())
	if err != nil {
		return shop.ProductPage{}, err
	}
	var items []shop.Product
	err = db.do(ctx, "list products", func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		items, err = pgx.CollectRows(rows, scanProduct)
		return err
	})
	if err != nil || len(items) <= q.Limit {
		return shop.ProductPage{Items: items}, err
	}
	items = items[:q.Limit]
	return shop.ProductPage{Items: items, NextCursor: q.NextCursor(items[q.Limit-1])}, nil
}

// productsQuery returns the SQL of a normalized query, which asks for one row more than the page
// holds. The text depends on the query, so that each shape has its own plan and its own index.
func productsQuery(q shop.ProductQuery, trigram bool) (string, []any, error) {
	where := []string{"archived_at IS NULL"}
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	if q.Category != "" {
		where = append(where, "category = "+arg(q.Category))
	}
	var match, similar string
	if q.Search != "" {
		words := q.Words()
		asked := arg(prefixQuery(words))
		// Without the words that English drops, unless it drops them all.
		match = strings.ReplaceAll("search @@ CASE numnode(to_tsquery('english', ASKED)) "+
			"WHEN 0 THEN to_tsquery('simple', ASKED) ELSE to_tsquery('english', ASKED) END", "ASKED", asked)
		if text := strings.Join(words, " "); trigram && len(text) >= 4 {
			none := "NOT EXISTS (SELECT FROM products WHERE " + strings.Join(append(slices.Clip(where), match), " AND ") + ")"
			similar = "name %> " + arg(text) + " AND " + none
		}
	}
	column, before, descending := "created_at", "<", " DESC"
	switch q.Sort {
	case shop.SortPrice:
		column, before, descending = "price_cents", ">", ""
	case shop.SortPriceDesc:
		column = "price_cents"
	case shop.SortName:
		column, before, descending = `lower(name COLLATE "C")`, ">", ""
	}
	key, id, paged, err := q.After()
	if err != nil {
		return "", nil, err
	}
	if paged {
		var v any = key.Number
		switch q.Sort {
		case shop.SortNewest:
			v = time.UnixMicro(key.Number)
		case shop.SortName:
			v = key.Text
		}
		where = append(where, fmt.Sprintf("(%s, id) %s (%s, %s)", column, before, arg(v), arg(id)))
	}
	order := fmt.Sprintf(" ORDER BY %s%s, id%s LIMIT %s", column, descending, descending, arg(q.Limit+1))
	page := func(match string) string {
		all := where
		if match != "" {
			all = append(slices.Clip(where), match)
		}
		return "SELECT " + productColumns + " FROM products WHERE " + strings.Join(all, " AND ") + order
	}
	if similar == "" {
		return page(match), args, nil
	}
	// Typing errors are forgiven where nothing is called as it was typed.
	return "(" + page(match) + ") UNION ALL (" + page(similar) + ")", args, nil
}

// prefixQuery returns the words as a tsquery in which each begins a word: 'desk':* & 'lam':*. Words
// are letters and digits, so quoting is enough.
func prefixQuery(words []string) string {
	terms := make([]string, len(words))
	for i, w := range words {
		terms[i] = "'" + w + "':*"
	}
	return strings.Join(terms, " & ")
}

// Product implements shop.Catalog.
func (db *DB) Product(ctx context.Context, id int64) (shop.Product, error) {
	return db.product(ctx, "find product", "SELECT "+productColumns+" FROM products WHERE id = $1 AND archived_at IS NULL", id)
}

func (db *DB) product(ctx context.Context, what, query string, args ...any) (p shop.Product, err error) {
	err = db.do(ctx, what, func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		p, err = pgx.CollectExactlyOneRow(rows, scanProduct)
		if errors.Is(err, pgx.ErrNoRows) {
			return notFound("product")
		}
		return err
	})
	return p, err
}

// PutProduct stores p: as a new product if its ID is 0, else in place of the one with this ID, its
// stock included; CodeNotFound if there is none. An unset CreatedAt of a new product is now.
func (db *DB) PutProduct(ctx context.Context, p shop.Product) (shop.Product, error) {
	if p.ID != 0 {
		return db.product(ctx, "change product", `
			UPDATE products SET name = $2, description = $3, category = $4, price_cents = $5,
				put_in = put_in + $6 - stock, stock = $6, image_url = $7
			WHERE id = $1 RETURNING `+productColumns,
			p.ID, p.Name, p.Description, p.Category, p.PriceCents, p.Stock, p.ImageURL)
	}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = time.Now()
	}
	return db.product(ctx, "add product", `
		INSERT INTO products (name, description, category, price_cents, stock, put_in, image_url, created_at)
		VALUES ($1, $2, $3, $4, $5, $5, $6, $7) RETURNING `+productColumns,
		p.Name, p.Description, p.Category, p.PriceCents, p.Stock, p.ImageURL, p.CreatedAt)
}

// ArchiveProduct takes a product out of the shop: it is listed no longer and cannot be ordered. Orders of it
// stay as they are. CodeNotFound if there is none.
func (db *DB) ArchiveProduct(ctx context.Context, id int64) error {
	_, err := db.product(ctx, "archive product", "UPDATE products SET archived_at = coalesce(archived_at, now()) WHERE id = $1 RETURNING "+productColumns, id)
	return err
}

// Categories implements shop.Catalog.
func (db *DB) Categories(ctx context.Context) (categories []shop.Category, err error) {
	err = db.do(ctx, "list categories", func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, categoriesQuery)
		if err != nil {
			return err
		}
		categories, err = pgx.CollectRows(rows, pgx.RowToStructByPos[shop.Category])
		return err
	})
	return categories, err
}

const categoriesQuery = `SELECT category, count(*) FROM products WHERE archived_at IS NULL GROUP BY category ORDER BY category`
