package load

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tsenart/vegeta/v12/lib"
)

// op is one kind of request: how a shopper asks it, and what a right answer is. answer returns ""
// for a right answer, or the kind of error; nil means that any 2xx is right. reads says that answer
// needs the body.
type op struct {
	name   string
	work   Work
	ask    func(*shopper) vegeta.Target
	answer func(s *shopper, status int, header http.Header, body []byte) string
}

// A shopper asks whether the payment has arrived every pollEvery, and maxPolls times at most: 5 s. In
// between nothing of this shopper's is under way, which is the only pause in the load.
const (
	pollEvery = 100 * time.Millisecond
	maxPolls  = 50
)

// kindUnsettled is the error of a payment that did not arrive within maxPolls questions.
const kindUnsettled = "payment not settled"

// kindDuplicate is the error of an order that a repeated request made twice.
const kindDuplicate = "order placed twice"

var (
	opCategories = op{name: "categories", ask: func(s *shopper) vegeta.Target {
		return s.get("/api/categories")
	}}
	opList = op{name: "list", ask: func(s *shopper) vegeta.Target {
		return s.get("/api/products?limit=20&category=" + url.QueryEscape(s.draw(s.crowd.catalog.categories)))
	}}
	opSearch = op{name: "search", ask: func(s *shopper) vegeta.Target {
		return s.get("/api/products?limit=20&q=" + url.QueryEscape(s.draw(s.crowd.catalog.words)))
	}}
	opProduct = op{name: "product", ask: func(s *shopper) vegeta.Target {
		s.product = s.crowd.catalog.products[s.rng.IntN(len(s.crowd.catalog.products))]
		return s.get("/api/products/" + s.product.path())
	}}

	opGuestAdd = op{name: "guest cart add", work: Work{Trips: 1, Locks: true}, ask: func(s *shopper) vegeta.Target {
		s.guest = "" // a new visitor: the server hands out the cart
		return s.send(http.MethodPost, "/api/cart/items", s.itemJSON(1+s.rng.IntN(2)))
	}, answer: func(s *shopper, _ int, header http.Header, _ []byte) string {
		if s.guest = header.Get("X-Cart-ID"); s.guest == "" {
			return "no X-Cart-ID handed out"
		}
		return ""
	}}
	opGuestSet = op{name: "guest cart set", work: Work{Trips: 1, Locks: true}, ask: func(s *shopper) vegeta.Target {
		return s.send(http.MethodPut, "/api/cart/items/"+s.product.path(),
			fmt.Appendf(nil, `{"quantity":%d}`, 1+s.rng.IntN(3)))
	}}
	opGuestCart = op{name: "guest cart", work: Work{Trips: 1}, ask: func(s *shopper) vegeta.Target {
		return s.get("/api/cart")
	}}

	opLogin = op{name: "login", work: Work{Trips: 2, Hashes: true}, ask: func(s *shopper) vegeta.Target {
		s.visitor = s.crowd.accounts.any(s.rng)
		// strings cannot fail
		body, _ := json.Marshal(map[string]string{"email": s.visitor.email, "password": s.visitor.password})
		return s.send(http.MethodPost, "/api/auth/login", body)
	}, answer: func(s *shopper, _ int, _ http.Header, body []byte) string {
		var in struct{ Token string }
		if json.Unmarshal(body, &in) != nil || in.Token == "" {
			return "no token in the answer"
		}
		s.token = in.Token
		return ""
	}}
	opAccount = op{name: "account", work: Work{Trips: 2}, ask: func(s *shopper) vegeta.Target {
		return s.get("/api/account")
	}}

	opAdd = op{name: "cart add", work: Work{Trips: 2, Locks: true}, ask: func(s *shopper) vegeta.Target {
		return s.send(http.MethodPost, "/api/cart/items", s.itemJSON(1))
	}}
	opOrder = op{name: "order", work: Work{Trips: 2, Locks: true}, ask: func(s *shopper) vegeta.Target {
		if !s.again {
			s.key = fmt.Sprintf("%s-%d", s.crowd.run, s.crowd.keys.Add(1))
		}
		t := s.send(http.MethodPost, "/api/orders", nil)
		t.Header.Set("Idempotency-Key", s.key)
		return t
	}, answer: (*shopper).placed}
	opPay = op{name: "pay", work: Work{Trips: 5}, ask: func(s *shopper) vegeta.Target {
		return s.send(http.MethodPost, "/api/orders/"+s.order.path()+"/payment", nil)
	}, answer: func(s *shopper, _ int, _ http.Header, body []byte) string {
		var in struct {
			ClientSecret string `json:"client_secret"`
			AmountCents  int64  `json:"amount_cents"`
		}
		if json.Unmarshal(body, &in) != nil || in.ClientSecret == "" {
			return "no client_secret in the answer"
		}
		s.secret = in.ClientSecret
		return ""
	}}
	opConfirm = op{
		name: "confirm payment", work: Work{Trips: 3, After: true}, ask: (*shopper).confirm,
		answer: func(s *shopper, _ int, _ http.Header, _ []byte) string {
			s.polls = 0
			return ""
		},
	}
	opAwait = op{name: "await paid", work: Work{Trips: 2}, ask: func(s *shopper) vegeta.Target {
		return s.get("/api/orders/" + s.order.path())
	}, answer: (*shopper).settled}
)

