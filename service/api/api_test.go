package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shoplab/contract"
	"shoplab/exectest"
	"shoplab/service/shop"
	"shoplab/service/shoptest"
)

// rig is a server on a loopback port before a shop in memory.
type rig struct {
	t        testing.TB
	server   *Server
	store    *shoptest.Store
	registry *prometheus.Registry
	url      string
	log      *exectest.Output
	client   *http.Client // keeps cookies, as a browser does
}

// newRig starts a server; change may alter its configuration and what it serves.
func newRig(t testing.TB, change func(*Config, *Shop)) *rig {
	t.Helper()
	return build(t, change).listen()
}

// build is newRig without listening.
func build(t testing.TB, change func(*Config, *Shop)) *rig {
	t.Helper()
	r := &rig{t: t, store: shoptest.NewStore(), registry: prometheus.NewRegistry(), log: &exectest.Output{}}
	cashier := shop.NewCashier(r.store, r.store, fakeGateway{})
	sh := Shop{
		Catalog: r.store, Accounts: r.store, Sessions: r.store, Carts: r.store, Orders: r.store, Cashier: cashier,
		Hasher: shop.NewHasher(2), Ready: func(context.Context) error { return nil },
		Simulate: func(_ context.Context, secret, _ string) error {
			if secret == "" {
				return shop.Errorf(shop.CodeNotFound, "No such payment.")
			}
			return nil
		},
	}
	c := Config{
		Info:        Info{Stage: "test", Topology: "single", Instance: "i", Version: "v0", Payments: "simulated"},
		SessionKeys: [][]byte{[]byte(strings.Repeat("k", 32))}, OrderHold: time.Minute, AccessLog: true,
		Log: slog.New(slog.NewJSONHandler(r.log, nil)), Metrics: NewMetrics(r.registry),
	}
	if change != nil {
		change(&c, &sh)
	}
	cashier.Observe, cashier.Log = c.Metrics.ObserveCashier, c.Log
	var err error
	if r.server, err = New(c); err != nil {
		t.Fatal(err)
	}
	if sh.Catalog != nil {
		r.server.Open(sh)
	}
	return r
}

// listen serves on a loopback port until the end of the test.
func (r *rig) listen() *rig {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.url = "http://" + l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- r.server.Serve(l) }()
	r.client = newBrowser(r.t)
	r.t.Cleanup(func() {
		r.client.CloseIdleConnections()
		if err := errors.Join(r.server.App().ShutdownWithTimeout(5*time.Second), <-done); err != nil {
			r.t.Error(err)
		}
	})
	return r
}

func newBrowser(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true}, Timeout: 30 * time.Second}
}

// reply is a response, read to its end.
type reply struct {
	*http.Response
	body []byte
}

// do sends a request and holds the reply against what every reply must have, and against the
// OpenAPI document. Header is name and value by turns; body is JSON unless it is a string.
func (r *rig) do(method, path string, body any, header ...string) reply {
	r.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		in = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, in)
	if err != nil {
		r.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	rep := reply{res, got}
	if res.Header.Get("X-Request-ID") == "" {
		r.t.Errorf("%s %s: no X-Request-ID", method, path)
	}
	if (rep.StatusCode == 429 || rep.StatusCode == 503) && res.Header.Get("Retry-After") == "" {
		r.t.Errorf("%s %s: %d without Retry-After", method, path, rep.StatusCode)
	}
	want := rep.StatusCode == 503 && !strings.Contains(string(got), "The shop is starting.")
	if own := res.Header.Get(contract.HeaderNoRetry) != ""; own != want {
		r.t.Errorf("%s %s: %d with %s: %t", method, path, rep.StatusCode, contract.HeaderNoRetry, own)
	}
	r.conform(method, path, rep)
	return rep
}

func (rep reply) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(rep.body, into); err != nil {
		t.Fatalf("%v in %q", err, rep.body)
	}
}

// code is the code of a problem document, "" for any other reply.
func (rep reply) code(t testing.TB) string {
	t.Helper()
	if rep.Header.Get("Content-Type") != problemType {
		return ""
	}
	var p problem
	rep.decode(t, &p)
	return string(p.Code)
}

// want fails the test unless the reply has the status.
func (rep reply) want(t testing.TB, status int) reply {
	t.Helper()
	if rep.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", rep.Request.Method, rep.Request.URL.Path, rep.StatusCode, rep.body, status)
	}
	return rep
}

// product puts one into the shop.
func (r *rig) product(name string, cents int64, stock int) shop.Product {
	r.t.Helper()
	p, err := r.store.PutProduct(r.t.Context(), shop.Product{
		Name: name, Description: "A " + name + ".", Category: "Things", PriceCents: cents, Stock: stock,
		ImageURL: "/images/products/" + name + ".svg",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// register makes an account; the browser is then signed in.
func (r *rig) register(email string) Session {
	r.t.Helper()
	var s Session
	r.do("POST", "/api/auth/register", Registration{
		Email: email, Password: password, FirstName: "Ada", LastName: "L",
	}).want(r.t, 201).decode(r.t, &s)
	return s
}

const password = "correct horse battery"

// order orders a piece of p.
func (r *rig) order(p shop.Product, key string) Order {
	r.t.Helper()
	r.do("POST", "/api/cart/items", NewItem{ProductID: p.ID, Quantity: 1}).want(r.t, 200)
	var o Order
	r.do("POST", "/api/orders", nil, "Idempotency-Key", key).want(r.t, 201).decode(r.t, &o)
	return o
}

// fakeGateway takes the signature "good" and the event as package shop's JSON.
type fakeGateway struct{}

func (fakeGateway) CreateIntent(_ context.Context, o shop.Order) (shop.Payment, error) {
	if o.TotalCents == brokenCents {
		return shop.Payment{}, errors.New("the gateway's secret words")
	}
	id := "pi_" + strconv.FormatInt(o.ID, 10)
	return shop.Payment{
		OrderID: o.ID, IntentID: id, ClientSecret: id + "_secret", AmountCents: o.TotalCents, Currency: shop.Currency,
		Status: shop.PaymentOpen,
	}, nil
}

// brokenCents is the amount that fakeGateway fails on.
const brokenCents = 666

func (fakeGateway) Intent(context.Context, string) ([]shop.Event, error) { return nil, nil }

func (fakeGateway) CancelIntent(context.Context, string) ([]shop.Event, error) { return nil, nil }

func (fakeGateway) RefundIntent(_ context.Context, r shop.Refund) (shop.Return, error) {
	return shop.Return{ID: "re_" + r.IntentID, AmountCents: r.AmountCents, Status: shop.ReturnSucceeded}, nil
}

func (fakeGateway) ParseEvent(body []byte, signature string) (e shop.Event, err error) {
	if signature == "off" {
		return e, shop.Errorf(shop.CodeWebhooksOff, "There is no secret.")
	}
	if signature != "good" || json.Unmarshal(body, &e) != nil {
		return e, shop.Errorf(shop.CodeBadSignature, "The signature is not ours.")
	}
	return e, nil
}

func trusting(networks ...string) func(*Config, *Shop) {
	return func(c *Config, _ *Shop) {
		for _, n := range networks {
			c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(n))
		}
	}
}

// metric is the value of a metric, written as Prometheus does: name{label="value",...}, labels in
// alphabetical order. 0 if it is not there.
func (r *rig) metric(series string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			name := f.GetName()
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if h := m.GetHistogram(); h != nil {
				name, value = name+"_count", float64(h.GetSampleCount())
			}
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			if name == series {
				return value
			}
		}
	}
	return 0
}
