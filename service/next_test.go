package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// TestNext follows /login?next= in a real browser: whatever the query says, it ends on the shop.
func TestNext(t *testing.T) {
	chromium := startBrowser(t)
	var visits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		visits.Add(1)
	}))
	t.Cleanup(elsewhere.Close)
	shop := start(t, nil).ready(t).url
	b := openTab(chromium, t, shop, 1280, 800)
	b.expect("404") // some of the paths are no page
	b.visit("/register")
	b.register("ada@example.com") // who is signed in is sent on at once
	b.see("#logout")

	follow := func(query string) (landed string) {
		t.Helper()
		b.visit("/login" + query)
		b.until(`location.pathname !== "/login" && document.readyState === "complete"`)
		return evaluate[string](b, `location.href`)
	}
	host := strings.TrimPrefix(elsewhere.URL, "http://")
	for _, next := range []string{
		// The first slashes are left when the URL is normalised, and name a host when they stand alone.
		"/.//%s", "/.///%s", "/..//%s", "/a/..//%s", "/%%2e//%s", "/%%2e%%2e//%s", "/.\\/%s", ".//%s", "/\t.//%s", "/.//\\%s",
		"//%s", "///%s", "////%s", "\\\\%s", "/\\%s", "\\/%s", "/\\/%s", "//\\%s", "http:\\\\%s", "http:/\\%s",
		"/\t/%s", "/\n/%s", "/\r\n/%s", "\t//%s", " //%s", "\x01//%s", "\x1f\x20//%s", "ht\ntp://%s", "http:///%s",
		"http:////%s", "HTTP://%s",
		"http://%s", "http:%s", "http://user@%s", "//user:pass@%s", "//shop.example@%s", "//%s#@shop.example", "/%%2f%s",
		"/%%5c%s", "%%2f%%2f%s", "%%5c%%5c%s",
		"javascript:location='http://%s'", "java\nscript:location='http://%s'",
		"data:text/html,<meta http-equiv=refresh content='0;url=http://%s'>",
		"blob:" + shop + "/http://%s", "filesystem:" + shop + "/%s", "view-source:http://%s", "ws://%s", "file:////%s",
	} {
		next = fmt.Sprintf(next, host)
		if landed := follow("?next=" + url.QueryEscape(next)); landed != shop && !strings.HasPrefix(landed, shop+"/") {
			t.Errorf("next=%q leads to %s", next, landed)
		}
	}
	for _, query := range []string{
		"?next=/&next=//" + host, "?next=//" + host + "&next=/", "?next=%2F.%2F%2F" + host, "?next=/%252e//" + host,
	} {
		if landed := follow(query); !strings.HasPrefix(landed, shop+"/") {
			t.Errorf("%s leads to %s", query, landed)
		}
	}
	for next, want := range map[string]string{
		"": "/", "/": "/", "/orders": "/orders", "/checkout?order=7#pay": "/checkout?order=7#pay", "cart": "/cart",
		shop + "/cart": "/cart", "?q=mug": "/?q=mug", "http://": "/", "//[": "/", "/\x00": "/", "/a\x00b": "/a%00b",
		strings.Replace(shop, "//", "//ada:secret@", 1) + "/cart": "/cart",
	} {
		if landed := follow("?next=" + url.QueryEscape(next)); landed != shop+want {
			t.Errorf("next=%q leads to %s, want %s", next, landed, want)
		}
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("the other host was visited %d times", n)
	}
}
