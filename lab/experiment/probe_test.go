package experiment

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"shoplab/contract"
	"shoplab/lab/backing"
	"shoplab/lab/result"
	"shoplab/lab/twin"
)

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
# TYPE shoplab_http_requests_in_flight gauge
shoplab_http_requests_in_flight 12
`, 100*n, 5*n)
	}))
	defer srv.Close()
	p := shopProbe(&twin.Instance{Part: twin.Part{Name: "shop-1"}, AdminURL: srv.URL})
	p(t.Context())
	time.Sleep(10 * time.Millisecond)
	got := map[result.Resource]reading{}
	for _, r := range p(t.Context()) {
		got[r.resource] = r
	}
	if r := got[result.ResourcePoolInUse]; r.value != 7 || r.limit != 8 || r.of != "shop-1" {
		t.Errorf("pool in use: %+v", r)
	}
	if r := got[result.ResourcePoolWait]; r.value < 49.9 || r.value > 50.1 {
		t.Errorf("5 s waited in 100 acquires are 50 ms each, got %+v", r)
	}
	if r := got[result.ResourceInFlight]; r.value != 12 {
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
	if len(got) != 1 || got[0].resource != result.ResourceRedisClients || got[0].value != 1 {
		t.Errorf("%+v, want the one client", got)
	}
}

func TestWatchJoinsSecondsAndLeavesGaps(t *testing.T) {
	calls := 0
	lines := watch(t.Context(), []probe{
		func(context.Context) []reading {
			calls++
			if calls == 3 { // the second second is not measured
				return nil
			}
			return []reading{{resource: result.ResourceDBConns, unit: "connections", limit: 10, value: float64(calls)}}
		},
		func(context.Context) []reading { return []reading{{resource: result.ResourceMachineCPU, value: .5}} },
	}, time.Now(), 2)
	if len(lines) != 2 {
		t.Fatalf("%+v", lines)
	}
	for _, l := range lines {
		if l.Resource == result.ResourceDBConns && (len(l.Values) != 2 || *l.Values[0] != 2 || l.Values[1] != nil || *l.Limit != 10) {
			t.Errorf("%+v", l)
		}
	}
	u := usage(lines)
	if len(u) != 2 || u[0].Mean != 2 {
		t.Errorf("the mean of what was measured: %+v", u)
	}
}

func TestForeignCPUIsWhatNobodyOfTheRunUsed(t *testing.T) {
	line := func(r result.Resource, values ...float64) result.Line {
		l := result.Line{Resource: r}
		for _, v := range values {
			l.Values = append(l.Values, &v)
		}
		return l
	}
	more := derived([]result.Line{
		line(result.ResourceMachineCPU, 1, .5), line(result.ResourceGeneratorCPU, .2, .1),
		line(result.ResourceInterruptCPU, .1, .1), // for the packets of the run
		line(result.ResourceInstanceCPU, .5, .4), line(result.ResourceDBCPU, .2, .4),
		line(result.ResourceServerCPU, .7, .8), // the two above together, not once more
		line(result.ResourceInFlight, 3, 5), line(result.ResourceInFlight, 4, 5),
	}, 10, 2)
	if len(more) != 2 {
		t.Fatalf("%+v", more)
	}
	if q := more[0].Values; *q[0] != 3 || *q[1] != 0 {
		t.Errorf("proxy queue %v %v", *q[0], *q[1])
	}
	if f := more[1].Values; *f[0] < .99 || *f[0] > 1.01 || *f[1] > .001 {
		t.Errorf("foreign CPU %v %v, want 1 and 0", *f[0], *f[1])
	}
}
