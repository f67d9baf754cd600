// Command proxy is the local twin's small reverse proxy: its load balancer where nginx is not
// installed or would drop connections, and the stand-in for Envoy. It sends each request to the backend
// with the fewest requests outstanding. The twin tells it on standard input which backends to use, one line of
// host:port words at a time, and it ends when standard input does.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()
	// Its own process group keeps Ctrl-C away; SIGTERM and the end of standard input stop it.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, os.Stdin); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen string, backends io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := newProxy()
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(backends); lines.Scan(); {
			p.use(strings.Fields(lines.Text()))
		}
	}()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// idleTimeout is how long a connection without a request is kept, as an ALB does.
const idleTimeout = 60 * time.Second

type backend struct {
	host        string
	outstanding int
}

type proxy struct {
	reverse httputil.ReverseProxy

	mu       sync.Mutex
	backends []*backend
	next     int // where the search starts, so that equals take turns
}

type backendKey struct{}

func newProxy() *proxy {
	return &proxy{reverse: httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			b, _ := r.In.Context().Value(backendKey{}).(*backend)
			r.Out.URL.Scheme, r.Out.URL.Host = "http", b.host
			r.Out.Host = r.In.Host
			// Otherwise the proxy would leave out of the query what it cannot parse: a ";", a bare "%".
			r.Out.URL.RawQuery, r.Out.URL.ForceQuery = r.In.URL.RawQuery, r.In.URL.ForceQuery
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "Forwarded"} {
				if sent, ok := r.In.Header[name]; ok {
					r.Out.Header[name] = sent
				}
			}
			host, sent := r.Out.Header["X-Forwarded-Host"]
			r.SetXForwarded()
			if delete(r.Out.Header, "X-Forwarded-Host"); sent { // an ALB and nginx set none
				r.Out.Header["X-Forwarded-Host"] = host
			}
		},
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
			MaxIdleConnsPerHost:   1024,
			IdleConnTimeout:       idleTimeout / 2, // before the backend closes it
			ResponseHeaderTimeout: idleTimeout,
			DisableCompression:    true,
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // else the shopper has left
				log.Printf("%s %q: %v", r.Method, r.URL.Path, err)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}}
}

// use replaces the backends; the counts of those that stay are kept.
func (p *proxy) use(hosts []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.backends
	p.backends = nil
	for _, host := range hosts {
		i := slices.IndexFunc(old, func(b *backend) bool { return b.host == host })
		if i >= 0 {
			p.backends = append(p.backends, old[i])
		} else {
			p.backends = append(p.backends, &backend{host: host})
		}
	}
}

// acquire takes the backend with the fewest outstanding requests, nil when there is none.
func (p *proxy) acquire() *backend {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.backends)
	if n == 0 {
		return nil
	}
	p.next = (p.next + 1) % n
	best := p.backends[p.next]
	for i := 1; i < n; i++ {
		if b := p.backends[(p.next+i)%n]; b.outstanding < best.outstanding {
			best = b
		}
	}
	best.outstanding++
	return best
}

func (p *proxy) release(b *backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.outstanding--
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := p.acquire()
	if b == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "no instance to send this to", http.StatusServiceUnavailable)
		return
	}
	defer p.release(b)
	p.reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), backendKey{}, b)))
}
