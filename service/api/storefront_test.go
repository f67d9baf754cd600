package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"strings"
	"testing"

	"shoplab/web"
)

func TestPages(t *testing.T) {
	r := newRig(t, nil)
	for _, path := range []string{"/", "/product", "/cart", "/checkout", "/orders", "/login", "/register"} {
		rep := r.do("GET", path, nil).want(t, 200)
		if ct := rep.Header.Get("Content-Type"); ct != "text/html; charset=utf-8" ||
			!bytes.HasPrefix(rep.body, []byte("<!doctype html>")) {
			t.Errorf("%s: %s %.30q", path, ct, rep.body)
		}
		csp := rep.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "script-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") ||
			strings.Contains(csp, "unsafe") {
			t.Errorf("%s: Content-Security-Policy %s", path, csp)
		}
		for _, name := range []string{
			"X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy", "ETag", "Cache-Control",
		} {
			if rep.Header.Get(name) == "" {
				t.Errorf("%s: no %s", path, name)
			}
		}
		if n := len(r.do("HEAD", path, nil).want(t, 200).body); n != 0 {
			t.Errorf("HEAD %s: %d bytes", path, n)
		}
	}
	for _, path := range []string{"/index.html", "/js", "/js/", "/../go.mod", "/js/../../web.go", "/static/index.html"} {
		r.do("GET", path, nil).want(t, 404)
	}
}

func TestStripePolicy(t *testing.T) {
	r := newRig(t, func(c *Config, sh *Shop) { c.Info.Payments, sh.Simulate = "stripe", nil })
	csp := r.do("GET", "/checkout", nil).want(t, 200).Header.Get("Content-Security-Policy")
	for _, want := range []string{
		"script-src 'self' https://js.stripe.com", "frame-src https://js.stripe.com", "https://hooks.stripe.com",
		"connect-src 'self' https://api.stripe.com",
	} {
		if !strings.Contains(csp, want) {
			t.Errorf("no %q in %s", want, csp)
		}
	}
	r.do("POST", "/api/payments/simulate", Simulation{"x", "succeeded"}).want(t, 404)
}

// TestUnknownPage: a browser gets a page, a program a problem document.
func TestUnknownPage(t *testing.T) {
	r := newRig(t, nil)
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
	rep := r.do("GET", "/no/such/page", nil, "Accept", browser).want(t, 404)
	if ct := rep.Header.Get("Content-Type"); ct != "text/html; charset=utf-8" ||
		!bytes.Contains(rep.body, []byte("<site-header>")) {
		t.Errorf("%s %.60q", ct, rep.body)
	}
	if vary := rep.Header.Get("Vary"); vary != "Accept, Accept-Encoding" {
		t.Errorf("Vary %q", vary)
	}
	r.do("GET", "/no/such/page", nil, "Accept", browser, "If-None-Match", rep.Header.Get("ETag")).want(t, 404)
	r.do("HEAD", "/no/such/page", nil, "Accept", browser).want(t, 404)
	for _, path := range []string{"/api/nothing", "/api/products/999999"} {
		if code := r.do("GET", path, nil, "Accept", browser).code(t); code != "NOT_FOUND" {
			t.Errorf("%s: code %q", path, code)
		}
	}
	for _, accept := range []string{
		"*/*", "application/json", "text/html;q=0, */*", "application/problem+json, text/html;q=0.5",
	} {
		if code := r.do("GET", "/no/such/page", nil, "Accept", accept).code(t); code != "NOT_FOUND" {
			t.Errorf("Accept %s: code %q", accept, code)
		}
	}
	r.do("GET", "/404.html", nil).want(t, 404)
}

// TestWhatRobotsAndBrowsersAskFor: files that are asked for without being named anywhere.
func TestWhatRobotsAndBrowsersAskFor(t *testing.T) {
	r := newRig(t, nil)
	for path, contentType := range map[string]string{
		"/robots.txt": "text/plain; charset=utf-8", "/favicon.ico": "image/x-icon",
	} {
		if got := r.do("GET", path, nil).want(t, 200).Header.Get("Content-Type"); got != contentType {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// TestFiles asks for every file of the storefront, plain and compressed, and again by its tag.
func TestFiles(t *testing.T) {
	r := newRig(t, nil)
	err := fs.WalkDir(web.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".html") {
			return err
		}
		want, err := fs.ReadFile(web.Files, name)
		if err != nil {
			return err
		}
		plain := r.do("GET", "/"+name, nil, "Accept-Encoding", "identity").want(t, 200)
		if !bytes.Equal(plain.body, want) || plain.Header.Get("Content-Type") == "" {
			t.Errorf("%s: %d bytes of %s", name, len(plain.body), plain.Header.Get("Content-Type"))
		}
		zipped := r.do("GET", "/"+name, nil, "Accept-Encoding", "br, gzip").want(t, 200)
		if zipped.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(zipped.body))
			if err != nil {
				return err
			}
			if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: unzips to %d bytes, %v", name, len(got), err)
			}
			if zipped.Header.Get("ETag") == plain.Header.Get("ETag") {
				t.Errorf("%s: one strong tag for two representations", name)
			}
		}
		for _, rep := range []reply{plain, zipped} {
			encoding := "identity"
			if rep.Header.Get("Content-Encoding") != "" {
				encoding = "gzip"
			}
			r.do("GET", "/"+name, nil, "Accept-Encoding", encoding, "If-None-Match", rep.Header.Get("ETag")).want(t, 304)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
