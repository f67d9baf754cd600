package shoptest

import (
	"context"
	"slices"

	"shoplab/service/shop"
)

type line struct {
	productID int64
	quantity  int
}

// Cart implements shop.Carts.
func (s *Store) Cart(ctx context.Context, o shop.Owner) (shop.Cart, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Cart{}, err
	}
	return s.cart(o), nil
}

func (s *Store) cart(o shop.Owner) shop.Cart {
	c := shop.Cart{}
	for _, l := range s.carts[o] {
		p := s.products[l.productID]
		c.Items = append(c.Items, shop.CartItem{
			ProductID: p.ID, Name: p.Name, ImageURL: p.ImageURL, Quantity: l.quantity, UnitPriceCents: p.PriceCents,
			Gone: p.archived, Stock: p.Stock,
		})
	}
	return c
}

// AddItem implements shop.Carts.
func (s *Store) AddItem(ctx context.Context, o shop.Owner, productID int64, quantity int) (shop.Cart, error) {
	if err := shop.ValidateQuantity(quantity, 1); err != nil {
		return shop.Cart{}, err
	}
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Cart{}, err
	}
	return s.put(o, productID, func(had int) int { return min(had+quantity, shop.MaxQuantity) })
}

// SetItem implements shop.Carts.
func (s *Store) SetItem(ctx context.Context, o shop.Owner, productID int64, quantity int) (shop.Cart, error) {
	if err := shop.ValidateQuantity(quantity, 0); err != nil {
		return shop.Cart{}, err
	}
	if quantity == 0 {
		return s.RemoveItem(ctx, o, productID)
	}
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Cart{}, err
	}
	return s.put(o, productID, func(int) int { return quantity })
}

func (s *Store) put(o shop.Owner, productID int64, quantity func(had int) int) (shop.Cart, error) {
	if p := s.products[productID]; p == nil || p.archived {
		return shop.Cart{}, errNotFound("product")
	}
	return s.putLine(o, productID, quantity)
}

func (s *Store) putLine(o shop.Owner, productID int64, quantity func(had int) int) (shop.Cart, error) {
	lines := s.carts[o]
	i := slices.IndexFunc(lines, func(l line) bool { return l.productID == productID })
	switch {
	case i >= 0:
		lines[i].quantity = quantity(lines[i].quantity)
	case len(lines) >= shop.MaxCartItems:
		return shop.Cart{}, shop.ErrCartFull()
	default:
		s.carts[o] = append(lines, line{productID, quantity(0)})
	}
	return s.cart(o), nil
}

// RemoveItem implements shop.Carts.
func (s *Store) RemoveItem(ctx context.Context, o shop.Owner, productID int64) (shop.Cart, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.Cart{}, err
	}
	s.carts[o] = slices.DeleteFunc(s.carts[o], func(l line) bool { return l.productID == productID })
	return s.cart(o), nil
}

// ClearCart implements shop.Carts.
func (s *Store) ClearCart(ctx context.Context, o shop.Owner) error {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return err
	}
	delete(s.carts, o)
	return nil
}

// MergeCart implements shop.Carts.
func (s *Store) MergeCart(ctx context.Context, guest string, userID int64) error {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return err
	}
	user := shop.Owner{UserID: userID}
	for _, l := range s.carts[shop.Owner{Guest: guest}] {
		_, err := s.putLine(user, l.productID, func(had int) int { return min(had+l.quantity, shop.MaxQuantity) })
		if shop.CodeOf(err) == shop.CodeInvalid {
			continue // the cart is full
		}
		if err != nil {
			return err
		}
	}
	delete(s.carts, shop.Owner{Guest: guest})
	return nil
}
