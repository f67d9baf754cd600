package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
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
		"GET /api/cart", "POST /api/cart/items", "PUT /api/cart/items/:product_id", "DELETE /api/cart/items/:product_id",
		"DELETE /api/cart",
		"POST /api/orders", "GET /api/orders", "GET /api/orders/:id", "POST /api/orders/:id/cancel",
		"POST /api/orders/:id/payment",
		"POST /api/webhooks/stripe", "POST /api/payments/simulate", "GET /api/openapi.json",
	} {
		if !routed[want] {
			t.Errorf("no route %s", want)
		}
	}
}

// conform holds a reply against the OpenAPI document.
func (r *rig) conform(method, path string, rep reply) {
	r.t.Helper()
	if method == http.MethodHead {
		return // it has no body, and goes with GET
	}
	path, _, _ = strings.Cut(path, "?")
	isProblem := rep.Header.Get("Content-Type") == problemType
	isPage := strings.HasPrefix(rep.Header.Get("Content-Type"),
		"text/html") && strings.Contains(rep.Request.Header.Get("Accept"), "text/html")
	if rep.StatusCode >= 400 && !isProblem && !isPage {
		r.t.Errorf("%s %s: %d is no problem document but %s", method, path, rep.StatusCode, rep.Header.Get("Content-Type"))
	}
	op := documented(r.t, r.server.spec.document, method, path)
	if op == nil {
		if rep.StatusCode < 400 && strings.HasPrefix(path, "/api/") {
			r.t.Errorf("%s %s: %d, but not in the OpenAPI document", method, path, rep.StatusCode)
		}
		return
	}
	if rep.StatusCode == http.StatusNotModified {
		return
	}
	response, ok := op.Responses[strconv.Itoa(rep.StatusCode)]
	if !ok {
		r.t.Errorf("%s %s: %d is not in the OpenAPI document: %s", method, path, rep.StatusCode, rep.body)
		return
	}
	if isProblem && !strings.Contains(response.Description, rep.code(r.t)) {
		r.t.Errorf("%s %s: %d %s is not in the OpenAPI document, only %s", method, path, rep.StatusCode, rep.code(r.t),
			response.Description)
	}
	for mediaType, content := range response.Content {
		if got := rep.Header.Get("Content-Type"); got != mediaType {
			r.t.Errorf("%s %s: Content-Type %s, want %s", method, path, got, mediaType)
		}
		if rep.Header.Get("Content-Encoding") == "gzip" {
			rep.body = unzipped(r.t, rep.body)
		}
		var v any
		rep.decode(r.t, &v)
		var res huma.ValidateResult
		huma.Validate(r.server.spec.registry, r.server.spec.registry.SchemaFromRef(content.Schema.Ref),
			huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, &res)
		for _, err := range res.Errors {
			r.t.Errorf("%s %s: %v in %s", method, path, err, rep.body)
		}
	}
}

// document is what the tests read of an OpenAPI document.
type document struct {
	OpenAPI string
	Paths   map[string]map[string]documentedOperation
}

type documentedOperation struct {
	OperationID string
	Responses   map[string]struct {
		Description string
		Content     map[string]struct {
			Schema struct {
				Ref string `json:"$ref"`
			}
		}
	}
}

func parseDocument(t testing.TB, b []byte) (d document) {
	t.Helper()
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// documented finds the operation of a request in the OpenAPI document, nil if it is not there.
func documented(t testing.TB, doc []byte, method, path string) *documentedOperation {
	t.Helper()
	d := parseDocument(t, doc)
	for pattern, item := range d.Paths {
		if regexp.MustCompile("^" + braces.ReplaceAllString(pattern, `[^/]+`) + "$").MatchString(path) {
			if op, ok := item[strings.ToLower(method)]; ok {
				return &op
			}
		}
	}
	return nil
}
