package postgres

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// Migrations are the migrations' files.
var Migrations = migrations

// SchemaVersion is the query by which an instance looks for the schema.
const SchemaVersion = schemaVersion

// OpenTraced is Open with a tracer on each connection.
func OpenTraced(ctx context.Context, c Config, tracer pgx.QueryTracer) (*DB, error) {
	pc, err := poolConfig(c)
	if err != nil {
		return nil, err
	}
	pc.ConnConfig.Tracer = tracer
	return openPool(ctx, c, pc)
}

// Fill has the pool make all the connections that it may have.
func (db *DB) Fill(ctx context.Context) error {
	for range db.pool.Config().MaxConns {
		conn, err := db.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
	}
	return nil
}

// Roots are the authorities that a connection with this URL trusts.
func Roots(u string) (*x509.CertPool, error) {
	pc, err := poolConfig(Config{URL: u})
	if err != nil {
		return nil, err
	}
	return pc.ConnConfig.TLSConfig.RootCAs, nil
}

// MigrateDown takes back the migrations after the given version.
func (db *DB) MigrateDown(ctx context.Context, version int64) error {
	sqlDB := stdlib.OpenDB(*db.pool.Config().ConnConfig)
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, sqlDB, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.DownTo(ctx, version)
	return errors.Join(err, sqlDB.Close())
}
