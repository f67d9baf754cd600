package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/service/shop"
)

const paymentColumns = "order_id, intent_id, client_secret, amount_cents, currency, status, captured_cents, " +
	"refunded_cents, pending_cents, dispute"

func paymentFields(p *shop.Payment) []any {
	return []any{
		&p.OrderID, &p.IntentID, &p.ClientSecret, &p.AmountCents, &p.Currency, &p.Status,
		&p.CapturedCents, &p.RefundedCents, &p.PendingCents, &p.Dispute,
	}
}

// Payment implements shop.Payments.
func (db *DB) Payment(ctx context.Context, orderID int64) (p shop.Payment, err error) {
	err = db.do(ctx, "find payment", func(conn *pgxpool.Conn) error {
		err := conn.QueryRow(ctx, "SELECT "+paymentColumns+" FROM payments WHERE order_id = $1",
			orderID).Scan(paymentFields(&p)...)
		if errors.Is(err, pgx.ErrNoRows) {
			return notFound("payment")
		}
		return err
	})
	return p, err
}

// SavePayment implements shop.Payments.
func (db *DB) SavePayment(ctx context.Context, p shop.Payment) (saved shop.Payment, err error) {
	b := &pgx.Batch{}
	b.Queue(`
		INSERT INTO payments (order_id, intent_id, client_secret, amount_cents, currency, check_at)
		SELECT id, $2, $3, $4, $5, least(expires_at, now() + make_interval(secs => $6)) FROM orders WHERE id = $1
		ON CONFLICT (order_id) DO NOTHING`,
		p.OrderID, p.IntentID, p.ClientSecret, p.AmountCents, p.Currency, shop.FirstCheck.Seconds())
	b.Queue("SELECT "+paymentColumns+" FROM payments WHERE order_id = $1", p.OrderID).QueryRow(func(row pgx.Row) error {
		return row.Scan(paymentFields(&saved)...)
	})
	err = db.send(ctx, "save payment", b)
	if errors.Is(err, pgx.ErrNoRows) {
		return shop.Payment{}, notFound("order")
	}
	return saved, err
}

// ApplyEvent implements shop.Payments. It takes two round trips: one that begins the transaction,
// stores the event and locks, and one that writes what Decide says and commits.
func (db *DB) ApplyEvent(ctx context.Context, e shop.Event) (outcome shop.Outcome, err error) {
	err = db.do(ctx, "apply payment event", func(conn *pgxpool.Conn) error {
		o, p, known, isNew, err := beginEvent(ctx, conn, e)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			outcome = shop.OutcomeUnknown
		case err != nil:
			return err // the pool closes a connection whose transaction is open, which ends both
		case !isNew:
			outcome = shop.OutcomeDuplicate
		default:
			d := shop.Decide(o, p, e, known)
			outcome = d.Outcome
			return commitEvent(ctx, conn, o.ID, d)
		}
		_, err = conn.Exec(ctx, "ROLLBACK")
		return err
	})
	return outcome, err
}

func beginEvent(
	ctx context.Context, conn *pgxpool.Conn, e shop.Event,
) (o shop.Order, p shop.Payment, known []shop.Return, isNew bool, err error) {
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	// The same event applied twice at once: the second waits here until the first has committed.
	b.Queue(`
		INSERT INTO payment_events (id, order_id, type)
		SELECT $1, order_id, $3 FROM payments WHERE intent_id = $2
		ON CONFLICT (id) DO NOTHING`, e.ID, e.IntentID, string(e.Type),
	).Exec(func(tag pgconn.CommandTag) error {
		isNew = tag.RowsAffected() == 1
		return nil
	})
	b.Queue(`
		SELECT o.id, o.status, o.total_cents, p.amount_cents, p.currency, p.status,
			p.captured_cents, p.refunded_cents, p.pending_cents, p.dispute
		FROM payments p JOIN orders o ON o.id = p.order_id
		WHERE p.intent_id = $1
		FOR NO KEY UPDATE`, e.IntentID,
	).QueryRow(func(row pgx.Row) error {
		return row.Scan(&o.ID, &o.Status, &o.TotalCents, &p.AmountCents, &p.Currency, &p.Status,
			&p.CapturedCents, &p.RefundedCents, &p.PendingCents, &p.Dispute)
	})
	if e.Return.ID != "" {
		b.Queue(`
			SELECT r.id, r.dispute, r.amount_cents, r.status
			FROM payments p JOIN returns r ON r.order_id = p.order_id
			WHERE p.intent_id = $1`, e.IntentID,
		).Query(func(rows pgx.Rows) (err error) {
			known, err = pgx.CollectRows(rows, pgx.RowToStructByPos[shop.Return])
			return err
		})
	}
	err = conn.SendBatch(ctx, b).Close()
	return o, p, known, isNew, err
}

// commitEvent writes a decision. When the money has moved, Stripe is asked about it after an hour, and
// sooner about what is on its way; see dueChecks.
func commitEvent(ctx context.Context, conn *pgxpool.Conn, orderID int64, d shop.Decision) error {
	b := &pgx.Batch{}
	b.Queue("UPDATE orders SET status = $2, network = NULL WHERE id = $1 AND status <> $2", orderID, string(d.Order))
	b.Queue(`
		UPDATE payments SET status = $2, captured_cents = $3, refunded_cents = $4, pending_cents = $5, dispute = $6,
			check_at = CASE
				WHEN status = $2 AND pending_cents = $5 THEN check_at
				WHEN $5 > 0 THEN now() + interval '10 minutes'
				ELSE now() + interval '1 hour'
			END
		WHERE order_id = $1`,
		orderID, string(d.Payment), d.CapturedCents, d.RefundedCents, d.PendingCents, string(d.Dispute))
	if r := d.Return; r.ID != "" {
		b.Queue(`
			INSERT INTO returns (id, order_id, dispute, amount_cents, status) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET amount_cents = excluded.amount_cents, status = excluded.status`,
			r.ID, orderID, r.Dispute, r.AmountCents, string(r.Status))
	}
	b.Queue("COMMIT")
	return conn.SendBatch(ctx, b).Close()
}

// DueRefunds implements shop.Payments.
func (db *DB) DueRefunds(ctx context.Context, limit int, lease time.Duration) (refunds []shop.Refund, err error) {
	err = db.do(ctx, "claim due refunds", func(conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, dueRefunds, limit, lease.Seconds())
		if err != nil {
			return err
		}
		refunds, err = pgx.CollectRows(rows, pgx.RowToStructByPos[shop.Refund])
		return err
	})
	return refunds, err
}

// A claim lasts twice as long with each refund that has failed, up to 1024 times.
const dueRefunds = `
	WITH due AS (
		SELECT order_id, (SELECT count(*)::int FROM returns r WHERE r.order_id = p.order_id AND r.status = 'failed') AS failed
		FROM payments p
		WHERE status = 'refunding' AND claimed_until <= now() AND captured_cents - refunded_cents > pending_cents
		ORDER BY claimed_until LIMIT $1
		FOR NO KEY UPDATE SKIP LOCKED
	)
	UPDATE payments p SET claimed_until = now() + make_interval(secs => $2 * 2 ^ least(due.failed, 10))
	FROM due WHERE p.order_id = due.order_id
	RETURNING p.intent_id, p.order_id, p.captured_cents - p.refunded_cents - p.pending_cents, due.failed`
