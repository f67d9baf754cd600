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

// An order is placed by three statements in one round trip and one transaction. The locks come
// first, in statements of their own: the last one then sees all that they waited for, and what it
// sees stays. (With the locks inside the last statement, its updates began from rows as they were
// before the wait: under load that deadlocked, and ran into the CHECK on stock.)
const (
	// lockUser lets a user do one thing at a time, and keeps new items out of the cart meanwhile:
	// their foreign key has to wait.
	lockUser = `SELECT FROM users WHERE id = $1 FOR UPDATE`

	// lockCart locks the products by id, as all do who lock several. It is the lock that an UPDATE of
	// stock takes: the foreign keys of other people's carts and orders pass it.
	lockCart = `
		SELECT FROM cart_items c JOIN products p ON p.id = c.product_id
		WHERE c.user_id = $1
		ORDER BY p.id
		FOR NO KEY UPDATE OF p FOR UPDATE OF c`

	// placeOrder returns the lines of the cart, with the order beside them if it came to one: not if
	// shop.OrderRequest.Refusal or shop.HoldLimits.Refusal has something against it, nor if the key was
	// used before. The total is summed up as numeric, which cannot overflow. What is archived is not there.
	placeOrder = `
	WITH line AS MATERIALIZED (
		SELECT p.id, p.name, p.image_url, p.price_cents, c.quantity,
			CASE WHEN p.archived_at IS NULL THEN p.stock ELSE 0 END AS stock
		FROM cart_items c JOIN products p ON p.id = c.product_id
		WHERE c.user_id = $1
	), sum AS (
		SELECT sum(price_cents::numeric * quantity) AS total, sum(quantity) AS pieces, bool_and(quantity <= stock) AS there
		FROM line
	), held AS (
		SELECT count(DISTINCT o.id) FILTER (WHERE o.user_id = $1) AS orders,
			coalesce(sum(i.quantity) FILTER (WHERE o.user_id = $1), 0) AS pieces,
			count(DISTINCT o.id) FILTER (WHERE o.network = $7) AS network_orders,
			coalesce(sum(i.quantity) FILTER (WHERE o.network = $7), 0) AS network_pieces
		FROM orders o JOIN order_items i ON i.order_id = o.id
		WHERE $8::boolean AND o.status = 'pending' AND (o.user_id = $1 OR o.network = $7)
	), placed AS (
		INSERT INTO orders (user_id, idempotency_key, status, total_cents, expires_at, network)
		SELECT $1, $2, CASE total WHEN 0 THEN 'paid' ELSE 'pending' END, total, now() + make_interval(secs => $3),
			CASE total WHEN 0 THEN NULL ELSE $7::text END
		FROM sum, held
		WHERE there AND total = coalesce($4::bigint, total)
			AND (total = 0 OR total BETWEEN $5 AND $6 AND held.orders < $9 AND held.pieces + sum.pieces <= $10
				AND held.network_orders < $11 AND held.network_pieces + sum.pieces <= $12)
		ON CONFLICT (user_id, idempotency_key) DO NOTHING
		RETURNING id, status, total_cents, created_at, expires_at
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
		held.orders, held.pieces, held.network_orders, held.network_pieces,
		placed.id, placed.status, placed.total_cents, placed.created_at, placed.expires_at
	FROM line CROSS JOIN held LEFT JOIN placed ON true
	ORDER BY line.id`
)

