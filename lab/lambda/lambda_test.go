package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	aws "github.com/aws/aws-lambda-go/lambda"

	"shoplab/exectest"
)

// asFunction in the environment makes the test's own binary a function.
const asFunction = "SHOPLAB_TEST_AS_FUNCTION"

// job is the function's event: it asks Wait, fails with Fail, or ends the process.
type job struct {
	Wait, Fail string
	Die        bool
}

func TestMain(m *testing.M) {
	if os.Getenv(asFunction) == "" {
		os.Exit(m.Run())
	}
	handler := func(ctx context.Context, j job) (int, error) {
		if j.Die {
			os.Exit(3)
		}
		if j.Wait != "" {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, j.Wait, nil)
			if err != nil {
				return 0, err
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				return 0, err
			}
			res.Body.Close()
		}
		if j.Fail != "" {
			return 0, errors.New(j.Fail)
		}
		return os.Getpid(), nil
	}
	aws.StartWithOptions(handler, aws.WithEnableSIGTERM(func() {
		fmt.Println("bye")
		os.Exit(0)
	}))
}

// function is a function of the test's own, stopped at its end.
func function(t *testing.T, change func(*Options)) (*Function, *exectest.Output) {
	t.Helper()
	out := &exectest.Output{}
	o := Options{
		Name: "test", Path: os.Args[0], Env: []string{asFunction + "=1"}, Concurrency: 2, Timeout: time.Minute,
		Log: func(int) io.Writer { return out },
	}
	if change != nil {
		change(&o)
	}
	f := New(o)
	t.Cleanup(func() {
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f, out
}

// run has the function do a job and returns the process that did it.
func run(f *Function, j job) (pid int, err error) {
	event, err := json.Marshal(j)
	if err != nil {
		return 0, err
	}
	answer, err := f.Invoke(context.Background(), event)
	if err != nil {
		return 0, err
	}
	return pid, json.Unmarshal(answer, &pid)
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within a minute", what)
		}
	}
}

// frozen says whether a process is stopped by a signal.
func frozen(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && strings.HasPrefix(state, "T")
}

// TestOneAtATime: an environment handles one event, a second event gets a second environment, a third none; between
// events the process is frozen, and used again.
func TestOneAtATime(t *testing.T) {
	f, _ := function(t, func(o *Options) { o.Placement, o.Refusal = time.Millisecond, 20*time.Millisecond })
	waiting, release := make(chan struct{}, 2), make(chan struct{})
	gate := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		waiting <- struct{}{}
		<-release
	}))
	t.Cleanup(gate.Close)
	pids := make(chan int, 2)
	for range 2 {
		go func() {
			pid, err := run(f, job{Wait: gate.URL})
			if err != nil {
				t.Error(err)
			}
			pids <- pid
		}()
	}
	<-waiting
	<-waiting
	if _, err := run(f, job{}); !errors.Is(err, ErrThrottled) {
		t.Errorf("a third event: %v, want %v", err, ErrThrottled)
	}
	began, refusal := time.Now(), httptest.NewRecorder()
	f.ServeHTTP(refusal, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if took := time.Since(began); refusal.Code != http.StatusServiceUnavailable || took < f.options.Refusal {
		t.Errorf("a third request: %d after %s, want 503 after %s", refusal.Code, took, f.options.Refusal)
	}
	close(release)
	first, second := <-pids, <-pids
	if first == second {
		t.Errorf("one process handled two events at once")
	}
	await(t, "frozen processes", func() bool { return frozen(first) && frozen(second) })
	again, err := run(f, job{})
	if err != nil || again != first && again != second {
		t.Errorf("process %d (%v), want %d or %d again", again, err, first, second)
	}
	s := f.Stats()
	if s.Invocations != 3 || s.ColdStarts != 2 || s.Throttles != 2 || s.Errors != 0 || s.Most != 2 || len(s.Starts) != 2 {
		t.Errorf("counted %+v", s)
	}
	if s.Starts[0] < time.Millisecond || s.Billed < 3*time.Millisecond {
		t.Errorf("a cold start took %s and %s are billed", s.Starts[0], s.Billed)
	}
}

