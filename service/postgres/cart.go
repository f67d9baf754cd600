package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/service/shop"
)

// owned returns query with OWNER replaced by the column that says whose cart it is, and its value.
// One text for each column, instead of "user_id = $1 OR guest = $2", keeps plans and upserts simple.
func owned(query string, o shop.Owner) (string, any) {
	if o.UserID != 0 {
		return strings.ReplaceAll(query, "OWNER", "user_id"), o.UserID
	}
	return strings.ReplaceAll(query, "OWNER", "guest"), o.Guest
}

const (
	cartQuery = `
		SELECT p.id, p.name, p.image_url, c.quantity, p.price_cents, p.archived_at IS NOT NULL, p.stock
		FROM cart_items c JOIN products p ON p.id = c.product_id
		WHERE c.OWNER = $1
		ORDER BY c.id`

	// putItem adds a line unless the cart is full of others, or changes the one that is there; not of what
	// is no longer sold.
	putItem = `
		INSERT INTO cart_items AS c (OWNER, product_id, quantity)
		SELECT $1, $2, $3
		WHERE (SELECT count(*) FROM cart_items WHERE OWNER = $1 AND product_id <> $2) < $4
			AND NOT EXISTS (SELECT FROM products WHERE id = $2 AND archived_at IS NOT NULL)
		ON CONFLICT (OWNER, product_id) DO UPDATE SET updated_at = now(), quantity = `
	addItem = putItem + `least(c.quantity + excluded.quantity, $5)`
	setItem = putItem + `excluded.quantity`

	// renewCart keeps all of a guest's cart that is in use, at one write a day.
	renewCart = `UPDATE cart_items SET updated_at = now() WHERE guest = $1 AND updated_at < now() - interval '1 day'`

	removeItem = `DELETE FROM cart_items WHERE OWNER = $1 AND product_id = $2`
	clearCart  = `DELETE FROM cart_items WHERE OWNER = $1`
)

// Cart implements shop.Carts.
func (db *DB) Cart(ctx context.Context, o shop.Owner) (shop.Cart, error) {
	return db.cart(ctx, "read cart", o, nil)
}

// AddItem implements shop.Carts.
func (db *DB) AddItem(ctx context.Context, o shop.Owner, productID int64, quantity int) (shop.Cart, error) {
	if err := shop.ValidateQuantity(quantity, 1); err != nil {
		return shop.Cart{}, err
	}
	return db.put(ctx, "add to cart", addItem, o, productID, quantity, shop.MaxCartItems, shop.MaxQuantity)
}

// SetItem implements shop.Carts.
func (db *DB) SetItem(ctx context.Context, o shop.Owner, productID int64, quantity int) (shop.Cart, error) {
	if err := shop.ValidateQuantity(quantity, 0); err != nil {
		return shop.Cart{}, err
	}
	if quantity == 0 {
		return db.RemoveItem(ctx, o, productID)
	}
	return db.put(ctx, "set cart item", setItem, o, productID, quantity, shop.MaxCartItems)
}

func (db *DB) put(
	ctx context.Context, what, query string, o shop.Owner, productID int64, args ...any,
) (shop.Cart, error) {
	query, owner := owned(query, o)
	put := false
	c, err := db.cart(ctx, what, o, func(b *pgx.Batch) {
		b.Queue(query, append([]any{owner, productID}, args...)...).Exec(func(tag pgconn.CommandTag) error {
			put = tag.RowsAffected() == 1
			return nil
		})
	})
	switch {
	case isCode(err, "23503"): // foreign_key_violation
		return shop.Cart{}, notFound("product")
	case err == nil && !put && c.Full(productID):
		return shop.Cart{}, shop.ErrCartFull()
	case err == nil && !put:
		return shop.Cart{}, notFound("product")
	}
	return c, err
}

// RemoveItem implements shop.Carts.
func (db *DB) RemoveItem(ctx context.Context, o shop.Owner, productID int64) (shop.Cart, error) {
	query, owner := owned(removeItem, o)
	return db.cart(ctx, "remove from cart", o, func(b *pgx.Batch) { b.Queue(query, owner, productID) })
}

// cart makes a change, if one is given, and reads the cart as it is then, in one round trip and one
// transaction. A guest's is kept for another shop.CartTTL.
func (db *DB) cart(ctx context.Context, what string, o shop.Owner, change func(*pgx.Batch)) (c shop.Cart, err error) {
	query, owner := owned(cartQuery, o)
	batch := func() *pgx.Batch {
		b := &pgx.Batch{}
		if change != nil {
			change(b)
		}
		if o.Guest != "" {
			b.Queue(renewCart, o.Guest)
		}
		b.Queue(query, owner).Query(func(rows pgx.Rows) (err error) {
			c.Items, err = pgx.CollectRows(rows, pgx.RowToStructByPos[shop.CartItem])
			return err
		})
		return b
	}
	if change == nil {
		err = db.send(ctx, what, batch())
	} else {
		err = db.sendLocking(ctx, what, batch)
	}
	return c, err
}

// ClearCart implements shop.Carts.
func (db *DB) ClearCart(ctx context.Context, o shop.Owner) error {
	query, owner := owned(clearCart, o)
	return db.lock(ctx, "clear cart", func(conn *pgxpool.Conn) error {
		_, err := conn.Exec(ctx, query, owner)
		return err
	})
}

// MergeCart implements shop.Carts. The guest's items are deleted and put into the user's cart by
// one statement, so that a merge that runs twice at once adds nothing twice.
func (db *DB) MergeCart(ctx context.Context, guest string, userID int64) error {
	return db.sendLocking(ctx, "merge carts", func() *pgx.Batch {
		b := &pgx.Batch{}
		b.Queue(lockUser, userID)
		b.Queue(`
			WITH moved AS (
				DELETE FROM cart_items WHERE guest = $1 RETURNING id, product_id, quantity
			), ranked AS (
				SELECT m.id, m.product_id, m.quantity, mine.id IS NOT NULL AS there,
					row_number() OVER (PARTITION BY mine.id IS NULL ORDER BY m.id) AS nth
				FROM moved m LEFT JOIN cart_items mine ON mine.user_id = $2 AND mine.product_id = m.product_id
			)
			INSERT INTO cart_items AS c (user_id, product_id, quantity)
			SELECT $2, product_id, quantity FROM ranked
			WHERE there OR nth + (SELECT count(*) FROM cart_items WHERE user_id = $2) <= $3
			ORDER BY id
			ON CONFLICT (user_id, product_id) DO UPDATE
			SET updated_at = now(), quantity = least(c.quantity + excluded.quantity, $4)`,
			guest, userID, shop.MaxCartItems, shop.MaxQuantity)
		return b
	})
}

// DropGuestCarts forgets the items that guests put in before the given time, up to limit of them,
// and returns how many. Safe with many instances at once.
func (db *DB) DropGuestCarts(ctx context.Context, before time.Time, limit int) (dropped int, err error) {
	return db.drop(ctx, "drop guest carts", `
		DELETE FROM cart_items WHERE id IN (
			SELECT id FROM cart_items WHERE guest IS NOT NULL AND updated_at < $1
			ORDER BY updated_at LIMIT $2 FOR UPDATE SKIP LOCKED
		)`, before, limit)
}
