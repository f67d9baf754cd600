package shoptest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"shoplab/service/shop"
)

type payment struct {
	shop.Payment
	createdAt, claimedUntil, askedAt, checkAt time.Time
}

// Payment implements shop.Payments.
func (s *Store) Payment(ctx context.Context, orderID int64) (shop.Payment, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Payment{}, err
	}
	p, ok := s.payments[orderID]
	if !ok {
		return shop.Payment{}, errNotFound("payment")
	}
	return p.Payment, nil
}

// SavePayment implements shop.Payments.
func (s *Store) SavePayment(ctx context.Context, p shop.Payment) (shop.Payment, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Payment{}, err
	}
	o := s.orders[p.OrderID]
	if o == nil {
		return shop.Payment{}, errNotFound("order")
	}
	if had, ok := s.payments[p.OrderID]; ok {
		return had.Payment, nil
	}
	p.Status, p.CapturedCents, p.RefundedCents = shop.PaymentOpen, 0, 0
	now := s.clock()
	s.payments[p.OrderID] = &payment{
		Payment: p, createdAt: now, askedAt: now, checkAt: earlier(now.Add(shop.FirstCheck), o.ExpiresAt),
	}
	return p, nil
}

// ApplyEvent implements shop.Payments.
func (s *Store) ApplyEvent(ctx context.Context, e shop.Event) (shop.Outcome, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return "", err
	}
	p := s.byIntent(e.IntentID)
	if p == nil {
		return shop.OutcomeUnknown, nil
	}
	if s.events[e.ID] {
		return shop.OutcomeDuplicate, nil
	}
	s.events[e.ID] = true
	o := s.orders[p.OrderID]
	d := shop.Decide(o.Order, p.Payment, e, s.returns[o.ID])
	if d.Payment != p.Status || d.PendingCents != p.PendingCents {
		p.checkAt = s.clock().Add(time.Hour)
	}
	o.Status = d.Order
	p.Status, p.CapturedCents, p.RefundedCents = d.Payment, d.CapturedCents, d.RefundedCents
	p.PendingCents, p.Dispute = d.PendingCents, d.Dispute
	if r := d.Return; r.ID != "" {
		known := slices.DeleteFunc(s.returns[o.ID], func(k shop.Return) bool { return k.ID == r.ID })
		s.returns[o.ID] = append(known, r)
	}
	return d.Outcome, nil
}

func (s *Store) byIntent(id string) *payment {
	for _, p := range s.payments {
		if p.IntentID == id {
			return p
		}
	}
	return nil
}

// DueRefunds implements shop.Payments.
func (s *Store) DueRefunds(ctx context.Context, limit int, lease time.Duration) ([]shop.Refund, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return nil, err
	}
	now := s.clock()
	var due []*payment
	for _, p := range s.payments {
		if p.DueCents() > 0 && !p.claimedUntil.After(now) {
			due = append(due, p)
		}
	}
	slices.SortFunc(due, func(a, b *payment) int { return cmp.Compare(a.OrderID, b.OrderID) })
	var refunds []shop.Refund
	for _, p := range due[:min(limit, len(due))] {
		failed := 0
		for _, r := range s.returns[p.OrderID] {
			if r.Status == shop.ReturnFailed {
				failed++
			}
		}
		p.claimedUntil = now.Add(lease << min(failed, 10))
		refunds = append(refunds, shop.Refund{
			IntentID: p.IntentID, OrderID: p.OrderID, AmountCents: p.DueCents(), Attempt: failed,
		})
	}
	return refunds, nil
}

// DueChecks implements shop.Payments.
func (s *Store) DueChecks(ctx context.Context, limit int) ([]shop.Check, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return nil, err
	}
	now := s.clock()
	var due []*payment
	for _, p := range s.payments {
		if p.Status != shop.PaymentCanceled && !p.checkAt.After(now) {
			due = append(due, p)
		}
	}
	slices.SortFunc(due, func(a, b *payment) int { return a.checkAt.Compare(b.checkAt) })
	var checks []shop.Check
	for _, p := range due[:min(limit, len(due))] {
		o := s.orders[p.OrderID]
		expired := o.Status != shop.OrderPending || !o.ExpiresAt.After(now)
		age := now.Sub(p.createdAt)
		p.askedAt, p.checkAt = now, now.Add(max(time.Hour, age))
		if p.Status == shop.PaymentOpen || p.PendingCents > 0 {
			p.checkAt = now.Add(max(shop.FirstCheck, min(24*time.Hour, age/2)))
		}
		if !expired {
			p.checkAt = earlier(p.checkAt, o.ExpiresAt)
		}
		checks = append(checks, shop.Check{
			IntentID: p.IntentID, OrderID: p.OrderID, Over: p.Status == shop.PaymentOpen && expired,
		})
	}
	return checks, nil
}

// CheckSoon implements shop.Payments.
func (s *Store) CheckSoon(ctx context.Context, orderID int64, wait time.Duration) (bool, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return false, err
	}
	p, ok := s.payments[orderID]
	if !ok || p.Status == shop.PaymentCanceled {
		return false, nil
	}
	p.checkAt = earlier(p.checkAt, p.askedAt.Add(wait))
	return !p.checkAt.After(s.clock()), nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
