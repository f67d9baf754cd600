package api

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestClientAddress(t *testing.T) {
	for _, test := range []struct {
		proxies   []string
		forwarded string
		want      string
	}{
		{nil, "", "127.0.0.1"},
		{nil, "203.0.113.9", "127.0.0.1"}, // nobody is believed
		{[]string{"10.0.0.0/8"}, "203.0.113.9", "127.0.0.1"},
		{[]string{"127.0.0.1/32"}, "203.0.113.9", "203.0.113.9"},
		{[]string{"127.0.0.1/32"}, "198.51.100.7, 203.0.113.9", "203.0.113.9"}, // the left one is made up
		{[]string{"127.0.0.1/32", "10.0.0.0/8"}, "198.51.100.7,203.0.113.9, 10.1.2.3", "203.0.113.9"},
		{[]string{"127.0.0.1/32", "10.0.0.0/8"}, "10.1.2.3", "10.1.2.3"},
		{[]string{"127.0.0.1/32"}, "nonsense", "127.0.0.1"},
		{[]string{"127.0.0.1/32"}, "203.0.113.9, nonsense", "127.0.0.1"},
		{[]string{"127.0.0.1/32"}, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{[]string{"127.0.0.1/32"}, "::ffff:203.0.113.9", "203.0.113.9"},
	} {
		var keys []string
		r := newRig(t, func(c *Config, sh *Shop) {
			trusting(test.proxies...)(c, sh)
			c.Allow = func(_ context.Context, key string, _ Limit) (bool, time.Duration) {
				keys = append(keys, key)
				return true, 0
			}
		})
		r.do("DELETE", "/api/cart", nil, "X-Forwarded-For", test.forwarded).want(t, 204)
		if want := []string{"cart:" + test.want}; !slices.Equal(keys, want) {
			t.Errorf("proxies %v, forwarded for %q: %q, want %q", test.proxies, test.forwarded, keys, want)
		}
	}
}

// TestClientAddressByStage gives the service what the last hop of each stage sends for a shopper who sends a
// made-up X-Forwarded-For: CloudFront adds the shopper, a load balancer or a gateway adds its peer.
func TestClientAddressByStage(t *testing.T) {
	const forged, shopper = "198.51.100.66", "203.0.113.9"
	for name, test := range map[string]struct{ forwarded, want string }{
		"nginx behind CloudFront":            {forged + ", " + shopper, shopper},
		"nginx in the open":                  {shopper, shopper},
		"internal load balancer, preserving": {forged + ", " + shopper, shopper},
		"public load balancer, appending":    {forged + ", " + shopper, shopper},
		"a forged hop of the VPC":            {forged + ", 10.0.0.9, " + shopper, shopper},
		"gateway behind CloudFront":          {shopper, shopper},
		"gateway in the open":                {forged + ", " + shopper, shopper},
		"shopper with IPv6":                  {forged + ", 2001:db8:1:2::9", "2001:db8:1:2::/64"},
	} {
		t.Run(name, func(t *testing.T) {
			var keys []string
			r := newRig(t, func(c *Config, sh *Shop) {
				trusting("127.0.0.0/8", "10.0.0.0/16")(c, sh) // the peer in this test, and the VPC
				c.Allow = func(_ context.Context, key string, _ Limit) (bool, time.Duration) {
					keys = append(keys, key)
					return true, 0
				}
			})
			r.do("DELETE", "/api/cart", nil, "X-Forwarded-For", test.forwarded).want(t, 204)
			if want := []string{"cart:" + test.want}; !slices.Equal(keys, want) {
				t.Errorf("%q: %q, want %q", test.forwarded, keys, want)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	for _, test := range []struct {
		trusted bool
		id      string
		kept    bool
	}{
		{true, "4f1c-9A.b_2", true},
		{false, "4f1c-9A.b_2", false},
		{true, "", false},
		{true, "two words", false},
		{true, `"}{"`, false},
		{true, strings.Repeat("a", 65), false},
	} {
		networks := []string{"10.0.0.0/8"}
		if test.trusted {
			networks = []string{"127.0.0.0/8"}
		}
		r := newRig(t, trusting(networks...))
		got := r.do("GET", "/api/health", nil, "X-Request-ID", test.id).want(t, 200).Header.Get("X-Request-ID")
		if (got == test.id) != test.kept || !plausibleID(got) {
			t.Errorf("trusted %v, %q: answered %q", test.trusted, test.id, got)
		}
		if !strings.Contains(r.log.String(), `"request_id":"`+got+`"`) {
			t.Errorf("%q is not in the log: %s", got, r.log)
		}
	}
}
