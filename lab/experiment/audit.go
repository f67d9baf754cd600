package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// auditLog gathers the checks of the invariants: some under load, and one at the end.
type auditLog struct {
	found []result.Invariant
	times int // checks made under load
}

// during checks the site once, after the delay, while a load is running. The function that it
// returns waits for that check.
func (a *auditLog) during(ctx context.Context, s *site, delay time.Duration) func() error {
	done := make(chan error, 1)
	var found []result.Invariant
	go func() {
		if !until(ctx, time.Now().Add(delay)) {
			done <- nil
			return
		}
		var err error
		found, err = s.audit(ctx)
		done <- err
	}()
	return func() error {
		if err := <-done; err != nil {
			return fmt.Errorf("check the invariants under load: %w", err)
		}
		a.times++
		a.note(found)
		return nil
	}
}

// note keeps the latest outcome of each invariant, but a violation for good.
func (a *auditLog) note(found []result.Invariant) {
	for _, inv := range found {
		known := false
		for i := range a.found {
			if a.found[i].Name == inv.Name {
				known = true
				if a.found[i].Status != result.InvariantViolated {
					a.found[i] = inv
				}
			}
		}
		if !known {
			a.found = append(a.found, inv)
		}
	}
}

// check is the last check, with the shoppers' own orders.
func (a *auditLog) check(ctx context.Context, s *site, crowd *load.Crowd) error {
	found, err := s.audit(ctx)
	if err != nil {
		return fmt.Errorf("check the invariants: %w", err)
	}
	orders, err := crowd.CheckOrders(ctx)
	if err != nil {
		return err
	}
	a.note(append(found, orders))
	for i := range a.found {
		if a.found[i].Status == result.InvariantHeld && a.found[i].Name != load.InvariantOrders {
			a.found[i].Detail += fmt.Sprintf("; checked %d times under load and once after", a.times)
		}
	}
	return nil
}

// violation is an error that wraps ErrInvariant when one was violated.
func (a *auditLog) violation() error {
	var errs []error
	for _, inv := range a.found {
		if inv.Status == result.InvariantViolated {
			errs = append(errs, fmt.Errorf("%w: %s: %s", ErrInvariant, inv.Rule, inv.Detail))
		}
	}
	return errors.Join(errs...)
}

// auditDatabase holds the books against each other in one statement each, which sees one moment.
func auditDatabase(ctx context.Context, url string) (found []result.Invariant, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var products, wrong, sold, held int64
	err = conn.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE put_in <> stock + held + sold),
		coalesce(sum(sold), 0)::bigint, coalesce(sum(held), 0)::bigint FROM stock_audit`).Scan(&products, &wrong, &sold, &held)
	if err != nil {
		return nil, fmt.Errorf("audit the stock: %w", err)
	}
	found = append(found, load.NewInvariant(load.InvariantStock, status(wrong == 0),
		fmt.Sprintf("%d products, %d off; %d pieces sold, %d held", products, wrong, sold, held)))
	var captured, paid, owed, refunded int64
	err = conn.QueryRow(ctx, `SELECT captured, paid, owed, refunded FROM money_audit`).Scan(&captured, &paid, &owed, &refunded)
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

// notAudited says why a remote shop's books could not be checked.
func notAudited(reason string) []result.Invariant {
	return []result.Invariant{
		load.NewInvariant(load.InvariantStock, result.InvariantNotChecked, reason),
		load.NewInvariant(load.InvariantMoney, result.InvariantNotChecked, reason),
	}
}
