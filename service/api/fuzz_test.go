package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// FuzzDecode: whatever comes in, decoding ends in a value within the schema's bounds or in an error
// that a client may see.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"product_id":1,"quantity":2}`, `{"product_id":1e400,"quantity":2}`,
		`{"product_id":9223372036854775808,"quantity":1}`,
		`{"Product_ID":1,"quantity":1}`, `{"quantity":1,"quantity":-1,"product_id":3}`, `{"product_id":1.0,"quantity":2e0}`,
		`[[[[`, `null`, `""`, "\xff", `{"product_id":null,"quantity":null}`,
	} {
		f.Add([]byte(seed))
	}
	s := &Server{}
	var err error
	if s.spec, err = newSpec("v0", s.operations()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var item NewItem
		if err := s.decodeJSON(body, &item); err == nil && (item.ProductID < 1 || item.Quantity < 1 || item.Quantity > 99) {
			t.Errorf("%q decodes to %+v", body, item)
		} else if err != nil && asShopError(err) == nil {
			t.Errorf("%q: %v is not for clients", body, err)
		}
		for _, into := range []any{&Registration{}, &Credentials{}, &Quantity{}, &Simulation{}} {
			if err := s.decodeJSON(body, into); err != nil && asShopError(err) == nil {
				t.Errorf("%q into %T: %v is not for clients", body, into, err)
			}
		}
	})
}

// inProcess is the rig for a test that talks to the server without a network.
func (r *rig) inProcess(t *testing.T) *rig {
	return &rig{t: t, server: r.server, url: "http://shop.test", client: &http.Client{Transport: engine{r.server}}}
}

type engine struct{ *Server }

func (e engine) RoundTrip(req *http.Request) (*http.Response, error) { return e.App().Test(req, -1) }

// FuzzWebhook: a body that is not signed is 400 and changes nothing.
func FuzzWebhook(f *testing.F) {
	f.Add([]byte(`{"id":"evt_1","type":"payment_intent.succeeded"}`), "t=1,v1=00")
	f.Add([]byte{0, 255}, "")
	shared := build(f, nil)
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		r := shared.inProcess(t)
		if signature == "good" || strings.ContainsAny(signature, "\r\n\x00") || len(body) > 1000 || len(signature) > 1000 {
			t.Skip()
		}
		for _, c := range signature {
			if c < ' ' || c > '~' {
				t.Skip() // no header can hold it
			}
		}
		if rep := r.do("POST", "/api/webhooks/stripe", string(body),
			"Stripe-Signature", signature); rep.code(t) != string(shop.CodeBadSignature) {
			t.Errorf("%q signed %q: %d %s", body, signature, rep.StatusCode, rep.body)
		}
	})
}

// FuzzProductQuery: no query makes the server fail.
func FuzzProductQuery(f *testing.F) {
	f.Add("mug", "Things", "price", "20", "")
	f.Add("\x00", "\xff", "-price", "-1", "AAAA")
	shared := build(f, nil)
	f.Fuzz(func(t *testing.T, q, category, sort, limit, cursor string) {
		r := shared.inProcess(t)
		v := url.Values{"q": {q}, "category": {category}, "sort": {sort}, "limit": {limit}, "cursor": {cursor}}.Encode()
		if len(v) > 4096 {
			t.Skip()
		}
		rep := r.do("GET", "/api/products?"+v, nil)
		if rep.StatusCode >= 500 || rep.StatusCode == 200 && !json.Valid(rep.body) || !utf8.Valid(rep.body) {
			t.Errorf("%s: %d %s", v, rep.StatusCode, rep.body)
		}
	})
}

// FuzzHTTP: whatever bytes a connection brings, they are answered as HTTP, by no failure of the shop's,
// with an id, and what went wrong with a problem document or a page.
func FuzzHTTP(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip;q=0\r\nIf-None-Match: *\r\n\r\n",
		"GET /nothing HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n",
		"GET /api/products?q=%00&cursor=x HTTP/1.1\r\nHost: x\r\nX-Request-ID: \xff\r\n\r\n",
		"GET /api/cart HTTP/1.1\r\nHost: x\r\nCookie: cart=x; session=a.b.c\r\nX-Cart-ID: \x80\r\n\r\n",
		"POST /api/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nIdempotency-Key: \xff\r\nContent-Length: " +
			"0\r\n\r\n",
		"POST /api/auth/logout HTTP/1.1\r\nHost: x:80\r\nOrigin: http://[::1\r\nX-Forwarded-For: 1,,::\r\nContent-Length: " +
			"0\r\n\r\n",
		"POST /api/cart/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: " +
			"chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"PUT /api/cart/items/1 HTTP/1.0\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1\r\n\r\n{",
		"BREW * HTTP/1.1\r\n\r\n", "\x16\x03\x01", "GET http://[ HTTP/1.1\r\nHost: [\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	r := build(f, trusting("127.0.0.0/8"))
	f.Fuzz(func(t *testing.T, request []byte) {
		conn := &memoryConn{in: bytes.NewReader(request)}
		// Its error is that the connection is over, or what was answered already.
		_ = r.server.App().Server().ServeConn(conn)
		if conn.out.Len() == 0 {
			return // nothing was asked
		}
		method, _, _ := strings.Cut(strings.TrimLeft(string(request), "\r\n"), " ")
		res, err := http.ReadResponse(bufio.NewReader(&conn.out), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		defer res.Body.Close()
		if res.StatusCode == http.StatusContinue {
			return
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatalf("%q: %v", request, err)
		}
		contentType := res.Header.Get("Content-Type")
		isProblem := contentType == problemType && (method == http.MethodHead || json.Valid(body))
		if res.StatusCode == http.StatusInternalServerError || res.Header.Get("X-Request-ID") == "" ||
			res.StatusCode >= 400 && !isProblem && !strings.HasPrefix(contentType, fiber.MIMETextHTML) {
			t.Errorf("%q: %d %v %q", request, res.StatusCode, res.Header, body)
		}
	})
}

// memoryConn is a connection over which everything has come already.
type memoryConn struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (c *memoryConn) Read(b []byte) (int, error)  { return c.in.Read(b) }
func (c *memoryConn) Write(b []byte) (int, error) { return c.out.Write(b) }
func (c *memoryConn) Close() error                { return nil }
func (c *memoryConn) LocalAddr() net.Addr         { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (c *memoryConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}
}
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
