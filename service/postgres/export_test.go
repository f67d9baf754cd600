package postgres

import (
	"context"
	"crypto/x509"

	"github.com/jackc/pgx/v5"
)

// Migrations are the migrations' files.
var Migrations = migrations

// OpenTraced is Open with a tracer on each connection.
func OpenTraced(ctx context.Context, c Config, tracer pgx.QueryTracer) (*DB, error) {
	pc, err := poolConfig(c)
	if err != nil {
		return nil, err
	}
	pc.ConnConfig.Tracer = tracer
	return openPool(ctx, c, pc)
}

// Roots are the authorities that a connection with this URL trusts.
func Roots(u string) (*x509.CertPool, error) {
	pc, err := poolConfig(Config{URL: u})
	if err != nil {
		return nil, err
	}
	return pc.ConnConfig.TLSConfig.RootCAs, nil
}
