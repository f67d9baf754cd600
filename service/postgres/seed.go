package postgres

import (
	"context"
	_ "embed"
)

// products.json is what the shop sells. Most have 10,000 pieces, so that a load test which sells
// hundreds of orders a second does not turn into a test of the sold-out page; a few have less, one
// none, for people to see how that looks.
//
//go:embed seed/products.json
var seedProducts []byte

// Seed puts the products into a database that never had them. Every instance may call it at each start: of
// those that do at once one sows, and what an operator changes or removes afterwards stays so.
func (db *DB) Seed(ctx context.Context) error {
	return db.exec(ctx, "seed products", `
		WITH first AS (
			INSERT INTO seeds (name) VALUES ('products') ON CONFLICT (name) DO NOTHING RETURNING name
		)
		INSERT INTO products (slug, name, description, category, price_cents, stock, put_in, image_url)
		SELECT slug, s.name, description, category, price_cents, stock, stock, '/images/products/' || slug || '.svg'
		FROM first, jsonb_to_recordset($1::jsonb) AS s (
			slug text, name text, description text, category text, price_cents bigint, stock integer
		)`, string(seedProducts))
}
