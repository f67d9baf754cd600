package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"shoplab/service/shop"
)

func cookies(rep reply) map[string]*http.Cookie {
	byName := map[string]*http.Cookie{}
	for _, c := range rep.Cookies() {
		byName[c.Name] = c
	}
	return byName
}

// TestBrowserSession walks as a browser does: guest cart, registration, merge, logout, login.
func TestBrowserSession(t *testing.T) {
	r := newRig(t, nil)
	mug, pen := r.product("mug", 900, 10), r.product("pen", 250, 10)
	var cart Cart
	rep := r.do("GET", "/api/cart", nil).want(t, 200)
	if len(rep.Cookies()) != 0 || !strings.Contains(string(rep.body), `"items":[]`) {
		t.Errorf("reading an empty cart: %v %s", rep.Cookies(), rep.body)
	}
	rep = r.do("POST", "/api/cart/items", NewItem{mug.ID, 2}).want(t, 200)
	c := cookies(rep)["cart"]
	if c == nil || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Value != rep.Header.Get("X-Cart-ID") {
		t.Errorf("cart cookie %v, X-Cart-ID %q", c, rep.Header.Get("X-Cart-ID"))
	}
	rep = r.do("PUT", fmt.Sprintf("/api/cart/items/%d", pen.ID), Quantity{3}).want(t, 200)
	if rep.decode(t, &cart); cart.TotalCents != 2*900+3*250 || len(rep.Cookies()) != 0 {
		t.Errorf("cart %+v, cookies %v", cart, rep.Cookies())
	}

	rep = r.do("POST", "/api/auth/register", Registration{" Ada@Example.com", password, "Ada", "L"}).want(t, 201)
	if c := cookies(rep)["session"]; c == nil || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Errorf("session cookie %v", c)
	}
	if c := cookies(rep)["cart"]; c == nil || c.Value != "" || c.Expires.After(time.Now()) {
		t.Errorf("the guest's cookie was not dropped: %v", c)
	}
	if r.do("GET", "/api/cart", nil).want(t, 200).decode(t, &cart); cart.TotalCents != 2*900+3*250 {
		t.Errorf("merged cart %+v", cart)
	}
	var a Account
	if r.do("GET", "/api/account", nil).want(t, 200).decode(t, &a); a.User.Email != "ada@example.com" {
		t.Errorf("account %+v", a)
	}

	r.do("POST", "/api/auth/logout", nil).want(t, 204)
	r.do("GET", "/api/account", nil).want(t, 401)
	r.do("POST", "/api/cart/items", NewItem{mug.ID, 1}).want(t, 200)
	r.do("POST", "/api/auth/login", Credentials{"ADA@example.com", password}).want(t, 200)
	if r.do("GET", "/api/cart", nil).want(t, 200).decode(t, &cart); cart.TotalCents != 3*900+3*250 {
		t.Errorf("cart after the second merge %+v", cart)
	}
	if r.do("DELETE", fmt.Sprintf("/api/cart/items/%d", pen.ID), nil).want(t, 200).decode(t, &cart); len(cart.Items) != 1 {
		t.Errorf("cart after removing %+v", cart)
	}
	r.do("DELETE", "/api/cart", nil).want(t, 204)
	if r.do("GET", "/api/cart", nil).want(t, 200).decode(t, &cart); len(cart.Items) != 0 {
		t.Errorf("cart after clearing %+v", cart)
	}
}

// TestProgramSession does the same without cookies.
func TestProgramSession(t *testing.T) {
	r := newRig(t, nil)
	r.client.Jar = nil
	mug := r.product("mug", 900, 10)
	id := r.do("POST", "/api/cart/items", NewItem{mug.ID, 1}).want(t, 200).Header.Get("X-Cart-ID")
	var cart Cart
	if r.do("GET", "/api/cart", nil, "X-Cart-ID", id).want(t, 200).decode(t, &cart); len(cart.Items) != 1 {
		t.Errorf("cart %+v", cart)
	}
	var s Session
	r.do("POST", "/api/auth/register", Registration{"ada@example.com", password, "Ada", "L"}, "X-Cart-ID", id).want(t, 201).decode(t, &s)
	bearer := []string{"Authorization", "Bearer " + s.Token}
	if r.do("GET", "/api/cart", nil, bearer...).want(t, 200).decode(t, &cart); len(cart.Items) != 1 {
		t.Errorf("merged cart %+v", cart)
	}
	if r.do("GET", "/api/cart", nil, "X-Cart-ID", id).want(t, 200).decode(t, &cart); len(cart.Items) != 0 {
		t.Errorf("the guest's cart is still there: %+v", cart)
	}
	r.do("GET", "/api/account", nil, bearer...).want(t, 200)
}

