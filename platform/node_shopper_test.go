package platform

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"
)

// shopper is one with an account, who buys what the load's do, and looks at it later.
type shopper struct {
	url, token string
	client     http.Client
	order      json.Number
}

// fields are a JSON object.
type fields map[string]any

func newShopper(url string) *shopper {
	return &shopper{url: url, client: http.Client{Timeout: 30 * time.Second}}
}

// do asks and wants a status; the answer is a JSON object.
func (s *shopper) do(t *testing.T, want int, method, path string, in fields) fields {
	t.Helper()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Idempotency-Key", "one")
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Fatalf("%s %s: %s, want %d; %v\n%s", method, path, response.Status, want, err, text)
	}
	out, decoder := fields{}, json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if len(text) > 0 {
		if err := decoder.Decode(&out); err != nil {
			t.Fatalf("%s %s: %v\n%s", method, path, err, text)
		}
	}
	return out
}

// ada is who buys.
var ada = fields{
	"email": "ada@example.com", "password": "correct horse battery", "first_name": "Ada", "last_name": "Lovelace",
}

// buys goes the whole way from a new account to a paid order.
func (s *shopper) buys(t *testing.T) {
	s.token = s.do(t, http.StatusCreated, "POST", "/api/auth/register", ada)["token"].(string)
	s.do(t, http.StatusOK, "POST", "/api/cart/items", fields{"product_id": s.plenty(t), "quantity": 2})
	s.order = s.do(t, http.StatusCreated, "POST", "/api/orders", nil)["id"].(json.Number)
	secret := s.do(t, http.StatusOK, "POST", "/api/orders/"+s.order.String()+"/payment", nil)["client_secret"]
	s.do(t, http.StatusAccepted, "POST", "/api/payments/simulate", fields{"client_secret": secret, "outcome": "succeeded"})
	for end := time.Now().Add(nodePatience); s.status(t) != "paid"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the order is %s", s.status(t))
		}
	}
}

// plenty is a product of which there are many.
func (s *shopper) plenty(t *testing.T) any {
	t.Helper()
	for _, item := range s.do(t, http.StatusOK, "GET", "/api/products?limit=100", nil)["items"].([]any) {
		product := item.(map[string]any)
		if stock, err := product["stock"].(json.Number).Int64(); err == nil && stock > 1000 {
			return product["id"]
		}
	}
	t.Fatal("nothing is in stock")
	return nil
}

func (s *shopper) status(t *testing.T) any {
	t.Helper()
	return s.do(t, http.StatusOK, "GET", "/api/orders/"+s.order.String(), nil)["status"]
}

// finds wants the account, its session and its paid order to be there still.
func (s *shopper) finds(t *testing.T) {
	t.Helper()
	if got := s.status(t); got != "paid" {
		t.Errorf("the order is %v", got)
	}
	s.do(t, http.StatusOK, "POST", "/api/auth/login", ada)
}
