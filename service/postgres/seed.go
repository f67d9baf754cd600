package postgres

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5/pgxpool"
)

// products.json is what the shop sells. Most have 10,000 pieces, so that a load test which sells
// hundreds of orders a second does not turn into a test of the sold-out page; a few have less, one
// none, for people to see how that looks.
//
//go:embed seed/products.json
var seedProducts []byte

// Seed puts the products in that are not there yet. What is there stays as it is, price and stock
// included, so that every instance may call it at each start.
func (db *DB) Seed(ctx context.Context) error {
	return db.do(ctx, "seed products", func(conn *pgxpool.Conn) error {
		_, err := conn.Exec(ctx, `
			INSERT INTO products (slug, name, description, category, price_cents, stock, put_in, image_url)
			SELECT slug, name, description, category, price_cents, stock, stock, '/images/products/' || slug || '.svg'
			FROM jsonb_to_recordset($1::jsonb) AS s (
				slug text, name text, description text, category text, price_cents bigint, stock integer
			)
			WHERE NOT EXISTS (SELECT FROM products p WHERE p.slug = s.slug)
			ON CONFLICT (slug) DO NOTHING`, string(seedProducts))
		return err
	})
}
