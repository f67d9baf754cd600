package twin

import (
	"errors"
	"io"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"shoplab/exectest"
	"shoplab/lab/stage"
)

// read is a stage of the repository with a change.
func read(t *testing.T, name string, change stage.Change) stage.Stage {
	t.Helper()
	s, err := stage.Read(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return s.With(change)
}

// checkOften has instances checked so often that a test need not wait for it.
func checkOften(s *stage.Stage) { s.HealthCheckInterval = 50 * time.Millisecond }

func startTwin(t *testing.T, o Options) *Twin {
	t.Helper()
	o.Root, o.Binary, o.Log, o.throwaway = root, exectest.Self(t), t.Output(), true
	tw, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tw.Stop() }) // tests that care stop it themselves
	return tw
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %q %v", url, resp.Status, body, err)
	}
	return string(body)
}

func usage(t *testing.T, g *Group) Usage {
	t.Helper()
	u, err := g.Usage()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func pidsOf(tw *Twin) []int {
	pids := []int{tw.Postgres.PID}
	for _, i := range tw.Instances {
		pids = append(pids, i.PID)
	}
	for _, p := range tw.Proxies {
		pids = append(pids, p.PID)
	}
	if tw.Redis.PID != os.Getpid() {
		pids = append(pids, tw.Redis.PID)
	}
	return pids
}

// checkGone says what a stopped twin has left: processes and files. Control groups that cannot be removed
// are an error of Stop.
func checkGone(t *testing.T, pids []int, tmp string) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d: %v, want it gone", pid, err)
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v %v", left, err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond) // others need the CPU for it to become true
	}
	t.Errorf("not within a minute: %s", what)
}

// statusOf is the status of an answer, whatever it is.
func statusOf(url string) (int, error) {
	resp, err := http.Get(url) //nolint:noctx // a test's own server
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
