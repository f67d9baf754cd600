package shoptest

import (
	"fmt"
	"sync"
	"testing"

	"shoplab/service/shop"
)

// TestAccounts holds a shop.Accounts to its contract.
func TestAccounts(t *testing.T, newStore func(*testing.T) Backend) {
	t.Run("create and find", func(t *testing.T) {
		s := newSuite(t, newStore)
		u := s.user("ada@example.com")
		if u.ID == 0 || u.Email != "ada@example.com" || u.PasswordHash != "hash" || u.CreatedAt.IsZero() {
			t.Fatalf("created %+v", u)
		}
		byEmail, err := s.UserByEmail(t.Context(), "ada@example.com")
		s.must(err)
		byID, err := s.User(t.Context(), u.ID)
		s.must(err)
		if byEmail != u || byID != u {
			t.Fatalf("got %+v and %+v, want %+v", byEmail, byID, u)
		}
		_, err = s.UserByEmail(t.Context(), "eve@example.com")
		wantCode(t, err, shop.CodeNotFound)
		_, err = s.User(t.Context(), u.ID+1000)
		wantCode(t, err, shop.CodeNotFound)
	})
	t.Run("set password hash", func(t *testing.T) {
		s := newSuite(t, newStore)
		u, other := s.user("ada@example.com"), s.user("eve@example.com")
		for _, step := range []struct {
			id              int64
			old, hash, want string
		}{
			{u.ID, "hash", "better", "better"},
			{u.ID, "hash", "late", "better"}, // somebody else was first
			{u.ID + 1000, "better", "nobody's", "better"},
		} {
			s.must(s.SetPasswordHash(t.Context(), step.id, step.old, step.hash))
			got, err := s.User(t.Context(), u.ID)
			s.must(err)
			if got.PasswordHash != step.want {
				t.Fatalf("hash is %q, want %q", got.PasswordHash, step.want)
			}
		}
		got, err := s.User(t.Context(), other.ID)
		s.must(err)
		if got != other {
			t.Fatalf("another account became %+v", got)
		}
	})
	t.Run("email once", func(t *testing.T) {
		s := newSuite(t, newStore)
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = s.CreateUser(t.Context(), shop.User{Email: "ada@example.com", FirstName: fmt.Sprint(i)})
			})
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			wantCode(t, err, shop.CodeEmailTaken)
		}
		if made != 1 {
			t.Fatalf("%d accounts with one email", made)
		}
	})
}
