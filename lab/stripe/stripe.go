// Package stripe stands in for Stripe's API where the laboratory breaks things: it keeps what became of each payment,
// so that the shop's books can be held against it, and its webhooks can be kept from arriving. It is what the shop
// and a browser ask for to take a card's payment, and no more.
package stripe

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shoplab/contract"
)

// Stripe is the stand-in, which listens on 127.0.0.1. Close it.
type Stripe struct {
	secret, url string
	server      *http.Server
	client      *http.Client
	webhook     atomic.Pointer[string] // the address that events are sent to
	dropping    atomic.Bool
	sending     sync.WaitGroup

	mu      sync.Mutex
	intents map[string]*intent
	keys    map[string]string // intent or refund by idempotency key
	refunds int
}

// intent is a PaymentIntent.
type intent struct {
	id, status string
	amount     int64
	created    time.Time
	charged    time.Time // zero until it is
	refunds    []refund
}

type refund struct {
	id     string
	amount int64
}

// Charge is money that was taken.
type Charge struct {
	Intent   string
	At       time.Time
	Refunded bool // all of it
}

// New starts a stand-in.
func New() (*Stripe, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen in Stripe's place: %w", err)
	}
	s := &Stripe{
		secret: "whsec_" + rand.Text(), url: "http://" + listener.Addr().String(),
		client:  &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		intents: map[string]*intent{}, keys: map[string]string{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/payment_intents", s.create)
	mux.HandleFunc("GET /v1/payment_intents/{id}", s.on(func(*intent, *http.Request) *failure { return nil }))
	mux.HandleFunc("POST /v1/payment_intents/{id}/confirm", s.on(s.confirm))
	mux.HandleFunc("POST /v1/payment_intents/{id}/cancel", s.on(s.cancel))
	mux.HandleFunc("POST /v1/refunds", s.refund)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends with an error, whatever ends it
	return s, nil
}

// Close stops listening, and waits for the events that are under way.
func (s *Stripe) Close() error {
	s.dropping.Store(true)
	err := s.server.Close()
	s.sending.Wait()
	s.client.CloseIdleConnections()
	return err
}

// URL is the address of the API.
func (s *Stripe) URL() string { return s.url }

// Env is the environment of a shop that is paid here. Its keys are of this stand-in alone.
func (s *Stripe) Env() []string {
	return []string{
		contract.EnvPayments + "=stripe", contract.EnvStripeAPIURL + "=" + s.url, contract.EnvStripeWebhookSecret + "=" +
			s.secret,
		contract.EnvStripeSecretKey + "=sk_test_standin", contract.EnvStripePublishableKey + "=pk_test_standin",
	}
}

// Notify has events sent to the shop at this address from now on. An event is sent once: Stripe tries again for days,
// but the shop is not to depend on it.
func (s *Stripe) Notify(shop string) {
	address := shop + contract.WebhooksPath
	s.webhook.Store(&address)
}

// Drop keeps webhooks from arriving, or no longer.
func (s *Stripe) Drop(drop bool) { s.dropping.Store(drop) }

// Charges are the payments that took money from a moment on.
func (s *Stripe) Charges(from time.Time) []Charge {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Charge
	for _, i := range s.intents {
		if !i.charged.IsZero() && !i.charged.Before(from) {
			all = append(all, Charge{Intent: i.id, At: i.charged, Refunded: i.refunded() >= i.amount})
		}
	}
	return all
}

func (i *intent) refunded() (cents int64) {
	for _, r := range i.refunds {
		cents += r.amount
	}
	return cents
}

// failure is an error as Stripe answers it.
type failure struct{ code, message string }

func (s *Stripe) create(w http.ResponseWriter, r *http.Request) {
	amount, err := strconv.ParseInt(r.PostFormValue("amount"), 10, 64)
	if err != nil || amount <= 0 {
		fail(w, failure{"parameter_invalid_integer", "amount"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	i := s.intents[s.keys[key]]
	if i == nil || key == "" {
		i = &intent{id: "pi_" + rand.Text(), status: "requires_payment_method", amount: amount, created: time.Now()}
		s.intents[i.id], s.keys[key] = i, i.id
	}
	answer(w, i.object())
}

// on answers a request about one intent with what became of it.
func (s *Stripe) on(do func(*intent, *http.Request) *failure) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := s.intents[r.PathValue("id")]
		if i == nil {
			fail(w, failure{"resource_missing", "No such payment_intent"})
			return
		}
		if f := do(i, r); f != nil {
			fail(w, *f)
			return
		}
		answer(w, i.object())
	}
}

// confirm takes the money.
func (s *Stripe) confirm(i *intent, r *http.Request) *failure {
	if r.PostFormValue("client_secret") != i.clientSecret() {
		return &failure{"payment_intent_invalid_parameter", "client_secret"}
	}
	if i.status == "canceled" {
		return &failure{"payment_intent_unexpected_state", i.status}
	}
	if i.status != "succeeded" {
		i.status, i.charged = "succeeded", time.Now()
		s.send("payment_intent.succeeded", i.id, i.object())
	}
	return nil
}

func (s *Stripe) cancel(i *intent, _ *http.Request) *failure {
	if i.status != "requires_payment_method" {
		return &failure{"payment_intent_unexpected_state", i.status}
	}
	i.status = "canceled"
	s.send("payment_intent.canceled", i.id, i.object())
	return nil
}

func (s *Stripe) refund(w http.ResponseWriter, r *http.Request) {
	amount, _ := strconv.ParseInt(r.PostFormValue("amount"), 10, 64) // what is none is refused below
	s.mu.Lock()
	defer s.mu.Unlock()
	i, key := s.intents[r.PostFormValue("payment_intent")], r.Header.Get("Idempotency-Key")
	switch {
	case i == nil || i.charged.IsZero():
		fail(w, failure{"resource_missing", "No such charge"})
		return
	case s.keys[key] != "" && key != "":
		answer(w, refundObject(i, refund{s.keys[key], amount}))
		return
	case amount <= 0 || i.refunded()+amount > i.amount:
		fail(w, failure{"charge_already_refunded", "more than was charged"})
		return
	}
	s.refunds++
	back := refund{fmt.Sprintf("re_%d_%s", s.refunds, i.id), amount}
	s.keys[key] = back.id
	i.refunds = append(i.refunds, back)
	s.send("refund.created", back.id, refundObject(i, back))
	answer(w, refundObject(i, back))
}

func (i *intent) clientSecret() string { return i.id + "_secret_" + i.id }

// object is the intent as Stripe's API shows it, its charge expanded.
func (i *intent) object() map[string]any {
	o := map[string]any{
		"id": i.id, "object": "payment_intent", "status": i.status, "amount": i.amount, "amount_received": 0,
		"currency": "usd",
		"created":  i.created.Unix(), "livemode": false, "client_secret": i.clientSecret(),
	}
	if !i.charged.IsZero() {
		refunds := []any{}
		for _, r := range i.refunds {
			refunds = append(refunds, refundObject(i, r))
		}
		o["amount_received"] = i.amount
		o["latest_charge"] = map[string]any{
			"id": "ch_" + i.id, "object": "charge", "created": i.charged.Unix(), "amount_refunded": i.refunded(),
			"disputed": false,
			"refunds":  map[string]any{"object": "list", "data": refunds, "has_more": false},
		}
	}
	return o
}

func refundObject(i *intent, r refund) map[string]any {
	return map[string]any{
		"id": r.id, "object": "refund", "amount": r.amount, "currency": "usd", "payment_intent": i.id, "status": "succeeded",
		"created": i.charged.Unix(),
	}
}

// send sends an event, unless webhooks are dropped.
func (s *Stripe) send(kind, of string, object map[string]any) {
	to := s.webhook.Load()
	if to == nil || s.dropping.Load() {
		return
	}
	body, err := json.Marshal(map[string]any{
		"id": "evt_" + kind + "_" + of, "object": "event", "api_version": "2023-10-16", "type": kind,
		"created":  time.Now().Unix(),
		"livemode": false, "data": map[string]any{"object": object},
	})
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	s.sending.Go(func() { _ = s.deliver(*to, body) }) // a shop that is down misses it
}

// deliver signs and sends an event as Stripe does (docs.stripe.com/webhooks, "Verify webhook signatures manually").
func (s *Stripe) deliver(to string, body []byte) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, to, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(at + "." + string(body)))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Stripe-Signature", "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

func answer(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object) // who asked has left
}

func fail(w http.ResponseWriter, f failure) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"error": map[string]any{"type": "invalid_request_error", "code": f.code, "message": f.message},
	})
}
