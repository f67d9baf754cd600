package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/service/shop"
)

// dueChecks sets the next time while it claims, so that an instance that is lost loses one turn. The
// longer ago the payment was started, the longer the pause: half its age while it can be paid, but a
// look at the moment when its order expires; its age once it is captured, which makes a dozen looks in
// the half year in which a bank may dispute it.
const dueChecks = `
	WITH due AS (
		SELECT order_id FROM payments WHERE status <> 'canceled' AND check_at <= now()
		ORDER BY check_at LIMIT $1
		FOR NO KEY UPDATE SKIP LOCKED
	), next AS (
		SELECT p.order_id, p.status = 'open' AND (o.status <> 'pending' OR o.expires_at <= now()) AS over,
			CASE
				WHEN now() - p.created_at > interval '180 days' THEN 'infinity'
				WHEN p.status = 'open' OR p.pending_cents > 0 THEN
					now() + greatest(make_interval(secs => $2), least(interval '1 day', (now() - p.created_at) / 2))
				ELSE now() + greatest(interval '1 hour', now() - p.created_at)
			END AS check_at,
			CASE WHEN o.status = 'pending' AND o.expires_at > now() THEN o.expires_at ELSE 'infinity' END AS expires_at
		FROM due JOIN payments p ON p.order_id = due.order_id JOIN orders o ON o.id = due.order_id
	)
	UPDATE payments p SET asked_at = now(), check_at = least(next.check_at, next.expires_at)
	FROM next WHERE p.order_id = next.order_id
	RETURNING p.intent_id, p.order_id, next.over`

// DueChecks implements shop.Payments.
func (db *DB) DueChecks(ctx context.Context, limit int) (checks []shop.Check, err error) {
	err = db.do(ctx, "claim due checks", func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, dueChecks, limit, shop.FirstCheck.Seconds())
		if err != nil {
			return err
		}
		checks, err = pgx.CollectRows(rows, pgx.RowToStructByPos[shop.Check])
		return err
	})
	return checks, err
}

// CheckSoon implements shop.Payments. It writes only when the check comes forward.
func (db *DB) CheckSoon(ctx context.Context, orderID int64, wait time.Duration) (due bool, err error) {
	err = db.do(ctx, "check payment soon", func(conn *pgxpool.Conn) error {
		err := conn.QueryRow(ctx, `
			WITH moved AS (
				UPDATE payments SET check_at = asked_at + make_interval(secs => $2)
				WHERE order_id = $1 AND status <> 'canceled' AND check_at > asked_at + make_interval(secs => $2)
			)
			SELECT least(check_at, asked_at + make_interval(secs => $2)) <= now()
			FROM payments WHERE order_id = $1 AND status <> 'canceled'`, orderID, wait.Seconds()).Scan(&due)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return due, err
}
