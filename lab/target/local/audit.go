package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// auditDatabase holds the books against each other in one statement each, which sees one moment.
func auditDatabase(ctx context.Context, url string) (found []result.Invariant, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var products, wrong, sold, held int64
	err = conn.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE put_in <> stock + held + sold),
		coalesce(sum(sold), 0)::bigint, coalesce(sum(held), 0)::bigint FROM stock_audit`).Scan(&products, &wrong, &sold,
		&held)
	if err != nil {
		return nil, fmt.Errorf("audit the stock: %w", err)
	}
	found = append(found, load.NewInvariant(load.InvariantStock, status(wrong == 0),
		fmt.Sprintf("%d products, %d off; %d pieces sold, %d held", products, wrong, sold, held)))
	var captured, paid, owed, refunded int64
	err = conn.QueryRow(ctx, `SELECT captured, paid, owed, refunded FROM money_audit`).Scan(&captured, &paid, &owed,
		&refunded)
	if err != nil {
		return nil, fmt.Errorf("audit the money: %w", err)
	}
	return append(found, load.NewInvariant(load.InvariantMoney, status(captured == paid+owed+refunded),
		fmt.Sprintf("%d cents captured, %d of orders paid, %d owed back, %d refunded", captured, paid, owed, refunded))), nil
}

func status(held bool) result.InvariantStatus {
	if held {
		return result.InvariantHeld
	}
	return result.InvariantViolated
}
