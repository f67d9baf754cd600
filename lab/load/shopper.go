package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"syscall"

	"github.com/tsenart/vegeta/v12/lib"
)

// headerShopper carries a shopper's number from the targeter to the transport; it is taken off
// before anything is sent.
const headerShopper = "X-Shopper"

// shopper is one visitor, who runs one errand after another, one request at a time.
type shopper struct {
	id    int
	rng   *rand.Rand
	crowd *Crowd

	flow *flow
	at   int // index of the next request of the errand

	token   string // signed in as
	guest   string // the guest's cart
	product id

	account *account // of the purchase
	leased  bool     // nobody else is using it
	visitor *account // signed in, perhaps with others
	key     string   // of the order
	again   bool     // the order is being sent a second time
	order   id
	secret  string
	polls   int
	waits   bool // before the next poll
	bought  bool
}

// next is the shopper's next request.
func (s *shopper) next() vegeta.Target {
	if s.flow == nil {
		s.begin()
	}
	t := s.op().ask(s)
	t.Header.Set(headerShopper, strconv.Itoa(s.id))
	return t
}

// op is the kind of request that the shopper is at.
func (s *shopper) op() *op { return &s.flow.ops[s.at] }

// sold reports, once, that the shopper's order has been paid to the end.
func (s *shopper) sold() bool {
	bought := s.bought
	s.bought = false
	return bought
}

// begin starts an errand. A purchase needs an account that nobody else is using until it has become an
// order: two shoppers in one cart would buy each other's things.
func (s *shopper) begin() {
	s.flow, s.at = pick(s.rng, s.crowd.only), 0
	s.token, s.guest, s.again, s.bought = "", "", false, false
	if s.flow.name != "buy" {
		return
	}
	if s.account = s.crowd.accounts.lease(); s.account == nil {
		s.crowd.accountless.Add(1)
		s.flow = &mix[0]
		return
	}
	s.leased, s.token = true, s.account.token
}

// take digests an answer: it moves the shopper on and returns the kind of error, "" for none. An
// errand that met an error is given up, as a shopper would.
func (s *shopper) take(status int, header http.Header, body []byte, err error) string {
	o, kind := s.op(), ""
	switch {
	case err != nil:
		kind = errorKind(err)
	case o.name == opOrder.name && status == http.StatusConflict && problemCode(body) == "OUT_OF_STOCK":
		// The shop is right: somebody else bought the last one. No error, but no purchase either.
		s.crowd.soldOut.Add(1)
		s.leave()
		return ""
	case status < 200 || status > 299:
		kind = statusKind(status, body)
	}
	if kind == "" {
		s.at++
		if o.answer != nil {
			kind = o.answer(s, status, header, body)
		}
	}
	if kind != "" || s.at == len(s.flow.ops) {
		s.leave()
	}
	return kind
}

// leave ends the errand.
func (s *shopper) leave() {
	s.letGo()
	s.account, s.flow = nil, nil
}

// letGo gives the account's cart to whoever comes next.
func (s *shopper) letGo() {
	if s.leased {
		s.crowd.accounts.release(s.account)
		s.leased = false
	}
}

func (s *shopper) get(path string) vegeta.Target { return s.send(http.MethodGet, path, nil) }

// send makes a request with the shopper's credentials.
func (s *shopper) send(method, path string, body []byte) vegeta.Target {
	h := http.Header{}
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	if s.token != "" {
		h.Set("Authorization", "Bearer "+s.token)
	}
	if s.guest != "" {
		h.Set("X-Cart-ID", s.guest)
	}
	return vegeta.Target{Method: method, URL: s.crowd.url + path, Body: body, Header: h}
}

func (s *shopper) itemJSON(quantity int) []byte {
	return fmt.Appendf(nil, `{"product_id":%s,"quantity":%d}`, s.product, quantity)
}

// draw picks one of the words.
func (s *shopper) draw(words []string) string { return words[s.rng.IntN(len(words))] }

// problemCode is the stable code of a problem document, "" if there is none.
func problemCode(body []byte) string {
	var p struct{ Code string }
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	return p.Code
}

// statusKind names an error answer: "503 OVERLOADED", or "502" where a proxy answered.
func statusKind(status int, body []byte) string {
	if code := problemCode(body); code != "" {
		return strconv.Itoa(status) + " " + code
	}
	return strconv.Itoa(status)
}

// errorKind names a request without an answer, by few words so that errors can be counted.
func errorKind(err error) string {
	var netErr net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, context.Canceled):
		return kindCanceled
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op + " failed"
	}
	return "connection closed"
}

// kindCanceled is a request that the laboratory itself broke off; it is not counted.
const kindCanceled = "canceled"