// PlaceOrder implements shop.Orders.
func (db *DB) PlaceOrder(ctx context.Context, r shop.OrderRequest) (o shop.Order, created bool, err error) {
	if err := shop.ValidateIdempotencyKey(r.Key); err != nil {
		return shop.Order{}, false, err
	}
	var cart placing
	args := append([]any{r.UserID, r.Key, r.TTL.Seconds(), r.ExpectedCents, shop.MinTotalCents, shop.MaxTotalCents},
		holdArgs(r)...)
	err = db.sendLocking(ctx, "place order", func() *pgx.Batch {
		b := &pgx.Batch{}
		b.Queue(lockUser, r.UserID)
		b.Queue(lockCart, r.UserID)
		b.Queue(placeOrder, args...).Query(func(rows pgx.Rows) (err error) {
			o, cart, err = collectPlaced(rows, r.UserID)
			return err
		})
		return b
	})
	if err != nil || o.ID != 0 {
		return o, o.ID != 0, err
	}
	// Not a new order: was the key used before, or did somebody just now who held the cart?
	items := o.Items
	o, err = db.order(ctx, "find order by key", "WHERE o.user_id = $1 AND o.idempotency_key = $2", r.UserID, r.Key)
	switch {
	case shop.CodeOf(err) == shop.CodeNotFound:
		return shop.Order{}, false, cmp.Or(r.Refusal(items, cart.stock), r.Limits.Refusal(cart.held, cart.pieces),
			errors.New("place order: neither placed nor refused"))
	case err == nil && !r.Repeats(o, items):
		return shop.Order{}, false, shop.ErrKeyReused()
	}
	return o, false, err
}

// holdArgs are the last arguments of placeOrder: the network, whether anything bounds what is held, and what.
func holdArgs(r shop.OrderRequest) []any {
	var network *string
	if r.Network != "" {
		network = &r.Network
	}
	l := r.Limits
	args := []any{network, l.Bound()}
	for _, limit := range []int{l.Orders, l.Pieces, l.NetworkOrders, l.NetworkPieces} {
		args = append(args, cmp.Or(limit, math.MaxInt32))
	}
	return args
}

// placing is what placeOrder saw beside the lines of the cart.
type placing struct {
	stock  []int // of each line
	pieces int   // of all lines
	held   shop.Held
}

// collectPlaced returns the order, or if there is none an order without an id that has the lines of
// the cart.
func collectPlaced(rows pgx.Rows, userID int64) (o shop.Order, p placing, err error) {
	var (
		i                  shop.OrderItem
		left               int
		id, total          *int64
		status             *shop.OrderStatus
		createdAt, expires *time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{
		&i.ProductID, &i.Name, &i.ImageURL, &i.Quantity, &i.UnitPriceCents, &left,
		&p.held.Orders, &p.held.Pieces, &p.held.NetworkOrders, &p.held.NetworkPieces, &id, &status, &total, &createdAt,
		&expires,
	}, func() error {
		if id != nil {
			o.ID, o.UserID, o.Status, o.TotalCents = *id, userID, *status, *total
			o.CreatedAt, o.ExpiresAt = createdAt.UTC(), expires.UTC()
		}
		o.Items, p.stock, p.pieces = append(o.Items, i), append(p.stock, left), p.pieces+i.Quantity
		return nil
	})
	return o, p, err
}

