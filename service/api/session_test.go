package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
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
	if c == nil || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode ||
		c.Value != rep.Header.Get("X-Cart-ID") {
		t.Errorf("cart cookie %v, X-Cart-ID %q", c, rep.Header.Get("X-Cart-ID"))
	}
	rep = r.do("PUT", fmt.Sprintf("/api/cart/items/%d", pen.ID), Quantity{3}).want(t, 200)
	if rep.decode(t, &cart); cart.TotalCents != 2*900+3*250 || cookies(rep)["cart"].Value != c.Value {
		t.Errorf("cart %+v, cookies %v", cart, rep.Cookies())
	}

	rep = r.do("POST", "/api/auth/register", Registration{" Ada@Example.com", password, "Ada", "L"}).want(t, 201)
	if c := cookies(rep)["session"]; c == nil || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode ||
		c.Path != "/" {
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
	r.do("POST", "/api/auth/register", Registration{"ada@example.com", password, "Ada", "L"},
		"X-Cart-ID", id).want(t, 201).decode(t, &s)
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
	other := r.register("eve@example.com")
	now := time.Now()
	sign := func(method jwt.SigningMethod, key any, change func(*jwt.RegisteredClaims)) string {
		claims := jwt.RegisteredClaims{}
		if _, _, err := jwt.NewParser().ParseUnverified(s.Token, &claims); err != nil {
			t.Fatal(err)
		}
		change(&claims)
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	same := func(*jwt.RegisteredClaims) {}
	key := r.server.sessionKeys[0]
	ours := func(change func(*jwt.RegisteredClaims)) string { return sign(jwt.SigningMethodHS256, key, change) }
	for name, test := range map[string]struct {
		token string
		ok    bool
	}{
		"ours":           {s.Token, true},
		"signed anew":    {ours(same), true},
		"unsigned":       {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same), false},
		"another method": {sign(jwt.SigningMethodHS512, key, same), false},
		"another key":    {sign(jwt.SigningMethodHS256, []byte("another"), same), false},
		"another issuer": {ours(func(c *jwt.RegisteredClaims) { c.Issuer = "x" }), false},
		"of a device":    {ours(func(c *jwt.RegisteredClaims) { c.Audience = jwt.ClaimStrings{forDevice} }), false},
		"for nothing":    {ours(func(c *jwt.RegisteredClaims) { c.Audience = nil }), false},
		"expired": {
			ours(func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(now.Add(-time.Minute)) }), false,
		},
		"without end":       {ours(func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }), false},
		"without subject":   {ours(func(c *jwt.RegisteredClaims) { c.Subject = "" }), false},
		"another's":         {ours(func(c *jwt.RegisteredClaims) { c.Subject = fmt.Sprint(other.User.ID) }), false},
		"without session":   {ours(func(c *jwt.RegisteredClaims) { c.ID = "" }), false},
		"of no session":     {ours(func(c *jwt.RegisteredClaims) { c.ID = "never started" }), false},
		"changed":           {s.Token[:len(s.Token)-2] + "xx", false},
		"of a build before": {ours(func(c *jwt.RegisteredClaims) { c.ID, c.Audience = "", nil }), false},
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
		"plain":              {trusting("127.0.0.0/8"), nil, false},
		"by a trusted proxy": {trusting("127.0.0.0/8"), https, true},
		"by somebody else":   {trusting("10.0.0.0/8"), https, false},
		"always":             {func(c *Config, _ *Shop) { c.AlwaysHTTPS = true }, nil, true},
		"always, said or not": {
			func(c *Config, _ *Shop) { c.AlwaysHTTPS = true }, []string{"X-Forwarded-Proto", "http"}, true,
		},
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
		r.do("GET", "/api/cart", nil, append([]string{"Cookie", cookie.Name + "=" + cookie.Value},
			test.header...)...).decode(t, &cart)
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
	r.do("POST", "/api/webhooks/stripe", shop.Event{ID: "evt", Type: "x"}, "Stripe-Signature", "good", "Sec-Fetch-Site",
		"cross-site").want(t, 200)
}

