package postgres

import (
	"cmp"
	"context"
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/service/shop"
)

// placeOrder is a whole order in one statement, and so in one transaction and one round trip. It
// returns the lines of the cart as they are under lock, with the order beside them if it came to
// one: not if a line asks for more than there is, nor if the key was used before.
//
// The lock on products is the one that an UPDATE of stock takes: it lets the foreign keys of other
// people's carts and orders pass. All who lock several products do so by id.
const placeOrder = `
	WITH line AS MATERIALIZED (
		SELECT p.id, p.name, p.image_url, p.price_cents, p.stock, c.quantity
		FROM cart_items c JOIN products p ON p.id = c.product_id
		WHERE c.user_id = $1
		ORDER BY p.id
		FOR NO KEY UPDATE OF p FOR UPDATE OF c
	), placed AS (
		INSERT INTO orders (user_id, idempotency_key, total_cents, expires_at)
		SELECT $1, $2, sum(price_cents * quantity), now() + make_interval(secs => $3)
		FROM line
		HAVING bool_and(quantity <= stock)
		ON CONFLICT (user_id, idempotency_key) DO NOTHING
		RETURNING id, total_cents, created_at, expires_at
	), bought AS (
		INSERT INTO order_items (order_id, product_id, name, image_url, quantity, unit_price_cents)
		SELECT placed.id, line.id, line.name, line.image_url, line.quantity, line.price_cents
		FROM placed, line
	), taken AS (
		UPDATE products p SET stock = p.stock - line.quantity
		FROM placed, line WHERE p.id = line.id
	), emptied AS (
		DELETE FROM cart_items c
		USING placed, line WHERE c.user_id = $1 AND c.product_id = line.id
	)
	SELECT line.id, line.name, line.image_url, line.quantity, line.price_cents, line.stock,
		placed.id, placed.total_cents, placed.created_at, placed.expires_at
	FROM line LEFT JOIN placed ON true
	ORDER BY line.id`

// PlaceOrder implements shop.Orders.
func (db *DB) PlaceOrder(ctx context.Context, userID int64, key string, ttl time.Duration) (o shop.Order, created bool, err error) {
	if err := shop.ValidateIdempotencyKey(key); err != nil {
		return shop.Order{}, false, err
	}
	err = db.do(ctx, "place order", func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, placeOrder, userID, key, ttl.Seconds())
		if err != nil {
			return err
		}
		var short error // the first line that asks for too much
		o, created, short, err = collectPlaced(rows, userID)
		if err != nil || created {
			return err
		}
		// The order of this key, if it was placed before or just now by somebody who held the cart.
		o, err = oneOrder(conn.Query(ctx, selectOrders+"WHERE o.user_id = $1 AND o.idempotency_key = $2"+orderOfItems, userID, key))
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if short != nil {
			return short
		}
		return shop.ErrEmptyCart()
	})
	return o, created, err
}

func collectPlaced(rows pgx.Rows, userID int64) (o shop.Order, placed bool, short, err error) {
	var (
		i                  shop.OrderItem
		stock              int
		id, total          *int64
		createdAt, expires *time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{
		&i.ProductID, &i.Name, &i.ImageURL, &i.Quantity, &i.UnitPriceCents, &stock, &id, &total, &createdAt, &expires,
	}, func() error {
		if i.Quantity > stock && short == nil {
			short = shop.ErrOutOfStock(i.ProductID, i.Name, stock)
		}
		if id != nil {
			placed = true
			o.ID, o.TotalCents, o.CreatedAt, o.ExpiresAt = *id, *total, createdAt.UTC(), expires.UTC()
			o.UserID, o.Status = userID, shop.OrderPending
			o.Items = append(o.Items, i)
		}
		return nil
	})
	return o, placed, short, err
}

const (
	// selectOrders and orderOfItems stand around a condition: orders with their items, one row an item.
	selectOrders = `
		SELECT o.id, o.user_id, o.status, o.total_cents, o.created_at, o.expires_at,
			i.product_id, i.name, i.image_url, i.quantity, i.unit_price_cents
		FROM orders o JOIN order_items i ON i.order_id = o.id `
	orderOfItems = ` ORDER BY o.id DESC, i.product_id`

	// listOrders limits the orders before the join, not the items after it.
	listOrders = selectOrders + `
		WHERE o.id IN (
			SELECT id FROM orders WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
		)` + orderOfItems
)