const (
	// selectOrders and orderOfItems stand around a condition: orders with their items, one row an item.
	selectOrders = `
		SELECT o.id, o.user_id, o.status, o.total_cents, o.created_at, o.expires_at,
			coalesce(p.refunded_cents, 0), coalesce(p.dispute, ''),
			i.product_id, i.name, i.image_url, i.quantity, i.unit_price_cents
		FROM orders o JOIN order_items i ON i.order_id = o.id LEFT JOIN payments p ON p.order_id = o.id `
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
		&o.ID, &o.UserID, &o.Status, &o.TotalCents, &o.CreatedAt, &o.ExpiresAt, &o.RefundedCents, &o.Dispute,
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

// oneOrder returns the only order in rows.
func oneOrder(rows pgx.Rows) (shop.Order, error) {
	orders, err := collectOrders(rows)
	if err != nil {
		return shop.Order{}, err
	}
	if len(orders) == 0 {
		return shop.Order{}, notFound("order")
	}
	return orders[0], nil
}

// Order implements shop.Orders.
func (db *DB) Order(ctx context.Context, userID, id int64) (shop.Order, error) {
	return db.order(ctx, "find order", "WHERE o.id = $1 AND o.user_id = $2", id, userID)
}

// order returns the one order that meets the condition.
func (db *DB) order(ctx context.Context, what, where string, args ...any) (o shop.Order, err error) {
	err = db.do(ctx, what, func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, selectOrders+where+orderOfItems, args...)
		if err != nil {
			return err
		}
		o, err = oneOrder(rows)
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

// Orders end as they are placed: first the locks, on the orders, then on their products by id.
const (
	lockOrder = `SELECT FROM orders WHERE id = ANY ($1) FOR NO KEY UPDATE`

	lockDue = `
		SELECT o.id FROM orders o LEFT JOIN payments p ON p.order_id = o.id
		WHERE o.status = 'pending' AND o.expires_at <= now()
			AND (o.expires_at <= now() - make_interval(secs => $2) OR p.status IS DISTINCT FROM 'open')
		ORDER BY o.expires_at LIMIT $1
		FOR NO KEY UPDATE OF o SKIP LOCKED`

	lockStock = `
		SELECT FROM products
		WHERE id IN (SELECT product_id FROM order_items WHERE order_id = ANY ($1))
		ORDER BY id
		FOR NO KEY UPDATE`

	// endOrders gives those of the orders that are pending, and the user's if one is given, the status
	// $2 and their stock back to the products.
	endOrders = `
		WITH ended AS (
			UPDATE orders SET status = $2, network = NULL
			WHERE id = ANY ($1) AND status = 'pending' AND user_id = coalesce($3::bigint, user_id)
			RETURNING id
		), back AS (
			SELECT i.product_id, sum(i.quantity)::int AS quantity
			FROM ended JOIN order_items i ON i.order_id = ended.id
			GROUP BY i.product_id
		), returned AS (
			UPDATE products p SET stock = p.stock + back.quantity FROM back WHERE p.id = back.product_id
		)
		SELECT id FROM ended`
)

// HoldOrder implements shop.Orders.
func (db *DB) HoldOrder(ctx context.Context, id int64, ttl time.Duration) error {
	return db.exec(ctx, "hold order", `
		UPDATE orders SET expires_at = created_at + make_interval(secs => $2)
		WHERE id = $1 AND status = 'pending' AND expires_at < created_at + make_interval(secs => $2)`, id, ttl.Seconds())
}

// CancelOrder implements shop.Orders.
func (db *DB) CancelOrder(ctx context.Context, userID, id int64) (o shop.Order, err error) {
	canceled := false
	ids := []int64{id}
	err = db.sendLocking(ctx, "cancel order", func() *pgx.Batch {
		b := &pgx.Batch{}
		b.Queue(lockOrder, ids)
		b.Queue(lockStock, ids)
		b.Queue(endOrders, ids, string(shop.OrderCanceled), userID).Exec(func(tag pgconn.CommandTag) error {
			canceled = tag.RowsAffected() == 1
			return nil
		})
		b.Queue(selectOrders+"WHERE o.id = $1 AND o.user_id = $2"+orderOfItems, id,
			userID).Query(func(rows pgx.Rows) (err error) {
			o, err = oneOrder(rows)
			return err
		})
		return b
	})
	if err != nil {
		return shop.Order{}, err
	}
	if !canceled {
		return shop.Order{}, shop.ErrOrderNotPending(o.Status)
	}
	return o, nil
}

// ExpireOrders implements shop.Orders.
func (db *DB) ExpireOrders(ctx context.Context, limit int, grace time.Duration) (ids []int64, err error) {
	err = db.lock(ctx, "expire orders", func(conn *pgxpool.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			rows, err := tx.Query(ctx, lockDue, limit, grace.Seconds())
			if err != nil {
				return err
			}
			if ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil || len(ids) == 0 {
				return err
			}
			b := &pgx.Batch{}
			b.Queue(lockStock, ids)
			b.Queue(endOrders, ids, string(shop.OrderExpired), nil)
			return tx.SendBatch(ctx, b).Close()
		})
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}
