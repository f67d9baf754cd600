package shoptest

import (
	"fmt"
	"testing"
	"time"

	"shoplab/service/shop"
)

// TestSessions holds a shop.Sessions to its contract.
func TestSessions(t *testing.T, newStore func(*testing.T) Backend) {
	for name, test := range map[string]func(*testing.T, suite){
		"start and end":         testSessionEnds,
		"expire":                testSessionExpires,
		"end with the account":  testSessionOfNobody,
		"all of a user's ended": testSessionsEnd,
	} {
		t.Run(name, func(t *testing.T) { test(t, newSuite(t, newStore)) })
	}
}

// session starts a session of u.
func (s suite) session(u shop.User, id string, ttl time.Duration) shop.Session {
	s.t.Helper()
	session := shop.Session{ID: id, UserID: u.ID, ExpiresAt: time.Now().Add(ttl).UTC().Truncate(time.Microsecond)}
	s.must(s.StartSession(s.ctx(), session))
	return session
}

func (s suite) wantSession(want shop.Session, there bool) {
	s.t.Helper()
	got, err := s.Session(s.ctx(), want.ID)
	if !there {
		wantCode(s.t, err, shop.CodeNotFound)
		return
	}
	s.must(err)
	if got != want {
		s.t.Fatalf("session is %+v, want %+v", got, want)
	}
}

func testSessionEnds(t *testing.T, s suite) {
	u := s.user("ada@example.com")
	first, second := s.session(u, "first", time.Hour), s.session(u, "second", time.Hour)
	s.wantSession(first, true)
	for range 2 { // ending what is over is no error
		s.must(s.EndSession(t.Context(), first.ID))
		s.wantSession(first, false)
	}
	s.wantSession(second, true)
	s.wantSession(shop.Session{ID: "never started"}, false)
}

func testSessionExpires(_ *testing.T, s suite) {
	u := s.user("ada@example.com")
	s.wantSession(s.session(u, "over", -time.Second), false)
	s.wantSession(s.session(u, "on", time.Minute), true)
}

func testSessionOfNobody(t *testing.T, s suite) {
	u, other := s.user("ada@example.com"), s.user("eve@example.com")
	gone, stays := s.session(u, "gone", time.Hour), s.session(other, "stays", time.Hour)
	s.must(s.RemoveUser(t.Context(), u.ID))
	s.wantSession(gone, false)
	s.wantSession(stays, true)
	wantCode(t, s.StartSession(t.Context(), shop.Session{ID: "late", UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour)}),
		shop.CodeNotFound)
}

func testSessionsEnd(t *testing.T, s suite) {
	u, other := s.user("ada@example.com"), s.user("eve@example.com")
	var ended []shop.Session
	for i := range 3 {
		ended = append(ended, s.session(u, fmt.Sprint("u", i), time.Hour))
	}
	stays := s.session(other, "stays", time.Hour)
	s.must(s.EndSessions(t.Context(), u.ID))
	s.must(s.EndSessions(t.Context(), u.ID+1000))
	for _, session := range ended {
		s.wantSession(session, false)
	}
	s.wantSession(stays, true)
	s.wantSession(s.session(u, "anew", time.Hour), true)
}
