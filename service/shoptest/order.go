package shoptest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"shoplab/service/shop"
)

type order struct {
	shop.Order
	key     string
	network string
}

// copied returns the order as it is shown, which shares nothing with the store.
func (s *Store) copied(o *order) shop.Order {
	out := o.Order
	out.Items = slices.Clone(o.Items)
	if p, ok := s.payments[o.ID]; ok {
		out.RefundedCents, out.Dispute = p.RefundedCents, p.Dispute
	}
	return out
}

// PlaceOrder implements shop.Orders.
func (s *Store) PlaceOrder(ctx context.Context, r shop.OrderRequest) (shop.Order, bool, error) {
	if err := shop.ValidateIdempotencyKey(r.Key); err != nil {
		return shop.Order{}, false, err
	}
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Order{}, false, err
	}
	owner := shop.Owner{UserID: r.UserID}
	lines := slices.Clone(s.carts[owner])
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.productID, b.productID) })
	now := s.clock()
	o := shop.Order{
		UserID: r.UserID, Status: shop.OrderPending, CreatedAt: now, ExpiresAt: now.Add(r.TTL).Truncate(time.Microsecond),
	}
	var stock []int
	for _, l := range lines {
		p := s.products[l.productID]
		item := shop.OrderItem{
			ProductID: p.ID, Name: p.Name, ImageURL: p.ImageURL, Quantity: l.quantity, UnitPriceCents: p.PriceCents,
		}
		o.Items, stock = append(o.Items, item), append(stock, p.Stock)
		if p.archived {
			stock[len(stock)-1] = 0
		}
	}
	for _, placed := range s.orders {
		if placed.UserID == r.UserID && placed.key == r.Key {
			if !r.Repeats(placed.Order, o.Items) {
				return shop.Order{}, false, shop.ErrKeyReused()
			}
			return s.copied(placed), false, nil
		}
	}
	if err := r.Refusal(o.Items, stock); err != nil {
		return shop.Order{}, false, err
	}
	pieces := 0
	for _, i := range o.Items {
		o.TotalCents += i.SubtotalCents()
		pieces += i.Quantity
	}
	if o.TotalCents == 0 {
		o.Status = shop.OrderPaid
	} else if err := r.Limits.Refusal(s.held(r), pieces); err != nil {
		return shop.Order{}, false, err
	}
	for _, i := range o.Items {
		s.products[i.ProductID].Stock -= i.Quantity
	}
	o.ID = s.nextID()
	stored := &order{Order: o, key: r.Key, network: r.Network}
	s.orders[o.ID] = stored
	delete(s.carts, owner)
	return s.copied(stored), true, nil
}

// held is what pending orders of the request's user and network hold.
func (s *Store) held(r shop.OrderRequest) (h shop.Held) {
	for _, o := range s.orders {
		if !o.Status.HoldsStock() {
			continue
		}
		pieces := 0
		for _, i := range o.Items {
			pieces += i.Quantity
		}
		if o.UserID == r.UserID {
			h.Orders, h.Pieces = h.Orders+1, h.Pieces+pieces
		}
		if r.Network != "" && o.network == r.Network {
			h.NetworkOrders, h.NetworkPieces = h.NetworkOrders+1, h.NetworkPieces+pieces
		}
	}
	return h
}

// HoldOrder implements shop.Orders.
func (s *Store) HoldOrder(ctx context.Context, id int64, ttl time.Duration) error {
	unlock, err := s.lock(ctx)
	defer unlock()
	if o, ok := s.orders[id]; err == nil && ok && o.Status == shop.OrderPending {
		if until := o.CreatedAt.Add(ttl); until.After(o.ExpiresAt) {
			o.ExpiresAt = until
		}
	}
	return err
}

// Order implements shop.Orders.
func (s *Store) Order(ctx context.Context, userID, id int64) (shop.Order, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Order{}, err
	}
	o, err := s.order(userID, id)
	if err != nil {
		return shop.Order{}, err
	}
	return s.copied(o), nil
}

func (s *Store) order(userID, id int64) (*order, error) {
	o, ok := s.orders[id]
	if !ok || o.UserID != userID {
		return nil, errNotFound("order")
	}
	return o, nil
}

// Orders implements shop.Orders.
func (s *Store) Orders(ctx context.Context, userID int64, limit int, cursor string) (shop.OrderPage, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.OrderPage{}, err
	}
	if limit, err = shop.PageLimit(limit); err != nil {
		return shop.OrderPage{}, err
	}
	before, err := shop.ParseOrderCursor(cursor)
	if err != nil {
		return shop.OrderPage{}, err
	}
	var found []shop.Order
	for _, o := range s.orders {
		if o.UserID == userID && (before == 0 || o.ID < before) {
			found = append(found, s.copied(o))
		}
	}
	slices.SortFunc(found, func(a, b shop.Order) int { return cmp.Compare(b.ID, a.ID) })
	if len(found) <= limit {
		return shop.OrderPage{Items: found}, nil
	}
	return shop.OrderPage{Items: found[:limit], NextCursor: shop.OrderCursor(found[limit-1].ID)}, nil
}

// CancelOrder implements shop.Orders.
func (s *Store) CancelOrder(ctx context.Context, userID, id int64) (shop.Order, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Order{}, err
	}
	o, err := s.order(userID, id)
	if err != nil {
		return shop.Order{}, err
	}
	if !o.Status.CanBecome(shop.OrderCanceled) {
		return shop.Order{}, shop.ErrOrderNotPending(o.Status)
	}
	s.end(o, shop.OrderCanceled)
	return s.copied(o), nil
}

// end gives the order's stock back.
func (s *Store) end(o *order, status shop.OrderStatus) {
	o.Status = status
	for _, i := range o.Items {
		s.products[i.ProductID].Stock += i.Quantity
	}
}

// ExpireOrders implements shop.Orders.
func (s *Store) ExpireOrders(ctx context.Context, limit int, grace time.Duration) ([]int64, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return nil, err
	}
	var due []*order
	for _, o := range s.orders {
		p := s.payments[o.ID]
		wait := time.Duration(0)
		if p != nil && p.Status == shop.PaymentOpen {
			wait = grace
		}
		if o.Status.CanBecome(shop.OrderExpired) && !o.ExpiresAt.Add(wait).After(s.clock()) {
			due = append(due, o)
		}
	}
	slices.SortFunc(due, func(a, b *order) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	var ids []int64
	for _, o := range due[:min(limit, len(due))] {
		s.end(o, shop.OrderExpired)
		ids = append(ids, o.ID)
	}
	return ids, nil
}
