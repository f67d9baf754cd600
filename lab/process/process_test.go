package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets this binary be a lab that is killed: it starts a child, prints its id, and waits.
func TestMain(m *testing.M) {
	if os.Getenv("LAB_TO_KILL") != "" {
		dir, err := NewTempDir("killed")
		if err == nil {
			_, err = Start(Spec{
				Name: "sleep", Path: "/bin/sh",
				Args: []string{"-c", "echo $$ >" + filepath.Join(dir.Path, "pid") + "; exec sleep 600"},
			})
		}
		fmt.Println(err)
		select {}
	}
	os.Exit(m.Run())
}

func TestStopAsksThenKills(t *testing.T) {
	polite := sh(t, Spec{Name: "polite"}, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done")
	if err := polite.Stop(t.Context()); err != nil || polite.Tail() != "up\nbye" {
		t.Errorf("Stop of a polite program: %v, output %q", err, polite.Tail())
	}
	if err := polite.Stop(t.Context()); err != nil {
		t.Errorf("second Stop: %v", err)
	}

	deaf := sh(t, Spec{Name: "deaf", StopTimeout: 100 * time.Millisecond},
		"trap '' TERM; echo up; while :; do sleep 0.05; done")
	if err := deaf.Stop(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "killed deaf: it did not stop within 100ms") {
		t.Errorf("Stop of a deaf program: %v, want that it was killed", err)
	}

	deaf = sh(t, Spec{Name: "deaf"}, "trap '' TERM; echo up; while :; do sleep 0.05; done")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := deaf.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop that may not wait: %v, want context canceled", err)
	}
}

func TestErrHasTheLastLines(t *testing.T) {
	p := sh(t, Spec{Name: "talker"}, "echo up; i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; done; exit 7")
	<-p.Done()
	err := p.Err()
	if err == nil || !strings.Contains(err.Error(), "talker ended: exit status 7") {
		t.Fatalf("error %v, want the exit status", err)
	}
	if text := err.Error(); !strings.HasSuffix(text, "line 40") || strings.Contains(text, "line 25\n") ||
		!strings.Contains(text, "line 26\n") {
		t.Errorf("error %q, want the last 15 lines", text)
	}
	if p.Succeeded() {
		t.Error("exit status 7 counts as success")
	}
}

func TestEnterThatFailsEndsTheProgram(t *testing.T) {
	var pid int
	_, err := Start(Spec{Name: "sleep", Path: "/bin/sleep", Args: []string{"600"}, Enter: func(p int) error {
		pid = p
		return errors.New("no room")
	}})
	if err == nil || !strings.Contains(err.Error(), "start sleep: no room") {
		t.Errorf("error %v", err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: %v, want it gone", pid, err)
	}
}

// A program that starts others at once has them all where it is put: none has begun when that is done.
func TestEnterComesFirst(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "begun")
	begun := func() bool { _, err := os.Stat(mark); return err == nil }
	p, err := Start(Spec{
		Name: "touch", Path: "/bin/sh", Args: []string{"-c", `touch "$0"; echo "$1"`, mark, "it's $HOME"},
		Enter: func(int) error {
			for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
				if begun() {
					t.Error("the program began before it was put anywhere")
					break
				}
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if tail := p.Tail(); !begun() || !strings.Contains(tail, "it's $HOME") {
		t.Errorf("begun %v, with the arguments: %s", begun(), tail)
	}
	if _, err := Start(Spec{Name: "nothing", Path: "/nowhere", Enter: func(int) error { return nil }}); err == nil {
		t.Error("a program that is not there was started")
	}
}

// A lab that is killed leaves no process, and its folder is removed by the next one.
func TestKilledLabLeavesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child that its parent has died")
	}
	tmp := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	lab := exec.CommandContext(t.Context(), self)
	lab.Env = append(os.Environ(), "LAB_TO_KILL=1", "TMPDIR="+tmp)
	if err := lab.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	await(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(tmp, "shoplab-killed-*", "pid"))
		if len(files) == 1 {
			text, _ := os.ReadFile(files[0])
			child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return child != 0
	})
	t.Setenv("TMPDIR", tmp)
	second, err := NewTempDir("second")
	if err != nil {
		t.Fatal(err)
	}
	if dirs, _ := os.ReadDir(tmp); len(dirs) != 2 {
		t.Errorf("folders %v while both labs live, want both", dirs)
	}
	if err := lab.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = lab.Wait() // "signal: killed"
	await(t, func() bool { return errors.Is(syscall.Kill(child, 0), syscall.ESRCH) })
	third, err := NewTempDir("third")
	if err != nil {
		t.Fatal(err)
	}
	if dirs, _ := os.ReadDir(tmp); len(dirs) != 2 {
		t.Errorf("folders %v, want those of the living", dirs)
	}
	if err := errors.Join(second.Remove(), third.Remove()); err != nil {
		t.Error(err)
	}
	if dirs, _ := os.ReadDir(tmp); len(dirs) != 0 {
		t.Errorf("folders %v after the end", dirs)
	}
}

// sh starts a shell script and waits for its first line.
func sh(t *testing.T, s Spec, script string) *Process {
	t.Helper()
	s.Path, s.Args = "/bin/sh", []string{"-c", script}
	p, err := Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.Background()) })
	await(t, func() bool { return p.Tail() != "" })
	return p
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited 20 s")
		}
	}
}

func TestAProgramThatLogsToAFileHasATailToo(t *testing.T) {
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := Start(Spec{
		Name: "failing", Path: "/bin/sh", Args: []string{"-c", "seq 3000; echo no space >&2; exit 3"}, Log: f,
	})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	lines := strings.Split(p.Tail(), "\n")
	if len(lines) != 15 || lines[13] != "3000" || lines[14] != "no space" ||
		!strings.Contains(p.Err().Error(), "no space") {
		t.Errorf("tail %q, error %v", lines, p.Err())
	}
}
