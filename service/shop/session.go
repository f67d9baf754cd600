package shop

import (
	"context"
	"time"
)

// Session is a sign-in of a user. It lasts until ExpiresAt, unless it is ended before.
type Session struct {
	ID        string // nobody guesses it
	UserID    int64
	ExpiresAt time.Time
}

// Sessions stores who is signed in. A session ends with its account.
type Sessions interface {
	// StartSession stores a new session; CodeNotFound if there is no such user.
	StartSession(ctx context.Context, s Session) error
	// Session returns the session; CodeNotFound if it was never started here, was ended or has expired.
	Session(ctx context.Context, id string) (Session, error)
	// EndSession ends the session. One that is not there is no error.
	EndSession(ctx context.Context, id string) error
	// EndSessions ends all of the user's sessions.
	EndSessions(ctx context.Context, userID int64) error
}
