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
	claimedUntil time.Time
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
	if s.orders[p.OrderID] == nil {
		return shop.Payment{}, errNotFound("order")
	}
	if had, ok := s.payments[p.OrderID]; ok {
		return had.Payment, nil
	}
	p.Status, p.CapturedCents, p.RefundedCents = shop.PaymentOpen, 0, 0
	s.payments[p.OrderID] = &payment{Payment: p}
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
		return shop.OutcomeIgnored, nil
	}
	if s.events[e.ID] {
		return shop.OutcomeDuplicate, nil
	}
	s.events[e.ID] = true
	o := s.orders[p.OrderID]
	d := shop.Decide(o.Order, p.Payment, e)
	o.Status = d.Order
	p.Status, p.CapturedCents, p.RefundedCents = d.Payment, d.CapturedCents, d.RefundedCents
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
		if p.Status == shop.PaymentRefunding && !p.claimedUntil.After(now) {
			due = append(due, p)
		}
	}
	slices.SortFunc(due, func(a, b *payment) int { return cmp.Compare(a.OrderID, b.OrderID) })
	var refunds []shop.Refund
	for _, p := range due[:min(limit, len(due))] {
		p.claimedUntil = now.Add(lease)
		refunds = append(refunds, shop.Refund{IntentID: p.IntentID, OrderID: p.OrderID, AmountCents: p.OwedCents()})
	}
	return refunds, nil
}

// SettleRefund implements shop.Payments.
func (s *Store) SettleRefund(ctx context.Context, intentID string) error {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return err
	}
	if p := s.byIntent(intentID); p != nil && p.Status == shop.PaymentRefunding {
		p.Status, p.RefundedCents = shop.PaymentRefunded, p.CapturedCents
	}
	return nil
}
