package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func TestLeastOutstanding(t *testing.T) {
	p := newProxy()
	if p.acquire() != nil {
		t.Error("a proxy without backends has one")
	}
	p.use([]string{"a", "b", "c"})
	held := map[string]*backend{}
	for range 3 {
		b := p.acquire()
		held[b.host] = b
	}
	if len(held) != 3 {
		t.Fatalf("three requests went to %d backends, want one each", len(held))
	}
	p.release(held["b"])
	if b := p.acquire(); b.host != "b" {
		t.Errorf("the next went to %s, want b, the only idle one", b.host)
	}
	p.use([]string{"b", "d"})
	if b := p.acquire(); b.host != "d" {
		t.Errorf("after a change the next went to %s, want d: b still has one outstanding", b.host)
	}
}

func TestEqualsTakeTurns(t *testing.T) {
	p := newProxy()
	p.use([]string{"a", "b"})
	var got []string
	for range 4 {
		b := p.acquire()
		got = append(got, b.host)
		p.release(b)
	}
	if s := strings.Join(got, ""); s != "baba" && s != "abab" {
		t.Errorf("sequential requests went to %s, want turns", s)
	}
}

func TestForwards(t *testing.T) {
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen-Host", r.Host)
		w.Header().Set("X-Seen-For", r.Header.Get("X-Forwarded-For"))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.Copy(w, r.Body)
	}))
	defer shop.Close()
	p := newProxy()
	front := httptest.NewServer(p)
	defer front.Close()

	get := func() *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/x", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "shop.example"
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		resp, err := front.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	if resp := get(); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("without a backend: %s, want 503 with Retry-After", resp.Status)
	}
	p.use([]string{strings.TrimPrefix(shop.URL, "http://")})
	resp := get()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusTeapot || string(body) != "body" {
		t.Errorf("answer %s %q %v, want the shop's own", resp.Status, body, err)
	}
	if host := resp.Header.Get("X-Seen-Host"); host != "shop.example" {
		t.Errorf("the shop saw host %q, want the shopper's", host)
	}
	if xff := resp.Header.Get("X-Seen-For"); xff != "203.0.113.9, 127.0.0.1" {
		t.Errorf("the shop saw X-Forwarded-For %q, want both hops", xff)
	}
	p.use([]string{"127.0.0.1:1"})
	if resp := get(); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("with a dead backend: %s, want 502", resp.Status)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.backends[0].outstanding; n != 0 {
		t.Errorf("%d requests still counted after their end", n)
	}
}

func TestEndsWithStandardInput(t *testing.T) {
	r, w := io.Pipe()
	var wg sync.WaitGroup
	var err error
	wg.Go(func() { err = run(t.Context(), "127.0.0.1:0", r) })
	if _, err := io.WriteString(w, "127.0.0.1:1\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait() // hangs, and fails by the test's time limit, if it does not end
	if err != nil {
		t.Errorf("run: %v", err)
	}
}