func TestTokens(t *testing.T) {
	r := newRig(t, nil)
	s := r.register("ada@example.com")
	now := time.Now()
	sign := func(method jwt.SigningMethod, key any, claims jwt.RegisteredClaims) string {
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	id := fmt.Sprint(s.User.ID)
	valid := jwt.RegisteredClaims{Issuer: issuer, Subject: id, ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour))}
	key := r.server.sessionKey
	for name, test := range map[string]struct {
		token string
		ok    bool
	}{
		"ours":            {s.Token, true},
		"valid":           {sign(jwt.SigningMethodHS256, key, valid), true},
		"unsigned":        {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, valid), false},
		"another method":  {sign(jwt.SigningMethodHS512, key, valid), false},
		"another key":     {sign(jwt.SigningMethodHS256, []byte("another"), valid), false},
		"another issuer":  {sign(jwt.SigningMethodHS256, key, jwt.RegisteredClaims{Issuer: "x", Subject: id, ExpiresAt: valid.ExpiresAt}), false},
		"expired":         {sign(jwt.SigningMethodHS256, key, jwt.RegisteredClaims{Issuer: issuer, Subject: id, ExpiresAt: jwt.NewNumericDate(now.Add(-time.Minute))}), false},
		"without end":     {sign(jwt.SigningMethodHS256, key, jwt.RegisteredClaims{Issuer: issuer, Subject: id}), false},
		"without subject": {sign(jwt.SigningMethodHS256, key, jwt.RegisteredClaims{Issuer: issuer, ExpiresAt: valid.ExpiresAt}), false},
		"unknown user":    {sign(jwt.SigningMethodHS256, key, jwt.RegisteredClaims{Issuer: issuer, Subject: "987654", ExpiresAt: valid.ExpiresAt}), false},
		"changed":         {s.Token[:len(s.Token)-2] + "xx", false},
	} {
		want := http.StatusUnauthorized
		if test.ok {
			want = http.StatusOK
		}
		if rep := r.do("GET", "/api/account", nil, "Authorization", "Bearer "+test.token); rep.StatusCode != want {
			t.Errorf("%s token: %d, want %d", name, rep.StatusCode, want)
		}
	}
	if strings.Contains(r.log.String(), s.Token) {
		t.Error("the log tells the token")
	}
	// A stale cookie must not keep a guest from shopping.
	r.client.Jar = nil
	r.do("GET", "/api/cart", nil, "Cookie", "session=stale").want(t, 200)
}

func TestHTTPSCookies(t *testing.T) {
	https := []string{"X-Forwarded-Proto", "https"}
	for name, test := range map[string]struct {
		change func(*Config, *Shop)
		header []string
		secure bool
	}{
		"plain":               {trusting("127.0.0.0/8"), nil, false},
		"by a trusted proxy":  {trusting("127.0.0.0/8"), https, true},
		"by somebody else":    {trusting("10.0.0.0/8"), https, false},
		"always":              {func(c *Config, _ *Shop) { c.AlwaysHTTPS = true }, nil, true},
		"always, said or not": {func(c *Config, _ *Shop) { c.AlwaysHTTPS = true }, []string{"X-Forwarded-Proto", "http"}, true},
	} {
		r := newRig(t, test.change)
		r.client.Jar = nil
		mug := r.product("mug", 900, 10)
		rep := r.do("POST", "/api/cart/items", NewItem{mug.ID, 1}, test.header...).want(t, 200)
		cookie := rep.Cookies()[0]
		hsts := rep.Header.Get("Strict-Transport-Security") != ""
		if cookie.Secure != test.secure || strings.HasPrefix(cookie.Name, "__Host-") != test.secure || hsts != test.secure {
			t.Errorf("%s: cookie %s, HSTS %v", name, cookie, hsts)
		}
		var cart Cart
		r.do("GET", "/api/cart", nil, append([]string{"Cookie", cookie.Name + "=" + cookie.Value}, test.header...)...).decode(t, &cart)
		if len(cart.Items) != 1 {
			t.Errorf("%s: the cookie does not find its cart", name)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	r := newRig(t, nil)
	mug := r.product("mug", 900, 1000)
	for _, test := range []struct {
		header []string
		ok     bool
	}{
		{nil, true},
		{[]string{"Sec-Fetch-Site", "same-origin", "Origin", "https://elsewhere.example"}, true},
		{[]string{"Sec-Fetch-Site", "none"}, true},
		{[]string{"Sec-Fetch-Site", "same-site"}, false},
		{[]string{"Sec-Fetch-Site", "cross-site"}, false},
		{[]string{"Origin", r.url}, true},
		{[]string{"Origin", strings.Replace(r.url, "http:", "https:", 1)}, true}, // TLS ends at a proxy
		{[]string{"Origin", "https://elsewhere.example"}, false},
		{[]string{"Origin", "null"}, false},
		{[]string{"Origin", "http://127.0.0.1"}, false},
	} {
		rep := r.do("POST", "/api/cart/items", NewItem{mug.ID, 1}, test.header...)
		if (rep.StatusCode == 200) != test.ok {
			t.Errorf("%v: %d", test.header, rep.StatusCode)
		}
		r.do("GET", "/api/cart", nil, test.header...).want(t, 200)
	}
	// Stripe's servers have another origin, and sign.
	r.do("POST", "/api/webhooks/stripe", shop.Event{ID: "evt", Type: "x"}, "Stripe-Signature", "good", "Sec-Fetch-Site", "cross-site").want(t, 200)
}

// TestLoginTellsNothing: a wrong password and an unknown email get the same answer.
func TestLoginTellsNothing(t *testing.T) {
	r := newRig(t, nil)
	r.register("ada@example.com")
	r.client = newBrowser(t)
	wrong := r.do("POST", "/api/auth/login", Credentials{"ada@example.com", "wrong password"})
	unknown := r.do("POST", "/api/auth/login", Credentials{"bob@example.com", "wrong password"})
	if wrong.StatusCode != unknown.StatusCode || string(wrong.body) != string(unknown.body) || len(wrong.Header) != len(unknown.Header) {
		t.Errorf("%d %v %s\n%d %v %s", wrong.StatusCode, wrong.Header, wrong.body, unknown.StatusCode, unknown.Header, unknown.body)
	}
}
