// Package shoptest holds an in-memory shop for tests, and the contract suites that it and every real
// adapter pass.
package shoptest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"shoplab/service/shop"
)

// Store keeps a shop in memory: it is a shop.Catalog, Accounts, Sessions, Carts, Orders and Payments.
// It is safe for concurrent use.
type Store struct {
	mu       sync.Mutex
	now      func() time.Time
	err      error
	lastID   int64
	products map[int64]*product
	users    map[int64]shop.User
	sessions map[string]shop.Session
	carts    map[shop.Owner][]line
	orders   map[int64]*order
	payments map[int64]*payment      // by order
	returns  map[int64][]shop.Return // by order
	events   map[string]bool
}

type product struct {
	shop.Product
	putIn    int
	archived bool
}

var _ interface {
	shop.Catalog
	shop.Accounts
	shop.Sessions
	shop.Carts
	shop.Orders
	shop.Payments
} = (*Store)(nil)

// NewStore returns an empty store whose clock is time.Now.
func NewStore() *Store {
	return &Store{
		now:      time.Now,
		products: map[int64]*product{},
		users:    map[int64]shop.User{},
		sessions: map[string]shop.Session{},
		carts:    map[shop.Owner][]line{},
		orders:   map[int64]*order{},
		payments: map[int64]*payment{},
		returns:  map[int64][]shop.Return{},
		events:   map[string]bool{},
	}
}

// SetClock makes the store take the time from now.
func (s *Store) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// SetError makes every method of the shop's interfaces fail with err, until it is set to nil.
func (s *Store) SetError(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// lock takes the lock and returns how to give it back, and the error that SetError asked for.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	s.mu.Lock()
	if s.err != nil {
		return s.mu.Unlock, s.err
	}
	return s.mu.Unlock, ctx.Err()
}

func (s *Store) nextID() int64 {
	s.lastID++
	return s.lastID
}

// clock returns the time as PostgreSQL keeps it: UTC, to the microsecond.
func (s *Store) clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// PutProduct stores p: as a new product if its ID is 0, else in place of the one with this ID, its
// stock included; CodeNotFound if there is none. An unset CreatedAt of a new product is now.
func (s *Store) PutProduct(_ context.Context, p shop.Product) (shop.Product, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.ID == 0 {
		p.ID = s.nextID()
		if p.CreatedAt.IsZero() {
			p.CreatedAt = s.clock()
		}
		p.CreatedAt = p.CreatedAt.UTC().Truncate(time.Microsecond)
		s.products[p.ID] = &product{Product: p, putIn: p.Stock}
		return p, nil
	}
	old, ok := s.products[p.ID]
	if !ok {
		return shop.Product{}, errNotFound("product")
	}
	p.CreatedAt = old.CreatedAt
	s.products[p.ID] = &product{Product: p, putIn: old.putIn + p.Stock - old.Stock, archived: old.archived}
	return p, nil
}

// ArchiveProduct takes a product out of the shop; CodeNotFound if there is none.
func (s *Store) ArchiveProduct(_ context.Context, id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.products[id]
	if !ok {
		return errNotFound("product")
	}
	p.archived = true
	return nil
}

func errNotFound(what string) error {
	return shop.Errorf(shop.CodeNotFound, "There is no such %s.", what)
}

// CreateUser implements shop.Accounts.
func (s *Store) CreateUser(ctx context.Context, u shop.User) (shop.User, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.User{}, err
	}
	for _, other := range s.users {
		if other.Email == u.Email {
			return shop.User{}, shop.Errorf(shop.CodeEmailTaken, "This email address has an account.")
		}
	}
	u.ID, u.CreatedAt = s.nextID(), s.clock()
	s.users[u.ID] = u
	return u, nil
}

// RemoveUser removes an account, as an operator does, and ends its sessions.
func (s *Store) RemoveUser(_ context.Context, id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, id)
	s.endSessions(id)
	return nil
}

// UserByEmail implements shop.Accounts.
func (s *Store) UserByEmail(ctx context.Context, email string) (shop.User, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.User{}, err
	}
	for _, u := range s.users {
		if u.Email == email {
			return u, nil
		}
	}
	return shop.User{}, errNotFound("account")
}

// User implements shop.Accounts.
func (s *Store) User(ctx context.Context, id int64) (shop.User, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.User{}, err
	}
	u, ok := s.users[id]
	if !ok {
		return shop.User{}, errNotFound("account")
	}
	return u, nil
}

// SetPasswordHash implements shop.Accounts.
func (s *Store) SetPasswordHash(ctx context.Context, id int64, old, hash string) error {
	unlock, err := s.lock(ctx)
	defer unlock()
	if u, ok := s.users[id]; err == nil && ok && u.PasswordHash == old {
		u.PasswordHash = hash
		s.users[id] = u
	}
	return err
}

// Product implements shop.Catalog.
func (s *Store) Product(ctx context.Context, id int64) (shop.Product, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Product{}, err
	}
	p, ok := s.products[id]
	if !ok || p.archived {
		return shop.Product{}, errNotFound("product")
	}
	return p.Product, nil
}

// Categories implements shop.Catalog.
func (s *Store) Categories(ctx context.Context) ([]shop.Category, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, p := range s.products {
		if !p.archived {
			counts[p.Category]++
		}
	}
	categories := make([]shop.Category, 0, len(counts))
	for name, n := range counts {
		categories = append(categories, shop.Category{Name: name, Count: n})
	}
	slices.SortFunc(categories, func(a, b shop.Category) int { return strings.Compare(a.Name, b.Name) })
	return categories, nil
}
