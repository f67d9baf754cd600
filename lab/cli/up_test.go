package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoplab/contract"
	"shoplab/exectest"
	"shoplab/lab/load/shard"
	"shoplab/lab/stage"
)

// TestMain makes this test binary three programs: the tests, the lab itself, and a service that is
// just ready, so that `lab up` is tested as a process without building the shop.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(contract.EnvAddr) != "":
		server := http.Server{
			Addr: os.Getenv(contract.EnvAddr), ReadHeaderTimeout: time.Second,
			Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/die" {
					os.Exit(3)
				}
			}),
		}
		_ = server.ListenAndServe()
		os.Exit(1)
	case os.Getenv("RUN_LAB") != "", len(os.Args) == 2 && os.Args[1] == shard.Command:
		os.Exit(Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestUpLeavesNothingAfterCtrlC(t *testing.T) {
	lab := startLab(t, "up", "stage2", "--binary", exectest.Self(t))
	url := lab.url()
	if resp, err := http.Get(url); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %v", url, err)
	} else if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	children := descendants(t, lab.cmd.Process.Pid)
	if runtime.GOOS == "linux" && len(children) < 8 {
		t.Errorf("%d processes below lab, want two instances, PostgreSQL's several, Redis or none, a proxy", len(children))
	}
	lab.signal(os.Interrupt)
	if err := lab.wait(); err != nil {
		t.Errorf("lab after Ctrl-C: %v\n%s", err, lab.stderr.String())
	}
	lab.checkGone(children)
}

// TestUpRunsEveryStage builds the real shop, for what stands before it and how it is told depend on the stage.
func TestUpRunsEveryStage(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the shop")
	}
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	names, err := stage.Names(root)
	if err != nil || len(names) < 5 {
		t.Fatalf("stages %v, %v", names, err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			lab := startLab(t, "up", name)
			resp, err := http.Get(lab.url() + "/api/products?limit=1")
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("the catalog: %v, %v", resp, err)
			}
			_ = resp.Body.Close()
			children := descendants(t, lab.cmd.Process.Pid)
			lab.signal(os.Interrupt)
			if err := lab.wait(); err != nil {
				t.Errorf("lab after Ctrl-C: %v\n%s", err, lab.stderr.String())
			}
			lab.checkGone(children)
		})
	}
}

func TestUpLeavesNothingWhenInterruptedWhileStarting(t *testing.T) {
	for _, signals := range []int{1, 2} {
		lab := startLab(t, "up", "--binary", exectest.Self(t))
		var children []int
		lab.await("a process of PostgreSQL", func() bool {
			children = append(children, descendants(t, lab.cmd.Process.Pid)...)
			return runtime.GOOS != "linux" || len(children) > 0
		})
		for range signals {
			lab.signal(syscall.SIGTERM)
		}
		err := lab.wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 130 {
			t.Errorf("%d signals: lab ended with %v, want exit status 130", signals, err)
		}
		lab.checkGone(children)
	}
}

func TestUpSaysThatTheShopDied(t *testing.T) {
	lab := startLab(t, "up", "--binary", exectest.Self(t))
	if resp, err := http.Get(lab.url() + "/die"); err == nil {
		_ = resp.Body.Close()
	}
	err := lab.wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 ||
		!strings.Contains(lab.stderr.String(), "shop-1 ended: exit status 3") {
		t.Errorf("lab ended with %v and said\n%s\nwant exit status 1 and who died", err, lab.stderr.String())
	}
	lab.checkGone(nil)
}

func TestUpRefusesWhatCannotBe(t *testing.T) {
	for want, args := range map[string][]string{
		`no stage "stage9"; there are`:         {"up", "stage9"},
		"--rate-limit is \"maybe\", want on":   {"up", "--rate-limit", "maybe"},
		"choose another with --port":           {"up", "--port", "1"},
		"unknown flag: --prot":                 {"up", "--prot", "1"},
		"accepts at most 1 arg(s), received 2": {"up", "stage1", "stage2"},
	} {
		if strings.Contains(want, "--port") && os.Geteuid() == 0 {
			args = []string{"up", "--port", "70000"}
		}
		var stderr bytes.Buffer
		if code := Run(t.Context(), args, io.Discard, &stderr); code != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("lab %v: exit status %d, %q; want 1 and %q", args, code, stderr.String(), want)
		}
	}
}

// lab is this binary running as the lab, in a temporary folder of its own.
type lab struct {
	t      *testing.T
	cmd    *exec.Cmd
	tmp    string
	stderr *exectest.Output
	lines  chan string
}

func startLab(t *testing.T, args ...string) *lab {
	t.Helper()
	tmp, err := os.MkdirTemp("/tmp", "u") // not t.TempDir, which PostgreSQL's user may not enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o755); err != nil { // #nosec G302
		t.Fatal(err)
	}
	l := &lab{t: t, tmp: tmp, stderr: &exectest.Output{}, lines: make(chan string, 100)}
	l.cmd = exec.CommandContext(t.Context(), exectest.Self(t), args...) // #nosec G204
	l.cmd.Env = append(os.Environ(), "RUN_LAB=1", "TMPDIR="+tmp)
	l.cmd.Stderr = l.stderr
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(l.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			l.lines <- s.Text()
		}
	}()
	return l
}

// url waits for the line with the shop's URL.
func (l *lab) url() string {
	l.t.Helper()
	pattern := regexp.MustCompile(`http://\S+`)
	timeout := time.After(2 * time.Minute)
	for {
		select {
		case line, ok := <-l.lines:
			if url := pattern.FindString(line); url != "" {
				return url
			}
			if !ok {
				l.t.Fatalf("lab ended without a URL:\n%s", l.stderr.String())
			}
		case <-timeout:
			l.t.Fatalf("no URL within two minutes:\n%s", l.stderr.String())
		}
	}
}

func (l *lab) signal(sig os.Signal) {
	l.t.Helper()
	if err := l.cmd.Process.Signal(sig); err != nil {
		l.t.Error(err)
	}
}

func (l *lab) wait() error {
	l.t.Helper()
	for range l.lines { // until standard output is closed, as Wait demands
	}
	return l.cmd.Wait()
}

func (l *lab) await(what string, ok func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(deadline) {
			l.t.Fatalf("not within a minute: %s", what)
		}
	}
}

func (l *lab) checkGone(children []int) {
	l.t.Helper()
	for _, pid := range children {
		// What was killed with its parent is gone once init has looked after it.
		l.await(fmt.Sprintf("process %d is gone after lab's end", pid), func() bool {
			return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
		})
	}
	if left, err := os.ReadDir(l.tmp); err != nil || len(left) > 0 {
		l.t.Errorf("left in the temporary folder: %v %v", left, err)
	}
}

// descendants lists the processes below pid, from Linux' /proc.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	parents := map[int]int{}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended meanwhile
		}
		// "pid (name) state ppid ...", where the name may hold anything
		rest := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		child, err1 := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		parent, err2 := strconv.Atoi(rest[1])
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		parents[child] = parent
	}
	found := []int{pid}
	for grown := true; grown; {
		grown = false
		for child, parent := range parents {
			if slices.Contains(found, parent) && !slices.Contains(found, child) {
				found, grown = append(found, child), true
			}
		}
	}
	return found[1:]
}
