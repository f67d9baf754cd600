package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"shoplab/contract"
	"shoplab/service/shop"
)

// routes registers everything that the server answers.
func (s *Server) routes(ops []operation) {
	s.app.Use(s.around)
	s.app.Get(contract.LivePath, s.live)
	s.app.Get(contract.ReadyPath, s.ready)
	for _, op := range ops {
		h := op.handler
		if !op.hot {
			h = bounded(h)
		}
		if !op.early {
			h = s.opened(h)
		}
		path := braces.ReplaceAllString(op.path, ":$1")
		if op.method == http.MethodGet {
			s.app.Get(path, h) // and HEAD
			continue
		}
		if !op.signed {
			h = sameOrigin(h)
		}
		s.app.Add(op.method, path, h)
	}
	s.app.Use(s.serveFile)
}

// operations is the API. The paths are OpenAPI's.
func (s *Server) operations() []operation { //nolint:funlen // a table
	ok, created := []int{http.StatusOK}, []int{http.StatusCreated}
	none := []int{http.StatusNoContent}
	notFound := []shop.Code{shop.CodeNotFound}
	return []operation{
		{
			method: http.MethodGet, path: "/api/health", id: "health", summary: "Says that the process answers.",
			handler: s.health, early: true, status: ok, out: Health{},
		},
		{
			method: http.MethodGet, path: "/api/info", id: "info", summary: "Says where the shop runs.", handler: s.getInfo,
			early: true, status: ok, out: Info{},
		},
		{
			method: http.MethodGet, path: "/api/openapi.json", id: "openapi", summary: "This document.", handler: s.openAPI,
			early: true, status: ok,
		},

		{
			method: http.MethodGet, path: "/api/products", id: "listProducts", summary: "Lists products, filtered and sorted.",
			handler: s.listProducts, hot: true, params: productParams(), status: ok, out: ProductList{},
			fails: []shop.Code{shop.CodeInvalid, shop.CodeInvalidCursor},
		},
		{
			method: http.MethodGet, path: "/api/products/{id}", id: "getProduct", summary: "Shows a product.",
			handler: s.getProduct, hot: true, status: ok, out: Product{}, fails: notFound,
		},
		{
			method: http.MethodGet, path: "/api/categories", id: "listCategories", summary: "Lists the categories.",
			handler: s.listCategories, hot: true, status: ok, out: CategoryList{},
		},

		{
			method: http.MethodPost, path: "/api/auth/register", id: "register",
			summary: "Makes an account, signs in, and takes over the guest's cart.",
			handler: s.register, params: cartParams(), in: Registration{}, status: created, out: Session{},
			fails: []shop.Code{shop.CodeForbidden, shop.CodeEmailTaken, shop.CodeRateLimited},
		},
		{
			method: http.MethodPost, path: "/api/auth/login", id: "login", summary: "Signs in, and takes over the guest's cart.",
			handler: s.login, params: cartParams(), in: Credentials{}, status: ok, out: Session{},
			fails: []shop.Code{shop.CodeForbidden, shop.CodeInvalidCredentials, shop.CodeRateLimited},
		},
		{
			method: http.MethodPost, path: "/api/auth/logout", id: "logout", summary: "Ends the session, wherever its token " +
				"is, and clears its cookie.", handler: s.logout, status: none, fails: []shop.Code{
				shop.CodeForbidden,
			},
		},
		{
			method: http.MethodPost, path: "/api/auth/logout-everywhere", id: "logoutEverywhere",
			summary: "Ends all sessions of the user.", handler: s.logoutEverywhere, user: true, status: none,
			fails: []shop.Code{shop.CodeForbidden},
		},
		{
			method: http.MethodGet, path: "/api/account", id: "account", summary: "Shows who is signed in.", handler: s.account,
			user: true, status: ok, out: Account{},
		},

		{
			method: http.MethodGet, path: "/api/cart", id: "getCart", summary: "Shows the cart.", handler: s.getCart,
			params: cartParams(), status: ok, out: Cart{}, fails: []shop.Code{shop.CodeInvalid, shop.CodeUnauthenticated},
		},
		{
			method: http.MethodPost, path: "/api/cart/items", id: "addItem", summary: "Adds pieces of a product.",
			handler: s.addItem, params: cartParams(), in: NewItem{}, status: ok, out: Cart{}, fails: cartFails(),
		},
		{
			method: http.MethodPut, path: "/api/cart/items/{product_id}", id: "setItem",
			summary: "Sets the quantity of a product; 0 removes it.", handler: s.setItem, params: cartParams(), in: Quantity{},
			status: ok, out: Cart{}, fails: cartFails(),
		},
		{
			method: http.MethodDelete, path: "/api/cart/items/{product_id}", id: "removeItem", summary: "Removes a product.",
			handler: s.removeItem, params: cartParams(), status: ok, out: Cart{}, fails: cartFails(),
		},
		{
			method: http.MethodDelete, path: "/api/cart", id: "clearCart", summary: "Removes everything.", handler: s.clearCart,
			params: cartParams(), status: none, fails: cartFails(),
		},

		{
			method: http.MethodPost, path: "/api/orders", id: "placeOrder", summary: "Orders what is in the cart and holds " +
				"its stock. The same key again gives the same order. An order of 0 cents is paid at once.",
			handler: s.placeOrder, user: true, in: NewOrder{}, bare: true,
			params: []*huma.Param{
				header(idempotencyHeader, "New for each order, 1 to 255 visible ASCII characters.", shop.KeyPattern, true),
			},
			status: []int{http.StatusCreated, http.StatusOK}, out: Order{},
			fails: append([]shop.Code{shop.CodeIdempotencyKey, shop.CodeForbidden, shop.CodeRateLimited}, orderRefusals...),
		},
		{
			method: http.MethodGet, path: "/api/orders", id: "listOrders", summary: "Lists the user's orders, newest first.",
			handler: s.listOrders, user: true, params: pageParams(), status: ok, out: OrderList{},
			fails: []shop.Code{shop.CodeInvalid, shop.CodeInvalidCursor},
		},
		{
			method: http.MethodGet, path: "/api/orders/{id}", id: "getOrder", summary: "Shows an order of the user.",
			handler: s.getOrder, user: true, status: ok, out: Order{}, fails: notFound,
		},
		{
			method: http.MethodPost, path: "/api/orders/{id}/cancel", id: "cancelOrder",
			summary: "Cancels a pending order; its stock returns.", handler: s.cancelOrder, user: true, status: ok, out: Order{},
			fails: []shop.Code{
				shop.CodeForbidden, shop.CodeNotFound, shop.CodeOrderNotPending, shop.CodeBusy, shop.CodeRateLimited,
			},
		},
		{
			method: http.MethodPost, path: "/api/orders/{id}/payment", id: "startPayment",
			summary: "Starts the payment of a pending order, or shows it again.",
			handler: s.startPayment, user: true, status: ok, out: Payment{},
			fails: []shop.Code{
				shop.CodeForbidden, shop.CodeNotFound, shop.CodeOrderNotPending, shop.CodeRateLimited, shop.CodePaymentUnavailable,
			},
		},

		{
			method: http.MethodPost, path: contract.WebhooksPath, id: "stripeWebhook",
			summary: "Takes Stripe's events. The signature is checked on the raw body.",
			handler: s.webhook, signed: true,
			params: []*huma.Param{
				header(signatureHeader, "Stripe's signature.", `^t=[0-9]{1,12}(,v[0-9]+=[0-9a-f]{64})+$`, true),
			}, status: ok, out: Received{},
			fails: []shop.Code{
				shop.CodeBadSignature, shop.CodeEventRefused, shop.CodeWebhooksOff, codeTooLarge, shop.CodeRateLimited,
			},
		},
		{
			method: http.MethodPost, path: "/api/payments/simulate", id: "simulatePayment",
			summary: "Pays, or fails to, where payments are simulated. The event follows by the webhook's way.",
			handler: s.simulate, in: Simulation{}, status: []int{http.StatusAccepted}, out: Received{},
			fails: []shop.Code{shop.CodeForbidden, shop.CodeNotFound, shop.CodeRateLimited},
		},
	}
}
