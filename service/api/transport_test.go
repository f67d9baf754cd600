package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"shoplab/service/shop"
)

// TestBelowTheRouter: what never reaches the router is answered like everything else.
func TestBelowTheRouter(t *testing.T) {
	r := build(t, nil)
	r.server.App().Server().ReadTimeout = 500 * time.Millisecond
	r.listen()
	for name, test := range map[string]struct {
		request string
		code    shop.Code
		allow   string
	}{
		"made-up method":       {"BREW /api/products HTTP/1.1\r\nHost: x\r\n\r\n", codeNotImplemented, ""},
		"method of WebDAV":     {"PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n", codeNotImplemented, ""},
		"lower case":           {"get / HTTP/1.1\r\nHost: x\r\n\r\n", codeNotImplemented, ""},
		"not for this address": {"PATCH /api/products HTTP/1.1\r\nHost: x\r\n\r\n", codeMethodNotAllowed, "GET, HEAD"},
		"QUERY":                {"QUERY /api/products HTTP/1.1\r\nHost: x\r\n\r\n", codeMethodNotAllowed, "GET, HEAD"},
		"TRACE":                {"TRACE /api/cart HTTP/1.1\r\nHost: x\r\n\r\n", codeMethodNotAllowed, "GET, HEAD, DELETE"},
		"OPTIONS":              {"OPTIONS /api/orders HTTP/1.1\r\nHost: x\r\n\r\n", codeMethodNotAllowed, "GET, HEAD, POST"},
		"HEAD of a write":      {"HEAD /api/auth/login HTTP/1.1\r\nHost: x\r\n\r\n", codeMethodNotAllowed, "POST"},
		"POST to a page": {
			"POST /cart HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", codeMethodNotAllowed, "GET, HEAD",
		},
		"POST to a file": {
			"POST /favicon.svg HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", codeMethodNotAllowed, "GET, HEAD",
		},
		"CONNECT":              {"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", shop.CodeNotFound, ""},
		"no host":              {"GET / HTTP/1.1\r\n\r\n", codeMalformed, ""},
		"no HTTP":              {"hello\r\n\r\n", codeMalformed, ""},
		"TLS":                  {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", codeMalformed, ""},
		"header without colon": {"GET / HTTP/1.1\r\nHost x\r\n\r\n", codeMalformed, ""},
		"other version":        {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", codeHTTPVersion, ""},
		"HTTP/2 preface":       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", codeHTTPVersion, ""},
		"length is no number": {
			"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n", codeMalformed, "",
		},
		"two lengths": {
			"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", codeMalformed, "",
		},
		"transfer coding": {
			"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\n", codeNotImplemented, "",
		},
		"broken chunk": {
			"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", codeMalformed, "",
		},
		"broken form": {
			"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: " +
				"4\r\n\r\nabcd", codeMediaType, "",
		},
		"large header": {
			"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", headerLimit) + "\r\n\r\n", codeHeadersTooLarge, "",
		},
		"large body": {
			fmt.Sprintf("POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", bodyLimit+1), codeTooLarge, "",
		},
		"late body": {"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{", codeTimeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rep := r.raw(t, test.request)
			isHead := strings.HasPrefix(test.request, "HEAD")
			if rep.StatusCode != statuses[test.code] || !isHead && rep.code(t) != string(test.code) {
				t.Errorf("%d %s, want %d %s", rep.StatusCode, rep.body, statuses[test.code], test.code)
			}
			for header, want := range map[string]string{
				"Content-Type": problemType, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Allow": test.allow,
			} {
				if got := rep.Header.Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			if rep.Header.Get("X-Request-ID") == "" {
				t.Error("no X-Request-ID")
			}
		})
	}
	const counted = `shoplab_http_request_duration_seconds_count{method="other",route="unmatched",status="501"}`
	if v := r.metric(counted); v != 4 {
		t.Errorf("%v requests with 501 are counted, want 4", v)
	}
	if !strings.Contains(r.log.String(), `"route":"unmatched","status":501`) {
		t.Error("the log does not tell of a request that was refused")
	}
}

// TestDefaultPort: a port that goes without saying makes no other origin.
func TestDefaultPort(t *testing.T) {
	r := newRig(t, nil)
	for _, test := range []struct {
		host, origin string
		status       int
	}{
		{"shop.example", "http://shop.example", 204},
		{"shop.example:80", "http://shop.example", 204},
		{"Shop.Example:80", "http://shop.example", 204},
		{"shop.example:443", "https://shop.example", 204},
		{"[::1]:80", "http://[::1]", 204},
		{"shop.example:443", "http://shop.example", 403},
		{"shop.example:8080", "http://shop.example", 403},
		{"shop.example", "http://shop.example:8080", 403},
		{"shop.example:80", "http://shop.example.evil", 403},
		{"shop.example", "null", 403},
	} {
		rep := r.raw(t, fmt.Sprintf("POST /api/auth/logout HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nContent-Length: 0\r\n\r\n",
			test.host, test.origin))
		if rep.StatusCode != test.status {
			t.Errorf("Host %s, Origin %s: %d, want %d", test.host, test.origin, rep.StatusCode, test.status)
		}
	}
}

// raw sends bytes that no client library would, and reads one answer.
func (r *rig) raw(t testing.TB, request string) reply {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res, body}
}
