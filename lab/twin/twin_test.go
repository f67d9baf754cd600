package twin

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shoplab/contract"
	"shoplab/exectest"
	"shoplab/lab/process"
	"shoplab/lab/stage"
)

const root = "../.."

func TestStagesRun(t *testing.T) {
	for _, tc := range []struct {
		stage    string
		topology stage.Topology
		shops    int
		front    string
		hops     int
	}{
		{"stage1", stage.Single, 1, "load-balancer", 1},
		{"stage2", stage.Balanced, 2, "load-balancer", 1},
		{"stage3", stage.Fargate, 2, "load-balancer", 1},
		{"stage4", stage.Mesh, 2, "gateway", 3},
	} {
		t.Run(tc.stage, func(t *testing.T) {
			tmp := exectest.ShortTemp(t)
			tw := startTwin(t, Options{Stage: read(t, tc.stage, nil)})
			if tw.Stage.Topology != tc.topology || len(tw.Instances) != tc.shops {
				t.Errorf("%s with %d instances, want %s with %d", tw.Stage.Topology, len(tw.Instances), tc.topology, tc.shops)
			}
			if len(tw.Proxies) != tc.hops || tw.Proxies[0].Name != tc.front {
				t.Errorf("%d hops, first %q; want %d, first %q", len(tw.Proxies), tw.Proxies[0].Name, tc.hops, tc.front)
			}
			if _, err := process.LookPath("envoy"); tc.topology == stage.Mesh && err != nil {
				if !tw.Proxies[0].StandIn || !tw.Proxies[1].StandIn || !strings.Contains(strings.Join(tw.StandIns, " "), "envoy") {
					t.Errorf("Envoy is not installed, and yet the mesh is not marked: %+v", tw.StandIns)
				}
			}
			seen := map[string]bool{}
			for n := 0; n < 100 && len(seen) < tc.shops; n++ { // Envoy draws lots: four requests each may all meet one
				seen[get(t, tw.URL+"/")] = true
			}
			if len(seen) != tc.shops {
				t.Errorf("requests reached %v, want all %d instances", seen, tc.shops)
			}
			checkConnections(t, tw)
			pids := pidsOf(tw)
			if err := tw.Stop(); err != nil {
				t.Errorf("Stop: %v", err)
			}
			checkGone(t, pids, tmp)
		})
	}
}

// checkConnections opens what the shop is promised, and no more can be had.
func checkConnections(t *testing.T, tw *Twin) {
	t.Helper()
	admin, err := pgx.Connect(t.Context(), tw.PostgresAdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(t.Context()) }()
	var accepts int
	if err := admin.QueryRow(t.Context(), `SELECT current_setting('max_connections')::int -
		current_setting('superuser_reserved_connections')::int`).Scan(&accepts); err != nil {
		t.Fatal(err)
	}
	want := tw.Stage.DatabaseConnections
	if tw.Stage.DatabaseClass == "" {
		want -= contract.SuperuserReservedConnections // an own server's max_connections holds the superusers'
	}
	if accepts != want {
		t.Errorf("PostgreSQL accepts %d connections of the shop, want %d", accepts, want)
	}
}

func TestBuiltinProxyAndRedis(t *testing.T) {
	tmp := exectest.ShortTemp(t)
	tw := startTwin(t, Options{Stage: read(t, "stage2", checkOften), builtin: true})
	checkHealthMatters(t, tw)
	if tw.Proxies[0].Kind != "shoplab proxy" || tw.Redis.Kind != "miniredis" || len(tw.StandIns) != 1 {
		t.Errorf("proxy %q, Redis %q, stand-ins %v", tw.Proxies[0].Kind, tw.Redis.Kind, tw.StandIns)
	}
	pids := pidsOf(tw)
	if err := tw.Stop(); err != nil {
		t.Error(err)
	}
	checkGone(t, pids, tmp)
}

func TestLimitsHold(t *testing.T) {
	exectest.ShortTemp(t)
	tw := startTwin(t, Options{
		Stage: read(t, "stage3", func(s *stage.Stage) { s.Instances, s.CPU, s.Memory = 1, 256, 128 }),
	})
	i := tw.Instances[0]
	if i.Group == nil {
		t.Skipf("this machine permits no control groups (needs root, or a delegated cgroup v2): %v", tw.Limits)
	}
	began, before := time.Now(), usage(t, i.Group)
	// In the long run: what the kernel lets it overdraw it pays back, and a busy machine may not get that far at once.
	eventually(t, "a busy instance is throttled to a quarter of a CPU", func() bool {
		get(t, i.URL+"/burn")
		now := usage(t, i.Group)
		wall, used := time.Since(began), now.CPU-before.CPU
		return now.ThrottledPeriods > before.ThrottledPeriods && now.ThrottledTime > before.ThrottledTime &&
			used.Seconds() <= .25*(wall+2*cpuPeriod).Seconds()
	})
	for range 3 { // 192 MiB of 128
		if resp, err := http.Get(i.URL + "/eat"); err == nil {
			_ = resp.Body.Close()
		}
	}
	select {
	case <-tw.Done():
	case <-time.After(time.Minute):
		t.Fatal("an instance used more memory than it has and lives")
	}
	if err := tw.Err(); err == nil || !strings.Contains(err.Error(), "shop-1 ended: signal: killed") {
		t.Errorf("error %v, want shop-1 killed", err)
	}
}