// collectOrders gathers the rows of selectOrders.
func collectOrders(rows pgx.Rows) (orders []shop.Order, err error) {
	var (
		o shop.Order
		i shop.OrderItem
	)
	_, err = pgx.ForEachRow(rows, []any{
		&o.ID, &o.UserID, &o.Status, &o.TotalCents, &o.CreatedAt, &o.ExpiresAt,
		&i.ProductID, &i.Name, &i.ImageURL, &i.Quantity, &i.UnitPriceCents,
	}, func() error {
		if n := len(orders); n == 0 || orders[n-1].ID != o.ID {
			o.CreatedAt, o.ExpiresAt = o.CreatedAt.UTC(), o.ExpiresAt.UTC()
			orders = append(orders, o)
		}
		last := &orders[len(orders)-1]
		last.Items = append(last.Items, i)
		return nil
	})
	return orders, err
}

// oneOrder returns the only order in rows, or pgx.ErrNoRows.
func oneOrder(rows pgx.Rows, err error) (shop.Order, error) {
	if err != nil {
		return shop.Order{}, err
	}
	orders, err := collectOrders(rows)
	if err != nil {
		return shop.Order{}, err
	}
	if len(orders) == 0 {
		return shop.Order{}, pgx.ErrNoRows
	}
	return orders[0], nil
}

// Order implements shop.Orders.
func (db *DB) Order(ctx context.Context, userID, id int64) (o shop.Order, err error) {
	err = db.do(ctx, "find order", func(conn *pgxpool.Conn) error {
		o, err = oneOrder(conn.Query(ctx, selectOrders+"WHERE o.id = $1 AND o.user_id = $2"+orderOfItems, id, userID))
		if errors.Is(err, pgx.ErrNoRows) {
			return notFound("order")
		}
		return err
	})
	return o, err
}

// Orders implements shop.Orders.
func (db *DB) Orders(ctx context.Context, userID int64, limit int, cursor string) (shop.OrderPage, error) {
	limit, err := shop.PageLimit(limit)
	if err != nil {
		return shop.OrderPage{}, err
	}
	before, err := shop.ParseOrderCursor(cursor)
	if err != nil {
		return shop.OrderPage{}, err
	}
	var orders []shop.Order
	err = db.do(ctx, "list orders", func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, listOrders, userID, cmp.Or(before, math.MaxInt64), limit+1)
		if err != nil {
			return err
		}
		orders, err = collectOrders(rows)
		return err
	})
	if err != nil || len(orders) <= limit {
		return shop.OrderPage{Items: orders}, err
	}
	return shop.OrderPage{Items: orders[:limit], NextCursor: shop.OrderCursor(orders[limit-1].ID)}, nil
}

// giveBack continues "WITH ended AS (UPDATE orders ... RETURNING id)": the stock of the ended orders
// goes back to their products, which are locked by id.
const giveBack = `, back AS (
		SELECT i.product_id, sum(i.quantity)::int AS quantity
		FROM ended JOIN order_items i ON i.order_id = ended.id
		GROUP BY i.product_id
	), locked AS MATERIALIZED (
		SELECT p.id, back.quantity
		FROM products p JOIN back ON back.product_id = p.id
		ORDER BY p.id
		FOR NO KEY UPDATE OF p
	), returned AS (
		UPDATE products p SET stock = p.stock + locked.quantity FROM locked WHERE p.id = locked.id
	)
	SELECT id FROM ended`

const cancelOrder = `
	WITH ended AS (
		UPDATE orders SET status = 'canceled'
		WHERE id = $1 AND user_id = $2 AND status = 'pending'
		RETURNING id
	)` + giveBack

// CancelOrder implements shop.Orders.
func (db *DB) CancelOrder(ctx context.Context, userID, id int64) (o shop.Order, err error) {
	canceled := false
	b := &pgx.Batch{}
	b.Queue(cancelOrder, id, userID).Exec(func(tag pgconn.CommandTag) error {
		canceled = tag.RowsAffected() == 1
		return nil
	})
	b.Queue(selectOrders+"WHERE o.id = $1 AND o.user_id = $2"+orderOfItems, id, userID).Query(func(rows pgx.Rows) (err error) {
		o, err = oneOrder(rows, nil)
		return err
	})
	err = db.send(ctx, "cancel order", b)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return shop.Order{}, notFound("order")
	case err != nil:
		return shop.Order{}, err
	case !canceled:
		return shop.Order{}, shop.ErrOrderNotPending(o.Status)
	}
	return o, nil
}

const expireOrders = `
	WITH ended AS (
		UPDATE orders SET status = 'expired'
		WHERE id IN (
			SELECT id FROM orders WHERE status = 'pending' AND expires_at <= now()
			ORDER BY expires_at LIMIT $1
			FOR NO KEY UPDATE SKIP LOCKED
		)
		RETURNING id
	)` + giveBack

// ExpireOrders implements shop.Orders.
func (db *DB) ExpireOrders(ctx context.Context, limit int) (ids []int64, err error) {
	err = db.do(ctx, "expire orders", func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, expireOrders, limit)
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
	return ids, err
}
