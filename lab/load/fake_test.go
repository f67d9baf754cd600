package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakeShop is a shop whose capacity is known: every request holds one of its servers for the
// service time, and waits in order until one is free. With zero think time, N users and c servers
// of service time s, each answer takes N*s/c once N > c (Little's law).
type fakeShop struct {
	listener pipeListener
	server   *http.Server
	servers  chan struct{} // nil: unlimited
	service  time.Duration

	once      sync.Once
	mu        sync.Mutex
	next      int
	orders    map[string]string // status by id
	byKey     map[string]string
	ofToken   map[string][]string
	loseOrder bool // does not list the first order of an account
	twice     bool // ignores idempotency keys
	stall     func() time.Duration
	fail      func(path string) int // status to answer instead, 0 for none
}

func newFakeShop(t *testing.T, servers int, service time.Duration) *fakeShop {
	t.Helper()
	f := &fakeShop{
		service: service, orders: map[string]string{},
		byKey: map[string]string{}, ofToken: map[string][]string{},
	}
	if servers > 0 {
		f.servers = make(chan struct{}, servers)
	}
	f.listener = make(pipeListener)
	f.server = &http.Server{Handler: f.handler()}
	done := make(chan error, 1)
	go func() { done <- f.server.Serve(f.listener) }()
	t.Cleanup(func() {
		f.close()
		<-done
		time.Sleep(time.Minute) // lets every handler end, in no time
	})
	return f
}

// close stops the shop: it no longer answers nor accepts.
func (f *fakeShop) close() {
	f.once.Do(func() {
		_ = f.server.Close() // only of listener and connections in memory
	})
}

// pipeListener is a network in memory, so that a test runs in the virtual time of synctest.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l pipeListener) Close() error   { close(l); return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (f *fakeShop) dial(context.Context, string, string) (conn net.Conn, err error) {
	defer func() {
		if recover() != nil { // the listener is closed
			conn, err = nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
	}()
	client, server := net.Pipe()
	f.listener <- server
	return client, nil
}

func (f *fakeShop) handler() http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, status int, body func(*http.Request) (int, string)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			f.work()
			if f.fail != nil {
				if code := f.fail(r.URL.Path); code != 0 {
					w.WriteHeader(code)
					fmt.Fprint(w, `{"code":"OVERLOADED"}`)
					return
				}
			}
			code, text := status, "{}"
			if body != nil {
				f.mu.Lock()
				code, text = body(r)
				f.mu.Unlock()
			}
			if code == 0 {
				code = status
			}
			w.Header().Set("X-Cart-ID", "guest")
			w.WriteHeader(code)
			fmt.Fprint(w, text)
		})
	}
	constant := func(text string) func(*http.Request) (int, string) {
		return func(*http.Request) (int, string) { return 0, text }
	}
	answer("GET /api/info", 200, constant(`{"stage":"fake","topology":"single","payments":"simulated"}`))
	answer("GET /api/categories", 200, constant(`{"items":[{"name":"tea","count":2}]}`))
	answer("GET /api/products", 200, constant(`{"items":[{"id":1,"name":"Green tea","stock":9000},{"id":2,"name":"Mug","stock":0}],"next_cursor":null}`))
	answer("GET /api/products/{id}", 200, nil)
	answer("GET /api/cart", 200, nil)
	answer("POST /api/cart/items", 200, nil)
	answer("PUT /api/cart/items/{id}", 200, nil)
	answer("GET /api/account", 200, nil)
	answer("POST /api/auth/login", 200, constant(`{"token":"visitor"}`))
	answer("POST /api/auth/register", 201, func(*http.Request) (int, string) {
		f.next++
		return 0, fmt.Sprintf(`{"token":"t%d"}`, f.next)
	})
	answer("POST /api/orders", 201, f.placeOrder)
	answer("POST /api/orders/{id}/payment", 200, func(r *http.Request) (int, string) {
		return 0, fmt.Sprintf(`{"client_secret":"%s","amount_cents":100}`, r.PathValue("id"))
	})
	answer("POST /api/payments/simulate", 202, func(r *http.Request) (int, string) {
		var in struct {
			ClientSecret string `json:"client_secret"`
		}
		if json.NewDecoder(r.Body).Decode(&in) != nil {
			return 400, "{}"
		}
		f.orders[in.ClientSecret] = "paid"
		return 0, "{}"
	})
	answer("GET /api/orders/{id}", 200, func(r *http.Request) (int, string) { return 0, f.orderJSON(r.PathValue("id")) })
	answer("GET /api/orders", 200, func(r *http.Request) (int, string) {
		list := f.ofToken[r.Header.Get("Authorization")]
		if f.loseOrder && len(list) > 0 {
			list = list[1:]
		}
		text := ""
		for i, id := range list {
			if i > 0 {
				text += ","
			}
			text += f.orderJSON(id)
		}
		return 0, `{"items":[` + text + `],"next_cursor":null}`
	})
	return mux
}

func (f *fakeShop) orderJSON(id string) string {
	return fmt.Sprintf(`{"id":"%s","status":"%s","total_cents":100}`, id, f.orders[id])
}

func (f *fakeShop) placeOrder(r *http.Request) (int, string) {
	key, token := r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization")
	if id, old := f.byKey[key]; old && !f.twice {
		return 200, f.orderJSON(id)
	}
	f.next++
	id := fmt.Sprintf("o-%d", f.next)
	f.byKey[key], f.orders[id] = id, "pending"
	f.ofToken[token] = append(f.ofToken[token], id)
	return 201, f.orderJSON(id)
}

// work holds a server for the service time.
func (f *fakeShop) work() {
	if f.stall != nil {
		time.Sleep(f.stall())
	}
	if f.servers != nil {
		f.servers <- struct{}{} // a channel's waiting senders are served in order
		defer func() { <-f.servers }()
	}
	time.Sleep(f.service)
}

func newTestCrowd(t *testing.T, f *fakeShop) *Crowd {
	t.Helper()
	c, info, err := NewCrowd(t.Context(), Options{URL: "http://shop.test", dial: f.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if info.Stage != "fake" {
		t.Fatalf("info: %+v", info)
	}
	return c
}
