package local

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"shoplab/contract"
	"shoplab/lab/backing"
	"shoplab/lab/lambda"
	"shoplab/lab/result"
	"shoplab/lab/twin"
	"shoplab/lab/watch"
)

func TestFunctionProbe(t *testing.T) {
	s := lambda.Stats{Invocations: 100, Billed: time.Minute, Busy: 3} // what was before does not count
	p := functionReadings(func() lambda.Stats { return s }, 34)
	if first := p(t.Context()); len(first) != 1 || first[0].Value != 3 || first[0].Limit != 34 {
		t.Errorf("at first: %+v", first)
	}
	s.Invocations, s.Billed, s.Throttles = 110, time.Minute+40*time.Millisecond, 5
	got := map[result.Resource]float64{}
	for _, r := range p(t.Context()) {
		got[r.Resource] = r.Value
	}
	if got[result.ResourceFunctionTime] != 4 || got[result.ResourceThrottles] <= 0 ||
		got[result.ResourceEventErrors] != 0 || len(got) != 4 {
		t.Errorf("then: %v, want 4 ms an event, some throttled, none failed", got)
	}
}

// Two sidecars in one control group are one part: each of them would have what both used.
func TestProxiesOfOneGroupAreWatchedOnce(t *testing.T) {
	front, both := &twin.Group{Name: "proxy"}, &twin.Group{Name: "sidecars"}
	for want, groups := range map[string][2]*twin.Group{
		"gateway sidecars": {front, both}, "gateway sidecar-1 sidecar-2": {nil, nil},
	} {
		var names []string
		for _, p := range apart([]*twin.Part{
			{Name: "gateway", Group: groups[0]}, {Name: "sidecar-1", Group: groups[1]}, {Name: "sidecar-2", Group: groups[1]},
		}) {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s are watched, want %s", got, want)
		}
	}
}

func TestShopProbeReadsThePool(t *testing.T) {
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != contract.MetricsPath {
			http.NotFound(w, r)
			return
		}
		n++
		fmt.Fprintf(w, `# HELP shoplab_db_pool_acquired Database connections in use.
# TYPE shoplab_db_pool_acquired gauge
shoplab_db_pool_acquired 7
# TYPE shoplab_db_pool_max gauge
shoplab_db_pool_max 8
# TYPE shoplab_db_pool_acquires_total counter
shoplab_db_pool_acquires_total %d
# TYPE shoplab_db_pool_empty_acquire_wait_seconds_total counter
shoplab_db_pool_empty_acquire_wait_seconds_total %d
# TYPE shoplab_db_pool_canceled_acquires_total counter
shoplab_db_pool_canceled_acquires_total 0
# TYPE shoplab_db_pool_held_seconds_total counter
shoplab_db_pool_held_seconds_total %d
# TYPE shoplab_http_requests_in_flight gauge
shoplab_http_requests_in_flight 12
`, 100*n, 5*n, 50*n)
	}))
	defer srv.Close()
	p := shopProbe(&twin.Instance{Part: twin.Part{Name: "shop-1"}, AdminURL: srv.URL})
	p(t.Context())
	time.Sleep(10 * time.Millisecond)
	got := map[result.Resource]watch.Reading{}
	for _, r := range p(t.Context()) {
		got[r.Resource] = r
	}
	if r := got[result.ResourcePoolInUse]; r.Value != 7 || r.Limit != 8 || r.Of != "shop-1" {
		t.Errorf("pool in use: %+v", r)
	}
	if r := got[result.ResourcePoolHeld]; r.Value <= 0 {
		t.Errorf("50 s of use more since the look before, and the pool is held by %+v", r)
	}
	if r := got[result.ResourcePoolWait]; r.Value < 49.9 || r.Value > 50.1 {
		t.Errorf("5 s waited in 100 acquires are 50 ms each, got %+v", r)
	}
	if r := got[result.ResourceInFlight]; r.Value != 12 {
		t.Errorf("in flight: %+v", r)
	}
}

func TestRedisProbeCountsOtherClients(t *testing.T) {
	server, err := backing.StartRedis(t.Context(), backing.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	shop := redis.NewClient(options)
	defer shop.Close()
	conn := shop.Conn() // one connection, held
	defer conn.Close()
	if err := conn.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	got := redisProbe(server.URL())(t.Context())
	if len(got) != 1 || got[0].Resource != result.ResourceRedisClients || got[0].Value != 1 {
		t.Errorf("%+v, want the one client", got)
	}
}
