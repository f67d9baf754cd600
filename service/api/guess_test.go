package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"shoplab/service/shop"
)

// bursts limits to each limit's burst, in a time that stands still; but for a network's logins, which fill up
// again within seconds.
type bursts struct {
	mu   sync.Mutex
	used map[string]int
}

func (b *bursts) allow(_ context.Context, key string, l Limit) (bool, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used[key] >= l.Burst && l != limitLoginNetwork.Limit {
		return false, l.Period / time.Duration(l.Rate)
	}
	b.used[key]++
	return true, 0
}

func (b *bursts) forgive(_ context.Context, key string, _ Limit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used[key]--
}

// limitedRig is a rig whose limits hold, and whose clients say where they come from.
func limitedRig(t *testing.T) *rig {
	b := &bursts{used: map[string]int{}}
	return newRig(t, func(c *Config, sh *Shop) {
		trusting("127.0.0.0/8")(c, sh)
		c.Allow, c.Forgive = b.allow, b.forgive
	})
}

// login is a login from an address.
func (r *rig) login(email, password, from string) reply {
	r.t.Helper()
	return r.do("POST", "/api/auth/login", Credentials{email, password}, "X-Forwarded-For", from)
}

// TestNobodyLocksOut guesses at an account until it is refused, and then lets its owner in.
func TestNobodyLocksOut(t *testing.T) {
	r := limitedRig(t)
	owner := r.client
	r.register("ada@example.com")
	r.client = newBrowser(t)
	// One network cannot use up what all strangers together may guess.
	codes := map[int]int{}
	for range 150 {
		codes[r.login("ada@example.com", "wrong password", "192.0.2.1").StatusCode]++
	}
	if codes[http.StatusUnauthorized] != limitLoginPair.Burst || codes[http.StatusTooManyRequests] != 150-
		limitLoginPair.Burst {
		t.Fatalf("150 guesses from one network: %v", codes)
	}
	if rep := r.login("ada@example.com", password, "192.0.2.1"); rep.code(t) != string(shop.CodeRateLimited) ||
		!strings.Contains(string(rep.body), "6 minutes") {
		t.Errorf("the guesser's next try: %d %s", rep.StatusCode, rep.body)
	}
	r.login("eve@example.com", "wrong password", "192.0.2.1").want(t, 401) // another account, from there
	r.client = newBrowser(t)
	r.login("ada@example.com", password, "198.51.100.7").want(t, 200) // a new device elsewhere

	// Many networks can, but not what the owner's devices have.
	r.client = newBrowser(t)
	for i := range 2 * limitLoginAccount.Burst {
		r.login("ada@example.com", "wrong password", fmt.Sprintf("203.0.113.%d", i))
	}
	if rep := r.login("ada@example.com", password, "198.51.100.8"); rep.StatusCode != http.StatusTooManyRequests {
		t.Errorf("strangers guess without end: %d", rep.StatusCode)
	}
	r.client = owner
	r.do("POST", "/api/auth/logout", nil).want(t, 204)
	for _, from := range []string{"198.51.100.9", "192.0.2.1", "203.0.113.1"} { // also from where guesses came
		r.login("ada@example.com", password, from).want(t, 200)
	}
	if n := r.metric(`shoplab_rate_limited_total{limit="login_account"}`); n == 0 {
		t.Error("nobody counted")
	}
}

// TestDeviceCookie: it is good for its account alone, lets nobody in, and has a limit of its own.
func TestDeviceCookie(t *testing.T) {
	r := limitedRig(t)
	rep := r.do("POST", "/api/auth/register", Registration{"ada@example.com", password, "Ada", "L"}).want(t, 201)
	device := cookies(rep)["device"]
	if device == nil || !device.HttpOnly || device.SameSite != http.SameSiteLaxMode ||
		device.MaxAge < int((300*24*time.Hour).Seconds()) ||
		strings.Contains(device.Value, "ada") {
		t.Fatalf("device cookie %v", device)
	}
	r.client = newBrowser(t)
	r.client.Jar = nil
	try := func(email, word, cookie string) int {
		return r.do("POST", "/api/auth/login", Credentials{email, word}, "Cookie", cookie, "X-Forwarded-For",
			"192.0.2.1").StatusCode
	}
	mine := "device=" + device.Value
	r.do("GET", "/api/account", nil, "Cookie", "session="+device.Value).want(t, 401)
	r.do("GET", "/api/account", nil, bearer(device.Value)...).want(t, 401)
	for i := range limitLoginDevice.Burst {
		if got := try("ada@example.com", "wrong password", mine); got != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, got)
		}
	}
	if got := try("ada@example.com", password, mine); got != http.StatusTooManyRequests {
		t.Errorf("whoever has the cookie guesses without end: %d", got)
	}
	if got := try("ada@example.com", password, "device=forged"); got != http.StatusOK {
		t.Errorf("without the cookie's limit: %d", got)
	}
	for range limitLoginPair.Burst { // for another account it is worth nothing
		try("eve@example.com", "wrong password", mine)
	}
	if got := try("eve@example.com", "wrong password", mine); got != http.StatusTooManyRequests {
		t.Errorf("the cookie is good for another account: %d", got)
	}
}

// TestRightPasswordsDoNotCount: signing in often is no guessing.
func TestRightPasswordsDoNotCount(t *testing.T) {
	r := limitedRig(t)
	r.register("ada@example.com")
	r.client.Jar = nil // a program, which keeps no cookies
	for i := range 2 * limitLoginPair.Burst {
		r.login("ada@example.com", password, fmt.Sprintf("192.0.2.%d", i%2)).want(t, 200)
	}
}

// TestRehash: a hash made with less work is made anew at the next login, and only then.
func TestRehash(t *testing.T) {
	r := newRig(t, nil)
	// Argon2id with m=4096, t=1 of the password.
	const old = "$argon2id$v=19$m=4096,t=1,p=1$c2FsdHNhbHRzYWx0$uztSNKNKpMY3GIilAIsYtaqOdsciF8nBg2PazvzsOMw"
	u, err := r.store.CreateUser(t.Context(), shop.User{
		Email: "ada@example.com", FirstName: "Ada", LastName: "L", PasswordHash: old,
	})
	if err != nil {
		t.Fatal(err)
	}
	stored := func() string {
		u, err := r.store.User(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		return u.PasswordHash
	}
	r.login("ada@example.com", "wrong password", "").want(t, 401)
	if stored() != old {
		t.Fatal("a wrong password changed the hash")
	}
	r.login("ada@example.com", password, "").want(t, 200)
	fresh := stored()
	if !strings.HasPrefix(fresh, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("the hash is %s", fresh)
	}
	r.login("ada@example.com", password, "").want(t, 200)
	if stored() != fresh {
		t.Error("a hash of today was made anew")
	}
}