func TestDeadInstanceEndsTheTwin(t *testing.T) {
	tmp := exectest.ShortTemp(t)
	tw := startTwin(t, Options{Stage: read(t, "stage2", nil)})
	if resp, err := http.Get(tw.Instances[1].URL + "/die"); err == nil {
		_ = resp.Body.Close()
	}
	<-tw.Done()
	if err := tw.Err(); err == nil || !strings.Contains(err.Error(), "shop-2 ended: exit status 3") ||
		!strings.Contains(err.Error(), "my last words") {
		t.Errorf("error %v, want who died, how, and the last lines that it wrote", err)
	}
	pids := pidsOf(tw)
	if err := tw.Stop(); err != nil {
		t.Error(err)
	}
	checkGone(t, pids, tmp)
}

func TestFailedStartLeavesNothing(t *testing.T) {
	tmp := exectest.ShortTemp(t)
	o := Options{
		Stage: read(t, "stage2", func(s *stage.Stage) { s.Env = []string{"FAIL=shop-2"} }),
		Root:  root, Binary: exectest.Self(t), throwaway: true,
	}
	if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "shop-2 cannot start today") {
		t.Errorf("error %v, want the service's own words", err)
	}
	checkGone(t, nil, tmp)

	ctx, cancel := context.WithCancel(t.Context())
	o.Stage.Env, o.Progress = nil, func(what string) {
		if strings.Contains(what, "load balancer") {
			cancel()
		}
	}
	if _, err := Start(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context canceled", err)
	}
	checkGone(t, nil, tmp)
}

func TestAbortKills(t *testing.T) {
	tmp := exectest.ShortTemp(t)
	abort := make(chan struct{})
	tw := startTwin(t, Options{Stage: read(t, "stage1", nil), Abort: abort})
	close(abort)
	pids := pidsOf(tw)
	if err := tw.Stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop: %v, want what was killed", err)
	}
	checkGone(t, pids, tmp)
}

func TestSickInstanceGetsNothing(t *testing.T) {
	exectest.ShortTemp(t)
	checkHealthMatters(t, startTwin(t, Options{Stage: read(t, "stage2", checkOften)}))
}

// checkHealthMatters makes an instance sick and well again.
func checkHealthMatters(t *testing.T, tw *Twin) {
	t.Helper()
	only := func(want ...string) func() bool {
		return func() bool {
			seen := map[string]bool{}
			for range 6 {
				seen[get(t, tw.URL+"/")] = true
			}
			return maps.Equal(seen, map[string]bool{want[0]: true, want[len(want)-1]: true})
		}
	}
	get(t, tw.Instances[0].URL+"/sick")
	eventually(t, "requests go to shop-2 only", only("shop-2"))
	get(t, tw.Instances[0].URL+"/well")
	eventually(t, "requests go to both again", only("shop-1", "shop-2"))
}

func TestPoolerAndData(t *testing.T) {
	if _, err := process.LookPath("pgbouncer"); err != nil {
		t.Skip("pgbouncer is not installed (apt-get install pgbouncer)")
	}
	data := filepath.Join(exectest.ShortTemp(t), "kept")
	var keys []string
	for range 2 {
		tw := startTwin(t, Options{
			Stage: read(t, "stage2", func(s *stage.Stage) { s.Pooler, s.PoolerSize = "transaction", 5 }), Data: data,
		})
		if tw.Pooler == nil {
			t.Fatal("no pooler")
		}
		if err := tw.Stop(); err != nil {
			t.Error(err)
		}
		key, err := os.ReadFile(filepath.Join(data, "session-key"))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(key))
	}
	if keys[0] != keys[1] || len(keys[0]) < 32 {
		t.Errorf("session keys %d and %d long, equal: %v; want the same one", len(keys[0]), len(keys[1]), keys[0] == keys[1])
	}
	info, err := os.Stat(filepath.Join(data, "session-key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("session key: %v, %v; want it closed to others", info.Mode(), err)
	}
}
