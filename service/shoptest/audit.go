package shoptest

import (
	"cmp"
	"context"
	"slices"

	"shoplab/service/shop"
)

// StockAudit is where a product's pieces are. PutIn = Stock + Held + Sold at every moment.
type StockAudit struct {
	ProductID                int64
	PutIn, Stock, Held, Sold int
}

// MoneyAudit is where the shoppers' money is, in cents. Captured = Paid + Owed + Refunded at every
// moment. Paid is the total of the paid orders less what was refunded of them in part.
type MoneyAudit struct {
	Captured, Paid, Owed, Refunded int64
}

// StockAudit returns the books of all products, by id.
func (s *Store) StockAudit(context.Context) ([]StockAudit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	books := map[int64]*StockAudit{}
	var audit []StockAudit
	for id, p := range s.products {
		books[id] = &StockAudit{ProductID: id, PutIn: p.putIn, Stock: p.Stock}
	}
	for _, o := range s.orders {
		for _, i := range o.Items {
			if o.Status.HoldsStock() {
				books[i.ProductID].Held += i.Quantity
			}
			if o.Status.Sold() {
				books[i.ProductID].Sold += i.Quantity
			}
		}
	}
	for _, b := range books {
		audit = append(audit, *b)
	}
	slices.SortFunc(audit, func(a, b StockAudit) int { return cmp.Compare(a.ProductID, b.ProductID) })
	return audit, nil
}

// MoneyAudit returns the books of all payments. What was noted of a refund before its capture is
// not in them.
func (s *Store) MoneyAudit(context.Context) (MoneyAudit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var a MoneyAudit
	for id, p := range s.payments {
		if p.Status.HasMoney() {
			a.Captured += p.CapturedCents
			a.Refunded += p.RefundedCents
			a.Owed += p.OwedCents()
		}
		if o := s.orders[id]; o.Status == shop.OrderPaid {
			a.Paid += o.TotalCents - p.RefundedCents
		}
	}
	return a, nil
}
