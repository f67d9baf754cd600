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
	var items []shop.Product
	err = db.do(ctx, "list products", func(conn *pgxpool.Conn) error {
		if items, err = listProducts(ctx, conn, q, matching); err != nil || len(items) > 0 {
			return err
		}
		// Typing errors are forgiven where nothing is called as it was typed.
		if db.trigram.Load() && len(strings.Join(q.Words(), " ")) >= 4 {
			items, err = listProducts(ctx, conn, q, similar)
		}
		return err
	})
	if err != nil || len(items) <= q.Limit {
		return shop.ProductPage{Items: items}, err
	}
	items = items[:q.Limit]
	return shop.ProductPage{Items: items, NextCursor: q.NextCursor(items[q.Limit-1])}, nil
}

// listProducts asks for one product more than the page of a normalized query holds.
func listProducts(
	ctx context.Context, conn *pgxpool.Conn, q shop.ProductQuery, search func(shop.ProductQuery, *statement),
) ([]shop.Product, error) {
	query, args, err := productsQuery(q, search)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanProduct)
}

// statement is the WHERE clause of one, and its arguments.
type statement struct {
	where []string
	args  []any
}

// arg adds an argument and returns its name.
func (s *statement) arg(v any) string {
	s.args = append(s.args, v)
	return fmt.Sprintf("$%d", len(s.args))
}

func (s *statement) and(condition string) { s.where = append(s.where, condition) }

func (s *statement) conditions() string { return strings.Join(s.where, " AND ") }

// productsQuery returns the SQL of a page. The text depends on the query, so that each shape has its own plan and
// its own index.
func productsQuery(q shop.ProductQuery, search func(shop.ProductQuery, *statement)) (string, []any, error) {
	s := &statement{where: []string{"archived_at IS NULL"}}
	if q.Category != "" {
		s.and("category = " + s.arg(q.Category))
	}
	if q.Search != "" {
		search(q, s)
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
		s.and(fmt.Sprintf("(%s, id) %s (%s, %s)", column, before, s.arg(v), s.arg(id)))
	}
	return fmt.Sprintf("SELECT %s FROM products WHERE %s ORDER BY %s%s, id%s LIMIT %s",
		productColumns, s.conditions(), column, descending, descending, s.arg(q.Limit+1)), s.args, nil
}

// matching asks for the products that hold the words, without those that English drops, unless it drops them all.
func matching(q shop.ProductQuery, s *statement) {
	s.and(strings.ReplaceAll("search @@ CASE numnode(to_tsquery('english', ASKED)) "+
		"WHEN 0 THEN to_tsquery('simple', ASKED) ELSE to_tsquery('english', ASKED) END", "ASKED",
		s.arg(wordsQuery(q.Words()))))
}

// similar asks for the products whose name resembles the words, where none holds them: a page further on may be
// behind the last one that does.
func similar(q shop.ProductQuery, s *statement) {
	all := &statement{where: slices.Clone(s.where), args: s.args}
	matching(q, all)
	s.args = all.args
	s.and("name %> " + s.arg(strings.Join(q.Words(), " ")))
	s.and("NOT EXISTS (SELECT FROM products WHERE " + all.conditions() + ")")
}

// wordsQuery returns the words as a tsquery in which the last begins a word: 'desk' & 'lam':*. It may be half
// typed; the index finds whole words ten times as fast. Words are letters and digits, so quoting is enough.
func wordsQuery(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "'" + strings.Join(words, "' & '") + "':*"
}

// Product implements shop.Catalog.
func (db *DB) Product(ctx context.Context, id int64) (shop.Product, error) {
	return db.product(ctx, "find product", "SELECT "+productColumns+" FROM products WHERE id = $1 AND archived_at IS NULL",
		id)
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
	_, err := db.product(ctx, "archive product",
		"UPDATE products SET archived_at = coalesce(archived_at, now()) WHERE id = $1 RETURNING "+productColumns, id)
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

const categoriesQuery = `SELECT category, count(*) FROM products WHERE archived_at IS NULL
	GROUP BY category ORDER BY category`
