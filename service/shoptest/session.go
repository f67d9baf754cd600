package shoptest

import (
	"context"
	"maps"
	"time"

	"shoplab/service/shop"
)

// StartSession implements shop.Sessions.
func (s *Store) StartSession(ctx context.Context, session shop.Session) error {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return err
	}
	if _, ok := s.users[session.UserID]; !ok {
		return errNotFound("account")
	}
	session.ExpiresAt = session.ExpiresAt.UTC().Truncate(time.Microsecond)
	s.sessions[session.ID] = session
	return nil
}

// Session implements shop.Sessions.
func (s *Store) Session(ctx context.Context, id string) (shop.Session, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Session{}, err
	}
	session, ok := s.sessions[id]
	if !ok || !session.ExpiresAt.After(s.clock()) {
		return shop.Session{}, errNotFound("session")
	}
	return session, nil
}

// EndSession implements shop.Sessions.
func (s *Store) EndSession(ctx context.Context, id string) error {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err == nil {
		delete(s.sessions, id)
	}
	return err
}

// EndSessions implements shop.Sessions.
func (s *Store) EndSessions(ctx context.Context, userID int64) error {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err == nil {
		s.endSessions(userID)
	}
	return err
}

func (s *Store) endSessions(userID int64) {
	maps.DeleteFunc(s.sessions, func(_ string, session shop.Session) bool { return session.UserID == userID })
}