// TestRecycled: an environment without events ends, asked to by SIGTERM.
func TestRecycled(t *testing.T) {
	f, out := function(t, func(o *Options) { o.Idle = 50 * time.Millisecond })
	first, err := run(f, job{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "end of the idle environment", func() bool { return f.Stats().Environments == 0 })
	if !strings.Contains(out.String(), "bye") {
		t.Error("the process was not asked to end")
	}
	if second, err := run(f, job{}); err != nil || second == first {
		t.Errorf("process %d again (%v)", second, err)
	}
}

// TestRetire: every environment ends, that which is at work when it is done, and the next event starts cold.
func TestRetire(t *testing.T) {
	f, out := function(t, func(o *Options) { o.Idle, o.Concurrency = time.Hour, 3 })
	working, release := make(chan struct{}), make(chan struct{})
	gate := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(working)
		<-release
	}))
	t.Cleanup(gate.Close)
	done := make(chan error, 1)
	go func() {
		_, err := run(f, job{Wait: gate.URL})
		done <- err
	}()
	<-working
	first, err := run(f, job{})
	if err != nil {
		t.Fatal(err)
	}
	f.Retire()
	second, err := run(f, job{})
	if err != nil || second == first {
		t.Errorf("process %d again (%v)", second, err)
	}
	await(t, "frozen process", func() bool { return frozen(second) })
	close(release)
	if err := <-done; err != nil {
		t.Errorf("the event that was being handled: %v", err)
	}
	await(t, "end of the retired environments", func() bool { return f.Stats().Environments == 1 })
	if ended := strings.Count(out.String(), "bye"); ended != 2 {
		t.Errorf("%d processes were asked to end, want 2", ended)
	}
	if again, err := run(f, job{}); err != nil || again != second {
		t.Errorf("process %d (%v), want %d, which is not retired", again, err, second)
	}
}

// TestFailures: an event that fails leaves the environment, a process that ends or takes too long does not.
func TestFailures(t *testing.T) {
	f, _ := function(t, nil)
	first, err := run(f, job{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "frozen process", func() bool { return frozen(first) })
	if _, err := run(f, job{Fail: "no luck"}); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("a failure: %v", err)
	}
	await(t, "frozen process", func() bool { return frozen(first) })
	if again, err := run(f, job{}); err != nil || again != first {
		t.Errorf("after a failure: process %d (%v), want %d", again, err, first)
	}
	await(t, "frozen process", func() bool { return frozen(first) })
	if _, err := run(f, job{Die: true}); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a process that ends: %v", err)
	}
	await(t, "end of the environment", func() bool { return f.Stats().Environments == 0 })
	if next, err := run(f, job{}); err != nil || next == first {
		t.Errorf("after an end: process %d (%v)", next, err)
	}
	hung := make(chan struct{})
	gate := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hung }))
	t.Cleanup(gate.Close)
	t.Cleanup(func() { close(hung) })
	slow, _ := function(t, func(o *Options) { o.Timeout = 500 * time.Millisecond })
	if _, err := run(slow, job{Wait: gate.URL}); err == nil {
		t.Error("an event that takes too long succeeds")
	}
	bad, _ := function(t, func(o *Options) { o.Path = "/bin/false" })
	if _, err := run(bad, job{}); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("a program that does not start: %v", err)
	}
}

// TestStruck: an event whose process is killed or hangs fails, its environment is gone, and the next event is served.
func TestStruck(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		f, _ := function(t, nil)
		if _, err := run(f, job{}); err != nil {
			t.Fatal(err)
		}
		await(t, "idle environment", func() bool { return f.Stats().Busy == 0 })
		if sig == syscall.SIGSTOP { // the events before and after have a minute
			f.warm[0].options.Timeout = time.Second
		}
		struck := make(chan error, 1)
		go func() { struck <- f.Strike(t.Context(), sig) }()
		await(t, "strike that waits", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.strikes) == 1 })
		if _, err := run(f, job{}); err == nil {
			t.Errorf("%s: the event succeeds", sig)
		}
		if err := <-struck; err != nil {
			t.Error(err)
		}
		await(t, "end of the environment", func() bool { return f.Stats().Environments == 0 })
		if _, err := run(f, job{}); err != nil {
			t.Errorf("%s: the next event: %v", sig, err)
		}
	}
}

