package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// shopper speaks to the program as a client program does.
type shopper struct {
	url, token, cart string
}

// answer is what came back. Only what the tests look at.
type answer struct {
	status int
	header http.Header
	body   []byte

	Code       string
	ID         int64
	Status     any // of an order a word, of a problem a number
	Token      string
	TotalCents int64  `json:"total_cents"`
	Refunded   int64  `json:"refunded_cents"`
	Secret     string `json:"client_secret"`
	Items      []item
}

// item is a product, a line of a cart, or an order.
type item struct {
	ID        int64
	ProductID int64 `json:"product_id"`
	Status    string
	Stock     int
	Quantity  int
}

// client keeps as many connections as the tests have shoppers.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 30 * time.Second}
}

var shared = client()

// try sends a request; header is name and value by turns.
func (s *shopper) try(method, path string, body any, header ...string) (a answer, err error) {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return a, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.url+path, in)
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	if s.cart != "" {
		req.Header.Set("X-Cart-ID", s.cart)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := shared.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	a.status, a.header = res.StatusCode, res.Header
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return a, err
	}
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		err = json.Unmarshal(a.body, &a)
	}
	return a, err
}

// do is try that must get the status.
func (s *shopper) do(t testing.TB, want int, method, path string, body any, header ...string) answer {
	t.Helper()
	a, err := s.try(method, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != want {
		t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, want)
	}
	return a
}

type object map[string]any

// register makes an account and signs in.
func (s *shopper) register(t testing.TB, email string) {
	t.Helper()
	s.token = s.do(t, 201, "POST", "/api/auth/register", object{
		"email": email, "password": "correct horse battery", "first_name": "Ada", "last_name": "L",
	}).Token
	s.cart = ""
}

// order orders pieces of a product and starts the payment.
func (s *shopper) order(t testing.TB, product int64, quantity int) (id int64, secret string) {
	t.Helper()
	s.do(t, 200, "POST", "/api/cart/items", object{"product_id": product, "quantity": quantity})
	id = s.do(t, 201, "POST", "/api/orders", nil,
		"Idempotency-Key", fmt.Sprintf("%d-%d", product, time.Now().UnixNano())).ID
	return id, s.do(t, 200, "POST", fmt.Sprintf("/api/orders/%d/payment", id), nil).Secret
}

// statusOf is the status of an order.
func (s *shopper) statusOf(t testing.TB, id int64) string {
	t.Helper()
	return fmt.Sprint(s.do(t, 200, "GET", fmt.Sprintf("/api/orders/%d", id), nil).Status)
}

// sign is a Stripe-Signature of body.
func sign(body []byte, secret string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return fmt.Sprintf("t=%d,v1=%x", at.Unix(), mac.Sum(nil))
}

// webhook sends an event as Stripe does and returns the status.
func webhook(t testing.TB, p *program, body []byte, signature string) int {
	t.Helper()
	return webhookAs(t, p, "application/json; charset=utf-8", body, signature)
}

// webhookAs is webhook with another type of the body.
func webhookAs(t testing.TB, p *program, contentType string, body []byte, signature string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/api/webhooks/stripe",
		bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Stripe-Signature", signature)
	res, err := shared.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// metric adds up the samples of a metric on the admin listener, or those with the label's value;
// false if it is not there.
func (p *program) metric(t testing.TB, name string, label ...string) (sum float64, ok bool) {
	t.Helper()
	res, err := shared.Get(p.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	f, ok := families[name]
	if !ok {
		return 0, false
	}
	for _, m := range f.GetMetric() {
		wanted := len(label) == 0
		for _, l := range m.GetLabel() {
			wanted = wanted || l.GetValue() == label[0]
		}
		if !wanted {
			continue
		}
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sum, true
}

// query asks the program's database for one number.
func query(t testing.TB, url, sql string, args ...any) (n int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
