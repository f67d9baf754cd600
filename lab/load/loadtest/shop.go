// Package loadtest has a shop whose capacity is known, in memory, for tests of the load.
package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Shop is a shop whose capacity is known: every request holds one of its servers for the
// service time, and waits in order until one is free. With zero think time, N users and c servers
// of service time s, each answer takes N*s/c once N > c (Little's law).
type Shop struct {
	listener pipeListener
	server   *http.Server
	servers  chan struct{} // nil: unlimited
	// Service is how long a request holds a server.
	Service time.Duration
	// LoseOrder leaves the first order of each account out of its list; Twice ignores idempotency
	// keys.
	LoseOrder, Twice bool
	// Stall delays a request before it asks for a server; Fail answers it with a status other than 0.
	Stall func() time.Duration
	Fail  func(path string) int

	once    sync.Once
	mu      sync.Mutex
	next    int
	orders  map[string]string // status by id
	byKey   map[string]string
	ofToken map[string][]string
}

// New starts a shop with that many servers, 0 for any number, inside a synctest bubble; it is closed
// at the end of the test.
func New(t testing.TB, servers int, service time.Duration) *Shop {
	t.Helper()
	f := newShop(servers, service)
	f.listener = make(pipeListener)
	f.server = &http.Server{Handler: f.handler(), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f.server.Serve(f.listener) // ends with an error, whatever ends it
	}()
	t.Cleanup(func() {
		f.Close()
		<-done
		time.Sleep(time.Minute) // lets every handler end, in no time
	})
	return f
}

// Serve starts such a shop on a port of this machine, for other processes, and returns its address.
func Serve(t testing.TB, servers int, service time.Duration) string {
	t.Helper()
	server := httptest.NewServer(newShop(servers, service).handler())
	t.Cleanup(server.Close)
	return server.URL
}

func newShop(servers int, service time.Duration) *Shop {
	f := &Shop{
		Service: service, orders: map[string]string{},
		byKey: map[string]string{}, ofToken: map[string][]string{},
	}
	if servers > 0 {
		f.servers = make(chan struct{}, servers)
	}
	return f
}

// Close stops the shop: it no longer answers nor accepts.
func (f *Shop) Close() {
	f.once.Do(func() {
		_ = f.server.Close() // only of listener and connections in memory
	})
}

// pipeListener is a network in memory, so that a test runs in the virtual time of synctest.
type pipeListener chan net.Conn

// Accept implements net.Listener.
func (l pipeListener) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close implements net.Listener.
func (l pipeListener) Close() error { close(l); return nil }

// Addr implements net.Listener.
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// Dial connects to the shop.
func (f *Shop) Dial(context.Context, string, string) (conn net.Conn, err error) {
	defer func() {
		if recover() != nil { // the listener is closed
			conn, err = nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
	}()
	client, server := net.Pipe()
	f.listener <- server
	return client, nil
}

func (f *Shop) handler() http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, status int, body func(*http.Request) (int, string)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			f.work()
			if f.Fail != nil {
				if code := f.Fail(r.URL.Path); code != 0 {
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
	answer("GET /api/categories", 200, constant(`{"items":
		[{"name":"tea","count":2}]}`))
	answer("GET /api/products", 200,
		constant(`{"items":[{"id":1,"name":"Green tea","stock":9000},{"id":2,"name":"Mug","stock":0}],"next_cursor":null}`))
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
	answer("GET /api/orders", 200, f.listOrders)
	return mux
}

func (f *Shop) listOrders(r *http.Request) (int, string) {
	list := f.ofToken[r.Header.Get("Authorization")]
	if f.LoseOrder && len(list) > 0 {
		list = list[1:]
	}
	orders := make([]string, len(list))
	for i, id := range list {
		orders[i] = f.orderJSON(id)
	}
	return 0, `{"items":[` + strings.Join(orders, ",") + `],"next_cursor":null}`
}

func (f *Shop) orderJSON(id string) string {
	return fmt.Sprintf(`{"id":"%s","status":"%s","total_cents":100}`, id, f.orders[id])
}

func (f *Shop) placeOrder(r *http.Request) (int, string) {
	key, token := r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization")
	if id, old := f.byKey[key]; old && !f.Twice {
		return 200, f.orderJSON(id)
	}
	f.next++
	id := fmt.Sprintf("o-%d", f.next)
	f.byKey[key], f.orders[id] = id, "pending"
	f.ofToken[token] = append(f.ofToken[token], id)
	return 201, f.orderJSON(id)
}

// work holds a server for the service time.
func (f *Shop) work() {
	if f.Stall != nil {
		time.Sleep(f.Stall())
	}
	if f.servers != nil {
		f.servers <- struct{}{} // a channel's waiting senders are served in order
		defer func() { <-f.servers }()
	}
	time.Sleep(f.Service)
}
