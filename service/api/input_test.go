package api

import (
	"testing"

	"shoplab/service/shop"
)

// TestDecode: what is validated is what is decoded, whatever package json would make of it.
func TestDecode(t *testing.T) {
	s := &Server{}
	var err error
	if s.spec, err = newSpec("v0", s.operations()); err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]struct {
		item NewItem
		code shop.Code
	}{
		`{"product_id":7,"quantity":2}`:                                  {NewItem{7, 2}, ""},
		`{"product_id":7.0,"quantity":20e-1}`:                            {NewItem{7, 2}, ""},
		`{"product_id":9007199254740991,"quantity":1}`:                   {NewItem{9007199254740991, 1}, ""},
		`{"product_id":7,"quantity":2,"note":"newer clients send more"}`: {NewItem{7, 2}, ""},
		`{"product_id":7,"quantity":2,"Quantity":-5}`:                    {NewItem{7, 2}, ""},
		`{"product_id":7,"Quantity":2}`:                                  {code: shop.CodeInvalid},
		`{"product_id":7,"quantity":2,"quantity":5}`:                     {code: codeMalformed},
		`{"product_id":7,"quantity":2,"x":{"a":1,"a":2}}`:                {code: codeMalformed},
		`{"product_id":7,"quantity":1.5}`:                                {code: shop.CodeInvalid},
		`{"product_id":1e30,"quantity":1}`:                               {code: shop.CodeInvalid},
		`{"product_id":1e999,"quantity":1}`:                              {code: codeMalformed},
		`{"product_id":7,"quantity":2} {}`:                               {code: codeMalformed},
		`{"product_id":7,"quantity":2}}`:                                 {code: codeMalformed},
		`{"product_id":7,"quantity":2,}`:                                 {code: codeMalformed},
		"{\"product_id\":7,\"quantity\":2,\"note\":\"\xff\"}":            {code: codeMalformed},
		`[]`: {code: shop.CodeInvalid},
		``:   {code: codeMalformed},
	} {
		var item NewItem
		if err := s.decodeJSON([]byte(body), &item); shop.CodeOf(err) != want.code && (err != nil || want.code != "") {
			t.Errorf("%s: %v, want code %q", body, err, want.code)
		} else if err == nil && item != want.item {
			t.Errorf("%s decodes to %+v, want %+v", body, item, want.item)
		}
	}
}

// TestTextOfBodies: no text with a NUL or the like comes in, whichever member holds it.
func TestTextOfBodies(t *testing.T) {
	r := newRig(t, nil)
	long := `"password":"correct horse battery","first_name":"Ada","last_name":"L"`
	for _, test := range []struct{ path, body string }{
		{"/api/auth/login", `{"email":"a\u0000@example.com","password":"x"}`},
		{"/api/auth/login", `{"email":"a\u202e@example.com","password":"x"}`},
		{"/api/auth/register", `{"email":"a\u0000@example.com",` + long + `}`},
		{"/api/auth/register", `{"email":"a\u200d@example.com",` + long + `}`},
		{
			"/api/auth/register",
			`{"email":"a@example.com","password":"correct horse battery","first_name":"\u200b","last_name":"L"}`,
		},
		{
			"/api/auth/register",
			`{"email":"a@example.com","password":"correct horse battery","first_name":"\u200e","last_name":"L"}`,
		},
		{"/api/payments/simulate", `{"client_secret":"\u0000","outcome":"failed"}`},
	} {
		if rep := r.do("POST", test.path, test.body); rep.code(t) != string(shop.CodeInvalid) {
			t.Errorf("%s %s: %d %s", test.path, test.body, rep.StatusCode, rep.body)
		}
	}
	for _, query := range []string{
		"q=%00", "q=%e2%80%ae", "q=%ff", "category=%00", "category=%e2%80%8b", "cursor=%00", "cursor=%ff",
	} {
		if rep := r.do("GET", "/api/products?"+query, nil); rep.StatusCode != 422 && rep.StatusCode != 400 {
			t.Errorf("%s: %d %s", query, rep.StatusCode, rep.body)
		}
	}
}