// TestStrikesWhoWaits: an event that nobody waits for any more is not struck, nor any after a strike was given up.
func TestStrikesWhoWaits(t *testing.T) {
	f, _ := function(t, nil)
	if _, err := run(f, job{}); err != nil {
		t.Fatal(err)
	}
	await(t, "idle environment", func() bool { return f.Stats().Busy == 0 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	given := make(chan error, 1)
	go func() { given <- f.Strike(ctx, syscall.SIGKILL) }()
	await(t, "strike that waits", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.strikes) == 1 })
	left, leave := context.WithCancel(t.Context())
	leave()
	if _, err := f.Invoke(left, []byte("{}")); err != nil {
		t.Errorf("an event that nobody waits for: %v", err)
	}
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("a strike that was given up: %v", err)
	}
	if _, err := run(f, job{}); err != nil {
		t.Errorf("it strikes all the same: %v", err)
	}
}

// TestPublished: a new version serves from its trial on, and what the old one had begun is answered.
func TestPublished(t *testing.T) {
	f, out := function(t, nil)
	old, err := run(f, job{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "idle environment", func() bool { return f.Stats().Busy == 0 })
	trial, err := json.Marshal(job{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Publish(t.Context(), trial); err != nil {
		t.Fatal(err)
	}
	if pid, err := run(f, job{}); err != nil || pid == old {
		t.Errorf("process %d (%v) of the old version serves", pid, err)
	}
	await(t, "end of the old version, and an idle new one", func() bool {
		s := f.Stats()
		return s.Environments == 1 && s.Busy == 0 && strings.Contains(out.String(), "bye")
	})

	waiting, release := make(chan struct{}), make(chan struct{})
	gate := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(waiting); <-release }))
	t.Cleanup(gate.Close)
	begun := make(chan error, 1)
	go func() { _, err := run(f, job{Wait: gate.URL}); begun <- err }()
	<-waiting
	if err := f.Publish(t.Context(), trial); err != nil {
		t.Error(err)
	}
	close(release)
	if err := <-begun; err != nil {
		t.Errorf("what the old version had begun: %v", err)
	}
	await(t, "end of the old version", func() bool { return f.Stats().Environments == 1 })
	bad, err := json.Marshal(job{Die: true})
	if err != nil {
		t.Fatal(err)
	}
	before, err := run(f, job{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "idle environment", func() bool { return f.Stats().Busy == 0 })
	if err := f.Publish(t.Context(), bad); err == nil {
		t.Error("a version that fails its trial serves")
	}
	if pid, err := run(f, job{}); err != nil || pid != before {
		t.Errorf("after a failed trial: process %d (%v), want %d", pid, err, before)
	}
}

// TestLost: environments that are lost serve no more, busy or idle, and the others do.
func TestLost(t *testing.T) {
	f, _ := function(t, nil)
	waiting := make(chan struct{})
	gate := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(waiting)
		<-r.Context().Done()
	}))
	t.Cleanup(gate.Close)
	busy := make(chan error, 1)
	go func() { _, err := run(f, job{Wait: gate.URL}); busy <- err }() // number 0
	<-waiting
	pid, err := run(f, job{}) // number 1
	if err != nil {
		t.Fatal(err)
	}
	await(t, "idle environment", func() bool { return f.Stats().Busy == 1 })
	f.Lose(func(n int) bool { return n == 0 })
	if err := <-busy; err == nil {
		t.Error("the event of a lost environment succeeds")
	}
	await(t, "end of the lost one", func() bool { return f.Stats().Environments == 1 })
	if again, err := run(f, job{}); err != nil || again != pid {
		t.Errorf("process %d (%v), want %d", again, err, pid)
	}
	await(t, "idle environment", func() bool { return f.Stats().Busy == 0 })
	f.Lose(func(n int) bool { return n == 1 })
	if s := f.Stats(); s.Environments != 0 {
		t.Errorf("%d environments after all were lost", s.Environments)
	}
}
