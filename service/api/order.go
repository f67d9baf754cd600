package api

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

const idempotencyHeader = "Idempotency-Key"

// Order is a purchase, at the prices of the moment of ordering.
type Order struct {
	ID         int64       `json:"id"`
	Status     string      `json:"status" enum:"pending,paid,canceled,expired,refunded"`
	Items      []OrderItem `json:"items" nullable:"false"`
	TotalCents int64       `json:"total_cents"`
	Currency   string      `json:"currency" example:"usd"`
	CreatedAt  time.Time   `json:"created_at"`
	ExpiresAt  time.Time   `json:"expires_at" doc:"Until then the stock is held, unless the order is paid. Starting its payment puts it off."`

	RefundedCents int64  `json:"refunded_cents" doc:"What has been given back of the payment."`
	Dispute       string `json:"dispute,omitempty" enum:"open,won,lost" doc:"How a dispute of the payment at the shopper's bank stands: open, won by the shop, or lost, so that the money went back. Absent without one."`
}

// NewOrder says what the shopper expects of an order.
type NewOrder struct {
	ExpectedTotalCents *int64 `json:"expected_total_cents,omitempty" minimum:"0" doc:"The total that the shopper was shown. If it is another one by now, nothing is ordered: PRICE_CHANGED."`
}

// OrderItem is a line of an order.
type OrderItem struct {
	ProductID      int64  `json:"product_id"`
	Name           string `json:"name"`
	Quantity       int    `json:"quantity"`
	UnitPriceCents int64  `json:"unit_price_cents"`
	SubtotalCents  int64  `json:"subtotal_cents"`
	ImageURL       string `json:"image_url"`
}

// OrderList is a page of orders, newest first.
type OrderList struct {
	Items      []Order `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor" nullable:"true" doc:"Null at the end."`
}

func newOrder(o shop.Order) Order {
	out := Order{
		ID: o.ID, Status: string(o.Status), Items: make([]OrderItem, len(o.Items)), TotalCents: o.TotalCents,
		Currency: shop.Currency, CreatedAt: o.CreatedAt.UTC(), ExpiresAt: o.ExpiresAt.UTC(),
		RefundedCents: o.RefundedCents, Dispute: string(o.Dispute),
	}
	for i, item := range o.Items {
		out.Items[i] = OrderItem{
			ProductID: item.ProductID, Name: item.Name, Quantity: item.Quantity,
			UnitPriceCents: item.UnitPriceCents, SubtotalCents: item.SubtotalCents(), ImageURL: item.ImageURL,
		}
	}
	return out
}

// orderRefusals are the codes that say why there is no order; they are counted by name.
var orderRefusals = []shop.Code{
	shop.CodeEmptyCart, shop.CodeOutOfStock, shop.CodePriceChanged, shop.CodeTotalTooSmall, shop.CodeTotalTooLarge,
	shop.CodeKeyReused, shop.CodeHoldLimit, shop.CodeBusy,
}

// placeOrder answers POST /api/orders.
func (s *Server) placeOrder(c *fiber.Ctx) error {
	user, err := s.signedIn(c)
	if err != nil {
		return err
	}
	if err := s.limit(c, limitOrder, fmt.Sprint(user)); err != nil {
		return err
	}
	key := strings.Clone(c.Get(idempotencyHeader))
	if err := shop.ValidateIdempotencyKey(key); err != nil {
		return err
	}
	var in NewOrder
	if len(c.Request().Body()) > 0 {
		if err := s.decode(c, &in); err != nil {
			return err
		}
	}
	o, created, err := s.Orders.PlaceOrder(c.UserContext(), shop.OrderRequest{
		UserID: user, Key: key, TTL: s.orderHold, ExpectedCents: in.ExpectedTotalCents,
		Network: s.network(c), Limits: s.holdLimits,
	})
	switch code := shop.CodeOf(err); {
	case slices.Contains(orderRefusals, code):
		s.metrics.order(strings.ToLower(string(code)))
		return err
	case err != nil:
		return fmt.Errorf("place order: %w", err)
	case !created:
		s.metrics.order("repeated")
		return sendOrder(c, fiber.StatusOK, o)
	}
	s.metrics.order("placed")
	return sendOrder(c, fiber.StatusCreated, o)
}

// listOrders answers GET /api/orders.
func (s *Server) listOrders(c *fiber.Ctx) error {
	user, err := s.signedIn(c)
	if err != nil {
		return err
	}
	limit, cursor, err := page(c)
	if err != nil {
		return err
	}
	p, err := s.Orders.Orders(c.UserContext(), user, limit, cursor)
	if err != nil {
		return fmt.Errorf("list orders: %w", err)
	}
	list := OrderList{Items: make([]Order, len(p.Items)), NextCursor: cursorOrNull(p.NextCursor)}
	for i, o := range p.Items {
		list.Items[i] = newOrder(o)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(list)
}

// getOrder answers GET /api/orders/{id}.
func (s *Server) getOrder(c *fiber.Ctx) error {
	user, id, err := s.orderOf(c)
	if err != nil {
		return err
	}
	o, err := s.Orders.Order(c.UserContext(), user, id)
	if err != nil {
		return fmt.Errorf("get order %d: %w", id, err)
	}
	s.Cashier.CheckSoon(c.UserContext(), o)
	return sendOrder(c, fiber.StatusOK, o)
}

// cancelOrder answers POST /api/orders/{id}/cancel.
func (s *Server) cancelOrder(c *fiber.Ctx) error {
	user, id, err := s.orderOf(c)
	if err != nil {
		return err
	}
	if err := s.limit(c, limitCancel, fmt.Sprint(user)); err != nil {
		return err
	}
	o, err := s.Cashier.Cancel(c.UserContext(), user, id)
	if err != nil {
		return fmt.Errorf("cancel order %d: %w", id, err)
	}
	return sendOrder(c, fiber.StatusOK, o)
}

// orderOf is the user who is signed in, and the id of the order in the path.
func (s *Server) orderOf(c *fiber.Ctx) (user, id int64, err error) {
	user, err = s.signedIn(c)
	if err != nil {
		return 0, 0, err
	}
	id, err = pathID(c, "id")
	return user, id, err
}

func sendOrder(c *fiber.Ctx, status int, o shop.Order) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(status).JSON(newOrder(o))
}
