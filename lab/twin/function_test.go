package twin

import (
	"strings"
	"sync"
	"testing"

	"shoplab/exectest"
	"shoplab/lab/program"
	"shoplab/lab/stage"
)

// TestFunctionRuns brings up the real service as a function: environments start when requests come, as many as are
// reserved, each with one connection; nothing of them is left.
func TestFunctionRuns(t *testing.T) {
	tmp := exectest.ShortTemp(t)
	binary, err := program.Build(t.Context(), root, "service", "./service")
	if err != nil {
		t.Fatal(err)
	}
	s := read(t, "stage5", func(s *stage.Stage) { s.MaxInstances = 3 })
	tw, err := Start(t.Context(), Options{Stage: s, Root: root, Binary: binary, Log: t.Output(), throwaway: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tw.Stop() })
	if st := tw.Function.Stats(); st.ColdStarts != 1 || st.Invocations != 1 || len(tw.Instances) != 3 ||
		len(tw.Proxies) != 0 {
		t.Errorf("up with %+v, %d instances, %d proxies", st, len(tw.Instances), len(tw.Proxies))
	}
	if body := get(t, tw.URL+"/api/products?limit=1"); !strings.Contains(body, `"items"`) {
		t.Errorf("the catalog is %s", body)
	}
	// Many at once: the rest is refused, and nothing else goes wrong.
	var asking sync.WaitGroup
	var mu sync.Mutex
	statuses, asked := map[int]int{}, 0
	eventually(t, "some are refused", func() bool { // a busy machine may ask one after the other
		for range 60 {
			asking.Go(func() {
				status, err := statusOf(tw.URL + "/api/products")
				mu.Lock()
				defer mu.Unlock()
				statuses[status]++
				if err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
		asked += 60
		return statuses[503] > 0
	})
	st := tw.Function.Stats()
	if statuses[200] == 0 || statuses[200]+statuses[503] != asked || st.Most != 3 || int64(statuses[503]) != st.Throttles {
		t.Errorf("%d answers %v with %+v", asked, statuses, st)
	}
	if len(st.Starts) != int(st.ColdStarts) || st.Starts[0] < Placement || st.Billed <= 0 {
		t.Errorf("cold starts %v, %s billed", st.Starts, st.Billed)
	}
	eventually(t, "all environments are idle", func() bool { return tw.Function.Stats().Busy == 0 })
	checkConnections(t, tw)
	pids := []int{tw.Postgres.PID}
	if err := tw.Stop(); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if st := tw.Function.Stats(); st.Environments != 0 {
		t.Errorf("%d environments are left", st.Environments)
	}
	checkGone(t, pids, tmp)
	if _, err := statusOf(tw.URL); err == nil {
		t.Error("the HTTP API still answers")
	}
}

// TestFunctionThatFails: a function that does not get to its first event is no stage, and says why.
func TestFunctionThatFails(t *testing.T) {
	tmp := exectest.ShortTemp(t)
	binary, err := program.Build(t.Context(), root, "service", "./service")
	if err != nil {
		t.Fatal(err)
	}
	s := read(t, "stage5", func(s *stage.Stage) {
		s.Env = []string{"PARAMETERS=/nowhere", "AWS_REGION=nowhere", "AWS_ENDPOINT_URL_SSM=http://127.0.0.1:1"}
	})
	_, err = Start(t.Context(), Options{Stage: s, Root: root, Binary: binary, Log: t.Output(), throwaway: true})
	if err == nil || !strings.Contains(err.Error(), "PARAMETERS") {
		t.Errorf("got %v, want what is wrong with PARAMETERS", err)
	}
	checkGone(t, nil, tmp)
}