// TestLoginTellsNothing: a wrong password and an unknown email get the same answer.
func TestLoginTellsNothing(t *testing.T) {
	r := newRig(t, nil)
	r.register("ada@example.com")
	r.client = newBrowser(t)
	wrong := r.do("POST", "/api/auth/login", Credentials{"ada@example.com", "wrong password"})
	unknown := r.do("POST", "/api/auth/login", Credentials{"bob@example.com", "wrong password"})
	if wrong.StatusCode != unknown.StatusCode || string(wrong.body) != string(unknown.body) ||
		len(wrong.Header) != len(unknown.Header) {
		t.Errorf("%d %v %s\n%d %v %s", wrong.StatusCode, wrong.Header, wrong.body, unknown.StatusCode, unknown.Header,
			unknown.body)
	}
}

// bearer is a program that holds the token.
func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// TestLogout: a session ends wherever its token was copied to, and no other does.
func TestLogout(t *testing.T) {
	r := newRig(t, nil)
	s := r.register("ada@example.com")
	phone := newBrowser(t)
	laptop := r.client
	r.client = phone
	var onPhone, onTablet Session
	r.do("POST", "/api/auth/login", Credentials{"ada@example.com", password}).want(t, 200).decode(t, &onPhone)
	r.client = newBrowser(t)
	r.do("POST", "/api/auth/login", Credentials{"ada@example.com", password}).want(t, 200).decode(t, &onTablet)
	r.client = newBrowser(t)
	eve := r.register("eve@example.com")

	r.client = laptop
	kept := cookies(r.do("GET", "/api/account", nil).want(t, 200))
	r.do("POST", "/api/auth/logout", nil).want(t, 204)
	if len(kept) != 0 {
		t.Errorf("cookies %v", kept)
	}
	r.client = newBrowser(t)
	r.do("GET", "/api/account", nil, bearer(s.Token)...).want(t, 401)
	r.do("GET", "/api/orders", nil, "Cookie", "session="+s.Token).want(t, 401)
	r.do("POST", "/api/auth/logout", nil, bearer(s.Token)...).want(t, 204) // is over already
	r.do("POST", "/api/auth/logout", nil).want(t, 204)                     // nobody
	r.do("POST", "/api/auth/logout-everywhere", nil).want(t, 401)
	for _, other := range []Session{onPhone, onTablet, eve} {
		r.do("GET", "/api/account", nil, bearer(other.Token)...).want(t, 200)
	}

	r.client = phone
	rep := r.do("POST", "/api/auth/logout-everywhere", nil).want(t, 204)
	if c := cookies(rep)["session"]; c == nil || c.Value != "" {
		t.Errorf("the cookie was not dropped: %v", c)
	}
	r.client = newBrowser(t)
	for _, ended := range []Session{onPhone, onTablet} {
		r.do("GET", "/api/account", nil, bearer(ended.Token)...).want(t, 401)
	}
	r.do("GET", "/api/account", nil, bearer(eve.Token)...).want(t, 200)
	r.do("POST", "/api/auth/login", Credentials{"ada@example.com", password}).want(t, 200)
}

// TestTokenOutlivesNothing: a token ends with its account, also where another account has the id by now, as
// it comes about when a database is restored from before the account.
func TestTokenOutlivesNothing(t *testing.T) {
	r := newRig(t, nil)
	s := r.register("ada@example.com")
	if err := r.store.RemoveUser(t.Context(), s.User.ID); err != nil {
		t.Fatal(err)
	}
	r.do("GET", "/api/account", nil, bearer(s.Token)...).want(t, 401)
	r.do("GET", "/api/cart", nil, bearer(s.Token)...).want(t, 401)

	restored := newRig(t, nil) // the same key, another database
	if heir := restored.register("eve@example.com"); heir.User.ID != s.User.ID {
		t.Fatalf("the accounts are %d and %d: this test wants the same id", heir.User.ID, s.User.ID)
	}
	restored.do("GET", "/api/account", nil, bearer(s.Token)...).want(t, 401)
}

