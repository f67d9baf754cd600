package load

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for address, want := range map[string]string{
		"http://shop.example":         "http://shop.example",
		"https://shop.example/":       "https://shop.example",
		"http://[::1]:8080":           "http://[::1]:8080",
		"https://example.org/shop/":   "https://example.org/shop",
		"http://127.0.0.1:8080":       "http://127.0.0.1:8080",
		"HTTPS://shop.example":        "https://shop.example",
		"https://shop.example:443/x/": "https://shop.example:443/x",
	} {
		if got, err := ParseURL(address); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", address, got, err, want)
		}
	}
	for address, want := range map[string]string{
		"":                              "want http:// or https://",
		"shop.example":                  "such as https://shop.example",
		"localhost:8080":                "such as https://localhost:8080",
		"ftp://shop.example":            "want http://host or https://host",
		"http://":                       "want http://host",
		"http://shop.example/?lang=de":  "type http://shop.example/",
		"http://shop.example/?":         "type http://shop.example/",
		"http://shop.example/#/cart":    "type http://shop.example/",
		"https://a:secret@shop.example": "type https://shop.example",
		"https://a@shop.example":        "type https://shop.example",
		"https://a:secret@shop:port":    "invalid port",
		"https://a:secr%et@shop":        "the shop's URL is none",
		"https://a:secret@sh op":        "the shop's URL is none",
	} {
		_, err := ParseURL(address)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "secr%et")) {
			t.Errorf("%q: the message repeats the password: %v", address, err)
		}
	}
}

func TestMeetingWhatIsNoShopSaysWhatToType(t *testing.T) {
	answer := func(f http.HandlerFunc) http.Handler { return f }
	for name, c := range map[string]struct {
		handler  http.Handler
		insecure bool
		want     string
	}{
		"a redirect": {answer(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://www.shop.example"+r.URL.Path, http.StatusMovedPermanently)
		}), true, "the shop redirects: type https://www.shop.example"},
		"a redirect within": {answer(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/de/", http.StatusFound)
		}), true, "/de"},
		"a web page": {
			answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }), true,
			"is no shop",
		},
		"its rate limit": {answer(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(429)
			_, _ = w.Write([]byte(`{"code":"RATE_LIMITED"}`))
		}), true, "shoplab:rateLimit off"},
		"real payments": {answer(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"payments":"stripe"}`))
		}), true, "does not simulate payments"},
		"an unknown certificate": {answer(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"payments":"stripe"}`))
		}), false, "--insecure"},
	} {
		srv := httptest.NewUnstartedServer(c.handler)
		srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that is broken off
		srv.StartTLS()
		_, _, err := NewCrowd(t.Context(), Options{URL: srv.URL, Insecure: c.insecure})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		srv.Close()
	}
}
