package postgres

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// roundTrips counts how often the database is asked and waited for: each statement, that begin and end transactions
// included, and each batch of statements once. What pgx asks to prepare a statement, once a connection, is not in it.
type roundTrips struct{ n atomic.Int64 }

var _ interface {
	pgx.QueryTracer
	pgx.BatchTracer
} = (*roundTrips)(nil)

// TraceQueryStart counts a statement.
func (t *roundTrips) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	t.n.Add(1)
	return ctx
}

// TraceBatchStart counts a batch.
func (t *roundTrips) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	t.n.Add(1)
	return ctx
}

// TraceQueryEnd counts nothing: it completes pgx.QueryTracer.
func (*roundTrips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchQuery counts nothing, as its batch is counted.
func (*roundTrips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd counts nothing: it completes pgx.BatchTracer.
func (*roundTrips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