// TestSessionKeyRotates: with two keys the first one signs and both are good.
func TestSessionKeyRotates(t *testing.T) {
	first, second := []byte(strings.Repeat("1", 32)), []byte(strings.Repeat("2", 32))
	r := newRig(t, func(c *Config, _ *Shop) { c.SessionKeys = [][]byte{first} })
	old := r.register("ada@example.com")
	r.server.sessionKeys = [][]byte{second, first}
	r.do("GET", "/api/account", nil, bearer(old.Token)...).want(t, 200)
	var fresh Session
	r.do("POST", "/api/auth/login", Credentials{"ada@example.com", password}).want(t, 200).decode(t, &fresh)
	r.server.sessionKeys = [][]byte{second}
	r.do("GET", "/api/account", nil, bearer(fresh.Token)...).want(t, 200)
	r.do("GET", "/api/account", nil, bearer(old.Token)...).want(t, 401)
}

// lookups counts what is asked of the sessions.
type lookups struct {
	shop.Sessions
	n atomic.Int32
}

func (l *lookups) Session(ctx context.Context, id string) (shop.Session, error) {
	l.n.Add(1)
	return l.Sessions.Session(ctx, id)
}

// TestCatalogAsksForNoSession: who is signed in costs the catalog nothing.
func TestCatalogAsksForNoSession(t *testing.T) {
	sessions := &lookups{}
	r := newRig(t, func(_ *Config, sh *Shop) { sessions.Sessions, sh.Sessions = sh.Sessions, sessions })
	mug := r.product("mug", 900, 10)
	s := r.register("ada@example.com")
	for _, path := range []string{
		"/api/products", fmt.Sprintf("/api/products/%d", mug.ID), "/api/categories", "/api/info", "/",
	} {
		r.do("GET", path, nil).want(t, 200)
		r.do("GET", path, nil, bearer(s.Token)...).want(t, 200)
	}
	if n := sessions.n.Load(); n != 0 {
		t.Errorf("%d sessions were looked up", n)
	}
	r.do("GET", "/api/cart", nil).want(t, 200)
	if n := sessions.n.Load(); n != 1 {
		t.Errorf("%d sessions were looked up for a cart, want 1", n)
	}
}

// watchedAccounts notes how accounts are used.
type watchedAccounts struct {
	shop.Accounts
	calls []string
}

func (w *watchedAccounts) CreateUser(ctx context.Context, u shop.User) (shop.User, error) {
	w.calls = append(w.calls, fmt.Sprint("create, hash of ", len(u.PasswordHash), " bytes"))
	return w.Accounts.CreateUser(ctx, u)
}

func (w *watchedAccounts) UserByEmail(ctx context.Context, email string) (shop.User, error) {
	w.calls = append(w.calls, "look up")
	return w.Accounts.UserByEmail(ctx, email)
}

// TestRegistrationWorksAlike: whether an email has an account is told by the answer alone, not by the work
// that comes before it; and how often somebody may ask is limited.
func TestRegistrationWorksAlike(t *testing.T) {
	accounts := &watchedAccounts{}
	b := &bursts{used: map[string]int{}}
	r := newRig(t, func(c *Config, sh *Shop) {
		accounts.Accounts, sh.Accounts = sh.Accounts, accounts
		c.Allow, c.Forgive = b.allow, b.forgive
	})
	register := func() reply {
		return r.do("POST", "/api/auth/register", Registration{"ada@example.com", password, "Ada", "L"})
	}
	register().want(t, 201)
	free := accounts.calls
	accounts.calls = nil
	register().want(t, 409)
	if !slices.Equal(accounts.calls, free) {
		t.Errorf("the work is %q for an email with an account, %q for one without", accounts.calls, free)
	}
	for range limitRegister.Burst - 2 {
		register().want(t, 409)
	}
	register().want(t, 429)
}
