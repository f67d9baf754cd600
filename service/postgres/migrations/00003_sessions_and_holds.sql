-- +goose Up

-- Who is signed in. A token names its session, so that it is good only where that is stored: not once the
-- session was ended or its account removed, nor in a database that was restored from before it.
CREATE TABLE sessions (
	id         text PRIMARY KEY,
	user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_expired ON sessions (expires_at);

-- What an operator no longer sells: not listed, and not to be ordered.
ALTER TABLE products ADD COLUMN archived_at timestamptz;

-- The seeds that this database has had. Each is sown once, so that what was removed since stays away.
CREATE TABLE seeds (
	name    text PRIMARY KEY,
	sown_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO seeds (name) SELECT 'products' WHERE EXISTS (SELECT FROM products);

-- Where a pending order came from, as rate limits count it: what its network holds is bounded, as is what
-- its user does. It is forgotten when the order ends.
ALTER TABLE orders ADD COLUMN network text;
CREATE INDEX orders_pending_of_user ON orders (user_id) WHERE status = 'pending';
CREATE INDEX orders_pending_of_network ON orders (network) WHERE status = 'pending';

-- +goose Down
DROP INDEX orders_pending_of_user, orders_pending_of_network;
ALTER TABLE orders DROP COLUMN network;
DROP TABLE sessions, seeds;
ALTER TABLE products DROP COLUMN archived_at;
