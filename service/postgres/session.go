package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/service/shop"
)

// StartSession implements shop.Sessions.
func (db *DB) StartSession(ctx context.Context, s shop.Session) error {
	err := db.exec(ctx, "start session", "INSERT INTO sessions (id, user_id, expires_at) VALUES ($1, $2, $3)", s.ID,
		s.UserID, s.ExpiresAt)
	if isCode(err, "23503") { // foreign_key_violation
		return notFound("account")
	}
	return err
}

// Session implements shop.Sessions.
func (db *DB) Session(ctx context.Context, id string) (s shop.Session, err error) {
	err = db.do(ctx, "find session", func(conn *pgxpool.Conn) error {
		err := conn.QueryRow(ctx, "SELECT id, user_id, expires_at FROM sessions WHERE id = $1 AND expires_at > now()", id).
			Scan(&s.ID, &s.UserID, &s.ExpiresAt)
		s.ExpiresAt = s.ExpiresAt.UTC()
		if errors.Is(err, pgx.ErrNoRows) {
			return notFound("session")
		}
		return err
	})
	return s, err
}

// EndSession implements shop.Sessions.
func (db *DB) EndSession(ctx context.Context, id string) error {
	return db.exec(ctx, "end session", "DELETE FROM sessions WHERE id = $1", id)
}

// EndSessions implements shop.Sessions.
func (db *DB) EndSessions(ctx context.Context, userID int64) error {
	return db.exec(ctx, "end sessions", "DELETE FROM sessions WHERE user_id = $1", userID)
}

// DropSessions forgets the sessions that had expired by the given time, up to limit of them, and returns how
// many. Safe with many instances at once.
func (db *DB) DropSessions(ctx context.Context, before time.Time, limit int) (dropped int, err error) {
	return db.drop(ctx, "drop sessions", `
		DELETE FROM sessions WHERE id IN (
			SELECT id FROM sessions WHERE expires_at <= $1
			ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
		)`, before, limit)
}
