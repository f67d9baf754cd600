package load

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"shoplab/lab/result"
)

// handshakes is how many TCP handshakes are timed: the shortest met no queue on its way.
const handshakes = 5

// roundTrip is the time to the address that the URL names and back, in milliseconds; nil where a proxy is between,
// and in a network in memory. Behind that address an edge or a balancer may have further to go.
func (c *Crowd) roundTrip(ctx context.Context) *float64 {
	u, err := url.Parse(c.url)
	if err != nil || c.inMemory {
		return nil
	}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err != nil || proxy != nil {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	ips, err := net.DefaultResolver.LookupHost(ctx, u.Hostname()) // not to be timed
	if err != nil || len(ips) == 0 {
		return nil
	}
	var best *float64
	for range handshakes {
		began := time.Now()
		conn, err := c.transport.DialContext(ctx, "tcp", net.JoinHostPort(ips[0], port))
		if err != nil {
			continue
		}
		took := float64(time.Since(began)) / float64(time.Millisecond)
		_ = conn.Close() // it said what it had to
		if best == nil || took < *best {
			best = result.Ptr(took)
		}
	}
	return best
}
