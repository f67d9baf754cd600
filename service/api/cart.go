package api

import (
	"fmt"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// Cart is what a shopper means to buy.
type Cart struct {
	Items      []CartItem `json:"items" nullable:"false"`
	TotalCents int64      `json:"total_cents"`
	Currency   string     `json:"currency" example:"usd"`
}

// CartItem is a product in a cart, at the price of now.
type CartItem struct {
	ProductID      int64  `json:"product_id"`
	Name           string `json:"name"`
	Quantity       int    `json:"quantity"`
	UnitPriceCents int64  `json:"unit_price_cents"`
	SubtotalCents  int64  `json:"subtotal_cents"`
	ImageURL       string `json:"image_url"`
	Gone           bool   `json:"gone" doc:"No longer sold: the cart cannot be ordered until it is removed."`
	Stock          int    `json:"stock" minimum:"0" doc:"How many can still be ordered. What is sold out may wait in a cart."`
}

// NewItem is what is put into a cart.
type NewItem struct {
	ProductID int64 `json:"product_id" minimum:"1" maximum:"9007199254740991"`
	Quantity  int   `json:"quantity" minimum:"1" maximum:"99"`
}

// Quantity is how many pieces of a product a cart shall hold.
type Quantity struct {
	Quantity int `json:"quantity" minimum:"0" maximum:"99" doc:"0 removes."`
}

func newCart(cart shop.Cart) Cart {
	out := Cart{Items: make([]CartItem, len(cart.Items)), TotalCents: cart.TotalCents(), Currency: shop.Currency}
	for i, item := range cart.Items {
		out.Items[i] = CartItem{
			ProductID: item.ProductID, Name: item.Name, Quantity: item.Quantity,
			UnitPriceCents: item.UnitPriceCents, SubtotalCents: item.SubtotalCents(), ImageURL: item.ImageURL,
			Gone: item.Gone, Stock: item.Stock,
		}
	}
	return out
}

func cartParams() []*huma.Param {
	return []*huma.Param{
		header(cartHeader, "For programs: the guest's cart, as the first write answered it. Browsers have a cookie.",
			"^([A-Z2-7]{26})?$", false),
	}
}

func cartFails() []shop.Code {
	return []shop.Code{
		shop.CodeInvalid, shop.CodeUnauthenticated, shop.CodeForbidden, shop.CodeNotFound, shop.CodeRateLimited,
		shop.CodeBusy,
	}
}

// getCart answers GET /api/cart.
func (s *Server) getCart(c *fiber.Ctx) error {
	owner, err := s.owner(c)
	if err != nil {
		return err
	}
	var cart shop.Cart
	if owner != (shop.Owner{}) {
		cart, err = s.Carts.Cart(c.UserContext(), owner)
		if err != nil {
			return fmt.Errorf("get cart: %w", err)
		}
	}
	return s.sendCart(c, owner, cart)
}

// addItem answers POST /api/cart/items.
func (s *Server) addItem(c *fiber.Ctx) error {
	owner, err := s.cartWriter(c)
	if err != nil {
		return err
	}
	var in NewItem
	if err := s.decode(c, &in); err != nil {
		return err
	}
	return s.fillCart(c, owner, func(o shop.Owner) (shop.Cart, error) {
		return s.Carts.AddItem(c.UserContext(), o, in.ProductID, in.Quantity)
	})
}

// setItem answers PUT /api/cart/items/{product_id}.
func (s *Server) setItem(c *fiber.Ctx) error {
	owner, err := s.cartWriter(c)
	if err != nil {
		return err
	}
	id, err := pathID(c, "product_id")
	if err != nil {
		return err
	}
	var in Quantity
	if err := s.decode(c, &in); err != nil {
		return err
	}
	return s.fillCart(c, owner, func(o shop.Owner) (shop.Cart, error) {
		return s.Carts.SetItem(c.UserContext(), o, id, in.Quantity)
	})
}

// fillCart answers with the cart that put made. A guest who has no cart yet gets one.
func (s *Server) fillCart(c *fiber.Ctx, owner shop.Owner, put func(shop.Owner) (shop.Cart, error)) error {
	begins := owner == (shop.Owner{})
	if begins {
		if err := s.limit(c, limitGuestCart, s.network(c)); err != nil {
			return err
		}
		owner.Guest = newCartID()
	}
	cart, err := put(owner)
	if err != nil {
		return fmt.Errorf("put into cart: %w", err)
	}
	if begins {
		s.handOutCart(c, owner.Guest)
	}
	return s.sendCart(c, owner, cart)
}

// removeItem answers DELETE /api/cart/items/{product_id}.
func (s *Server) removeItem(c *fiber.Ctx) error {
	owner, err := s.cartWriter(c)
	if err != nil {
		return err
	}
	id, err := pathID(c, "product_id")
	if err != nil {
		return err
	}
	var cart shop.Cart
	if owner != (shop.Owner{}) {
		cart, err = s.Carts.RemoveItem(c.UserContext(), owner, id)
		if err != nil {
			return fmt.Errorf("remove from cart: %w", err)
		}
	}
	return s.sendCart(c, owner, cart)
}

// clearCart answers DELETE /api/cart.
func (s *Server) clearCart(c *fiber.Ctx) error {
	owner, err := s.cartWriter(c)
	if err != nil {
		return err
	}
	if owner != (shop.Owner{}) {
		if err := s.Carts.ClearCart(c.UserContext(), owner); err != nil {
			return fmt.Errorf("clear cart: %w", err)
		}
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// cartWriter is owner for a write, within its rate limit.
func (s *Server) cartWriter(c *fiber.Ctx) (shop.Owner, error) {
	if err := s.limit(c, limitCart, s.network(c)); err != nil {
		return shop.Owner{}, err
	}
	return s.owner(c)
}

// sendCart answers with the cart. The cookie of a guest who uses it lasts as long as a new one.
func (s *Server) sendCart(c *fiber.Ctx, owner shop.Owner, cart shop.Cart) error {
	if owner.Guest != "" && s.cookie(c, cartName) == owner.Guest {
		s.setCookie(c, cartName, owner.Guest, cartTTL)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(newCart(cart))
}
