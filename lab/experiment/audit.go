package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
	"shoplab/lab/watch"
)

// auditLog gathers the checks of the invariants: some under load, and one at the end.
type auditLog struct {
	found []result.Invariant
	times int // checks made under load
}

// during checks the site once, after the delay, while a load is running. The function that it
// returns waits for that check.
func (a *auditLog) during(ctx context.Context, s target.Site, delay time.Duration) func() error {
	done := make(chan error, 1)
	var found []result.Invariant
	go func() {
		if !watch.Until(ctx, time.Now().Add(delay)) {
			done <- nil
			return
		}
		var err error
		found, err = auditSite(ctx, s)
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
func (a *auditLog) check(ctx context.Context, s target.Site, crowd load.Generator) error {
	found, err := auditSite(ctx, s)
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

// auditSite checks what can be checked from here.
func auditSite(ctx context.Context, s target.Site) ([]result.Invariant, error) {
	if a, ok := s.(target.Auditor); ok {
		return a.Audit(ctx)
	}
	return notAudited("the database is in a private subnet"), nil
}

// notAudited says why a remote shop's books could not be checked.
func notAudited(reason string) []result.Invariant {
	return []result.Invariant{
		load.NewInvariant(load.InvariantStock, result.InvariantNotChecked, reason),
		load.NewInvariant(load.InvariantMoney, result.InvariantNotChecked, reason),
	}
}