// confirm pays as a browser does: at the shop that simulates payments, or at what stands in for Stripe.
func (s *shopper) confirm() vegeta.Target {
	if s.crowd.payAt == "" {
		body, _ := json.Marshal(map[string]string{"client_secret": s.secret, "outcome": "succeeded"}) // strings cannot fail
		return s.send(http.MethodPost, "/api/payments/simulate", body)
	}
	intent, _, _ := strings.Cut(s.secret, "_secret_")
	return vegeta.Target{
		Method: http.MethodPost, URL: s.crowd.payAt + "/v1/payment_intents/" + url.PathEscape(intent) + "/confirm",
		Body:   []byte(url.Values{"client_secret": {s.secret}}.Encode()),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	}
}

// placed notes the order that an answer speaks of. Every tenth shopper clicks twice: the same key
// again must give the same order.
func (s *shopper) placed(_ int, _ http.Header, body []byte) string {
	var in struct {
		ID         id    `json:"id"`
		TotalCents int64 `json:"total_cents"`
	}
	if json.Unmarshal(body, &in) != nil || in.ID == "" {
		return "no order in the answer"
	}
	if s.again {
		s.again = false
		if in.ID != s.order {
			s.crowd.ledger.duplicate()
			return kindDuplicate
		}
		s.letGo()
		return ""
	}
	s.order = in.ID
	if !s.crowd.ledger.placed(s.account, in.ID, in.TotalCents) {
		return kindDuplicate
	}
	if s.rng.IntN(10) == 0 {
		s.again = true
		s.at-- // ask the same again
		return ""
	}
	s.letGo()
	return ""
}

// settled looks whether the payment has arrived, and has the question asked again if not.
func (s *shopper) settled(_ int, _ http.Header, body []byte) string {
	var in struct{ Status string }
	if json.Unmarshal(body, &in) != nil {
		return "no order in the answer"
	}
	switch {
	case in.Status == "paid":
		s.crowd.ledger.paid(s.account, s.order)
		s.bought = true
		return ""
	case in.Status != "pending":
		return "order is " + in.Status + " after its payment"
	}
	if s.polls++; s.polls >= maxPolls {
		return kindUnsettled
	}
	s.at--
	s.waits = true
	return ""
}

// id is an opaque identifier as JSON holds it: a number, or a string with its quotes.
type id string

// UnmarshalJSON keeps the identifier's literal form.
func (i *id) UnmarshalJSON(data []byte) error {
	*i = id(data)
	return nil
}

// path is the identifier as it stands in a URL.
func (i id) path() string {
	var text string
	if json.Unmarshal([]byte(i), &text) == nil {
		return url.PathEscape(text)
	}
	return string(i)
}
