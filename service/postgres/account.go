package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shoplab/service/shop"
)

const userColumns = "id, email, first_name, last_name, password_hash, created_at"

// CreateUser implements shop.Accounts.
func (db *DB) CreateUser(ctx context.Context, u shop.User) (shop.User, error) {
	return db.user(ctx, "create user", `
		INSERT INTO users (email, first_name, last_name, password_hash) VALUES ($1, $2, $3, $4)
		RETURNING `+userColumns, u.Email, u.FirstName, u.LastName, u.PasswordHash)
}

// UserByEmail implements shop.Accounts.
func (db *DB) UserByEmail(ctx context.Context, email string) (shop.User, error) {
	return db.user(ctx, "find user by email", "SELECT "+userColumns+" FROM users WHERE email = $1", email)
}

// User implements shop.Accounts.
func (db *DB) User(ctx context.Context, id int64) (shop.User, error) {
	return db.user(ctx, "find user", "SELECT "+userColumns+" FROM users WHERE id = $1", id)
}

// SetPasswordHash implements shop.Accounts.
func (db *DB) SetPasswordHash(ctx context.Context, id int64, old, hash string) error {
	return db.exec(ctx, "set password hash", "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
		id, old, hash)
}

func (db *DB) user(ctx context.Context, what, query string, args ...any) (u shop.User, err error) {
	err = db.do(ctx, what, func(conn *pgxpool.Conn) error {
		err := conn.QueryRow(ctx, query, args...).
			Scan(&u.ID, &u.Email, &u.FirstName, &u.LastName, &u.PasswordHash, &u.CreatedAt)
		u.CreatedAt = u.CreatedAt.UTC()
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return notFound("account")
		case isCode(err, "23505"): // unique_violation
			return shop.Errorf(shop.CodeEmailTaken, "This email address has an account.")
		}
		return err
	})
	return u, err
}
