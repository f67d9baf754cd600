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

-- +goose Down
DROP TABLE sessions;
