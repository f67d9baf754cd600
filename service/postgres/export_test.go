package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// OpenTraced is Open with a tracer on each connection.
func OpenTraced(ctx context.Context, c Config, tracer pgx.QueryTracer) (*DB, error) {
	pc, err := poolConfig(c)
	if err != nil {
		return nil, err
	}
	pc.ConnConfig.Tracer = tracer
	return openPool(ctx, c, pc)
}
