-- +goose Up

-- An intent that Stripe has canceled takes no money any more. pending_cents is what is on its way back;
-- dispute is how a dispute stands. asked_at is when Stripe was last asked about the intent, check_at when
-- it is to be asked next; the payments that are there already are asked about soon.
ALTER TABLE payments
	DROP CONSTRAINT payments_status_check,
	DROP CONSTRAINT payments_check,
	DROP CONSTRAINT payments_check1,
	ADD CONSTRAINT payments_status_check CHECK (status IN ('open', 'canceled', 'captured', 'refunding', 'refunded')),
	ADD CONSTRAINT payments_captured_check CHECK ((status IN ('open', 'canceled')) = (captured_cents = 0)),
	ADD CONSTRAINT payments_refunded_check CHECK (status IN ('open', 'canceled') OR refunded_cents <= captured_cents),
	ADD COLUMN pending_cents bigint NOT NULL DEFAULT 0 CHECK (pending_cents >= 0),
	ADD COLUMN dispute text NOT NULL DEFAULT '' CHECK (dispute IN ('', 'open', 'won', 'lost')),
	ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now(),
	ADD COLUMN check_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX payments_to_check ON payments (check_at) WHERE status <> 'canceled';

-- The refunds and disputes of payments. payments.refunded_cents is the sum of those that succeeded,
-- pending_cents of those that are pending.
CREATE TABLE returns (
	id           text PRIMARY KEY, -- Stripe's
	order_id     bigint NOT NULL REFERENCES payments,
	dispute      boolean NOT NULL,
	amount_cents bigint NOT NULL CHECK (amount_cents >= 0),
	status       text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
	created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX returns_of_payment ON returns (order_id);

-- What was refunded before has no id here. Where it was all of the payment, one return stands for it;
-- what was refunded in part is learned again when Stripe is asked, which is soon.
INSERT INTO returns (id, order_id, dispute, amount_cents, status)
SELECT 'before_' || order_id, order_id, false, refunded_cents, 'succeeded' FROM payments WHERE status = 'refunded';
UPDATE payments SET refunded_cents = 0 WHERE status <> 'refunded' AND refunded_cents > 0;

-- As before, but for intents that are canceled.
CREATE OR REPLACE VIEW money_audit AS
SELECT
	coalesce(sum(p.captured_cents), 0)::bigint AS captured,
	coalesce(sum(o.total_cents - coalesce(p.refunded_cents, 0)) FILTER (WHERE o.status = 'paid'), 0)::bigint AS paid,
	coalesce(sum(p.captured_cents - p.refunded_cents) FILTER (WHERE p.status = 'refunding'), 0)::bigint AS owed,
	coalesce(sum(p.refunded_cents) FILTER (WHERE p.status NOT IN ('open', 'canceled')), 0)::bigint AS refunded,
	count(*) FILTER (WHERE o.status = 'paid') AS orders_paid
FROM orders o LEFT JOIN payments p ON p.order_id = o.id;

-- +goose Down
CREATE OR REPLACE VIEW money_audit AS
SELECT
	coalesce(sum(p.captured_cents), 0)::bigint AS captured,
	coalesce(sum(o.total_cents - coalesce(p.refunded_cents, 0)) FILTER (WHERE o.status = 'paid'), 0)::bigint AS paid,
	coalesce(sum(p.captured_cents - p.refunded_cents) FILTER (WHERE p.status = 'refunding'), 0)::bigint AS owed,
	coalesce(sum(p.refunded_cents) FILTER (WHERE p.status <> 'open'), 0)::bigint AS refunded,
	count(*) FILTER (WHERE o.status = 'paid') AS orders_paid
FROM orders o LEFT JOIN payments p ON p.order_id = o.id;
DROP TABLE returns;
DROP INDEX payments_to_check;
UPDATE payments SET status = 'open' WHERE status = 'canceled';
ALTER TABLE payments
	DROP COLUMN pending_cents, DROP COLUMN dispute, DROP COLUMN asked_at, DROP COLUMN check_at,
	DROP CONSTRAINT payments_status_check,
	DROP CONSTRAINT payments_captured_check,
	DROP CONSTRAINT payments_refunded_check,
	ADD CONSTRAINT payments_status_check CHECK (status IN ('open', 'captured', 'refunding', 'refunded')),
	ADD CONSTRAINT payments_check CHECK ((status = 'open') = (captured_cents = 0)),
	ADD CONSTRAINT payments_check1 CHECK (status = 'open' OR refunded_cents <= captured_cents);
