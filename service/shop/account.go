// Package shop is the domain: products, accounts, carts, orders and payments, the rules that hold for
// them, and what their stores must do. It knows neither HTTP nor SQL.
package shop

import (
	"context"
	"time"
)

// User is an account. Email is stored trimmed and in lower case.
type User struct {
	ID           int64
	Email        string
	FirstName    string
	LastName     string
	PasswordHash string
	CreatedAt    time.Time
}

// Accounts stores users.
type Accounts interface {
	// CreateUser stores u and returns it with its id; CodeEmailTaken if the email is in use.
	CreateUser(ctx context.Context, u User) (User, error)
	// UserByEmail returns the user or CodeNotFound.
	UserByEmail(ctx context.Context, email string) (User, error)
	// User returns the user or CodeNotFound.
	User(ctx context.Context, id int64) (User, error)
	// SetPasswordHash stores hash in place of old. If the user is gone or has another hash by now, nothing
	// happens, and that is no error.
	SetPasswordHash(ctx context.Context, id int64, old, hash string) error
}
