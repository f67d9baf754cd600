package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"shoplab/service/shop"
)

// FuzzDecode: whatever comes in, decoding ends in a value within the schema's bounds or in an error
// that a client may see.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"product_id":1,"quantity":2}`, `{"product_id":1e400,"quantity":2}`, `{"product_id":9223372036854775808,"quantity":1}`,
		`{"Product_ID":1,"quantity":1}`, `{"quantity":1,"quantity":-1,"product_id":3}`, `{"product_id":1.0,"quantity":2e0}`, `[[[[`, `null`, `""`, "\xff", `{"product_id":null,"quantity":null}`,
	} {
		f.Add([]byte(seed))
	}
	s := &Server{}
	var err error
	if s.spec, err = newSpec("v0", s.operations()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var item NewItem
		if err := s.decodeJSON(body, &item); err == nil && (item.ProductID < 1 || item.Quantity < 1 || item.Quantity > 99) {
			t.Errorf("%q decodes to %+v", body, item)
		} else if err != nil && asShopError(err) == nil {
			t.Errorf("%q: %v is not for clients", body, err)
		}
		for _, into := range []any{&Registration{}, &Credentials{}, &Quantity{}, &Simulation{}} {
			if err := s.decodeJSON(body, into); err != nil && asShopError(err) == nil {
				t.Errorf("%q into %T: %v is not for clients", body, into, err)
			}
		}
	})
}

// inProcess is the rig for a test that talks to the server without a network.
func (r *rig) inProcess(t *testing.T) *rig {
	return &rig{t: t, server: r.server, url: "http://shop.test", client: &http.Client{Transport: engine{r.server}}}
}

type engine struct{ *Server }

func (e engine) RoundTrip(req *http.Request) (*http.Response, error) { return e.App().Test(req, -1) }

// FuzzWebhook: a body that is not signed is 400 and changes nothing.
func FuzzWebhook(f *testing.F) {
	f.Add([]byte(`{"id":"evt_1","type":"payment_intent.succeeded"}`), "t=1,v1=00")
	f.Add([]byte{0, 255}, "")
	shared := build(f, nil)
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		r := shared.inProcess(t)
		if signature == "good" || strings.ContainsAny(signature, "\r\n\x00") || len(body) > 1000 || len(signature) > 1000 {
			t.Skip()
		}
		for _, c := range signature {
			if c < ' ' || c > '~' {
				t.Skip() // no header can hold it
			}
		}
		if rep := r.do("POST", "/api/webhooks/stripe", string(body), "Stripe-Signature", signature); rep.code(t) != string(shop.CodeBadSignature) {
			t.Errorf("%q signed %q: %d %s", body, signature, rep.StatusCode, rep.body)
		}
	})
}

// FuzzProductQuery: no query makes the server fail.
func FuzzProductQuery(f *testing.F) {
	f.Add("mug", "Things", "price", "20", "")
	f.Add("\x00", "\xff", "-price", "-1", "AAAA")
	shared := build(f, nil)
	f.Fuzz(func(t *testing.T, q, category, sort, limit, cursor string) {
		r := shared.inProcess(t)
		v := url.Values{"q": {q}, "category": {category}, "sort": {sort}, "limit": {limit}, "cursor": {cursor}}.Encode()
		if len(v) > 4096 {
			t.Skip()
		}
		rep := r.do("GET", "/api/products?"+v, nil)
		if rep.StatusCode >= 500 || rep.StatusCode == 200 && !json.Valid(rep.body) || !utf8.Valid(rep.body) {
			t.Errorf("%s: %d %s", v, rep.StatusCode, rep.body)
		}
	})
}
