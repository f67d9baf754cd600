package shoptest

import (
	"context"
	"fmt"
	"testing"

	"shoplab/service/shop"
)

// Backend is what a contract suite needs of a store: the shop's interfaces, a way to put products
// in, and the books.
type Backend interface {
	shop.Catalog
	shop.Accounts
	shop.Sessions
	shop.Carts
	shop.Orders
	shop.Payments
	// PutProduct stores a new product if p.ID is 0, else changes the one with this ID.
	PutProduct(ctx context.Context, p shop.Product) (shop.Product, error)
	// ArchiveProduct takes a product out of the shop; CodeNotFound if there is none.
	ArchiveProduct(ctx context.Context, id int64) error
	// RemoveUser removes an account that has ordered nothing.
	RemoveUser(ctx context.Context, id int64) error
	StockAudit(ctx context.Context) ([]StockAudit, error)
	MoneyAudit(ctx context.Context) (MoneyAudit, error)
}

// suite is what the contract suites share: an empty store, and steps that must not fail.
type suite struct {
	Backend
	t *testing.T
}

func newSuite(t *testing.T, newStore func(*testing.T) Backend) suite {
	t.Helper()
	return suite{newStore(t), t}
}

func (s suite) ctx() context.Context { return s.t.Context() }

// must fails the test at once if err is not nil.
func (s suite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("unexpected error: %v", err)
	}
}

// wantCode fails the test unless err has the code.
func wantCode(t *testing.T, err error, code shop.Code) {
	t.Helper()
	if got := shop.CodeOf(err); got != code {
		t.Fatalf("error is %q (%v), want code %q", got, err, code)
	}
}

func (s suite) product(name string, cents int64, stock int) shop.Product {
	s.t.Helper()
	p, err := s.PutProduct(s.ctx(), shop.Product{
		Name: name, Description: "A thing called " + name + ".", Category: "Things",
		PriceCents: cents, Stock: stock, ImageURL: "/images/products/thing.svg",
	})
	s.must(err)
	return p
}

func (s suite) user(email string) shop.User {
	s.t.Helper()
	u, err := s.CreateUser(s.ctx(), shop.User{Email: email, FirstName: "Ada", LastName: "Lovelace", PasswordHash: "hash"})
	s.must(err)
	return u
}

// users makes n users.
func (s suite) users(n int) []shop.User {
	s.t.Helper()
	users := make([]shop.User, n)
	for i := range users {
		users[i] = s.user(fmt.Sprintf("user%d@example.com", i))
	}
	return users
}

func (s suite) add(u shop.User, p shop.Product, quantity int) {
	s.t.Helper()
	_, err := s.AddItem(s.ctx(), shop.Owner{UserID: u.ID}, p.ID, quantity)
	s.must(err)
}

// wantStock holds the books of all products and compares one of them.
func (s suite) wantStock(p shop.Product, stock, held, sold int) {
	s.t.Helper()
	for _, a := range s.stock() {
		if a.ProductID == p.ID && (a.Stock != stock || a.Held != held || a.Sold != sold) {
			s.t.Fatalf("stock, held, sold of %s are %d, %d, %d, want %d, %d, %d", p.Name, a.Stock, a.Held, a.Sold, stock, held,
				sold)
		}
	}
}

// stock returns the books of all products, which must balance.
func (s suite) stock() []StockAudit {
	s.t.Helper()
	audit, err := s.StockAudit(s.ctx())
	s.must(err)
	if len(audit) == 0 {
		s.t.Fatal("no products in the books")
	}
	for _, a := range audit {
		if a.PutIn != a.Stock+a.Held+a.Sold || a.Stock < 0 {
			s.t.Fatalf("the stock's books do not balance: %+v", a)
		}
	}
	return audit
}

// wantMoney holds the books of all payments and compares them.
func (s suite) wantMoney(want MoneyAudit) {
	s.t.Helper()
	got, err := s.MoneyAudit(s.ctx())
	s.must(err)
	if got.Captured != got.Paid+got.Owed+got.Refunded {
		s.t.Fatalf("the money's books do not balance: %+v", got)
	}
	if got != want {
		s.t.Fatalf("money is %+v, want %+v", got, want)
	}
}
