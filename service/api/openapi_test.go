package api

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestOpenAPIHoldsEveryRoute: the router and the document know the same operations. That replies
// are as documented is checked on every request that these tests send, in rig.conform.
func TestOpenAPIHoldsEveryRoute(t *testing.T) {
	r := newRig(t, nil)
	d := parseDocument(t, r.do("GET", "/api/openapi.json", nil).want(t, 200).body)
	if d.OpenAPI != "3.1.0" {
		t.Errorf("openapi %q", d.OpenAPI)
	}
	written, ids := map[string]bool{}, map[string]bool{}
	for path, item := range d.Paths {
		for method, op := range item {
			written[strings.ToUpper(method)+" "+braces.ReplaceAllString(path, ":$1")] = true
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s %s: operationId %q is empty or not the only one", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	routed := map[string]bool{}
	for _, route := range r.server.App().GetRoutes(true) {
		if strings.HasPrefix(route.Path, "/api/") && route.Method != "HEAD" {
			routed[route.Method+" "+route.Path] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(written)), slices.Sorted(maps.Keys(routed)); !slices.Equal(got, want) {
		t.Errorf("documented %q\nrouted %q", got, want)
	}
	// The contract's table, so that neither loses a route.
	for _, want := range []string{
		"GET /api/health", "GET /api/info", "GET /api/products", "GET /api/products/:id", "GET /api/categories",
		"POST /api/auth/register", "POST /api/auth/login", "POST /api/auth/logout", "GET /api/account",
		"GET /api/cart", "POST /api/cart/items", "PUT /api/cart/items/:product_id", "DELETE /api/cart/items/:product_id", "DELETE /api/cart",
		"POST /api/orders", "GET /api/orders", "GET /api/orders/:id", "POST /api/orders/:id/cancel", "POST /api/orders/:id/payment",
		"POST /api/webhooks/stripe", "POST /api/payments/simulate", "GET /api/openapi.json",
	} {
		if !routed[want] {
			t.Errorf("no route %s", want)
		}
	}
}
