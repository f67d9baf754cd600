package twin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoplab/exectest"
	"shoplab/lab/process"
)

// A process is held back by the group it is in and by every group around that, as an instance is by
// its own limit, its machine's, and what the whole stage may use.
func TestGroupLimitsCPU(t *testing.T) {
	const limit = 0.1
	for _, tc := range []struct {
		limited              string
		stage, machine, part float64
	}{
		{"part", 0, 2, limit},
		{"machine", 1, limit, 0},
		{"the stage", limit, 0, 0},
		{"part", 0, limit, 1}, // it cannot have more than its machine, which cgroup v1 would refuse
	} {
		t.Run(fmt.Sprintf("stage %g, machine %g, part %g", tc.stage, tc.machine, tc.part), func(t *testing.T) {
			gs := testGroups(t, tc.stage)
			machine := addGroup(t, gs, "machine", tc.machine, 0, nil)
			part := addGroup(t, gs, "part", tc.part, 0, machine)
			limited := map[string]*Group{gs.whole.Name: gs.whole, machine.Name: machine, part.Name: part}[tc.limited]
			startChild(t, part, busy)

			// Both bounds are for the long run: what a process overdraws, because the kernel looks but now and
			// then, it pays back in the next periods. A busy machine gives less than the limit, but a period
			// that counts as throttled had its quota spent, if at times by a CPU that still holds a bit of it.
			began, before := time.Now(), usage(t, limited)
			eventually(t, "a busy process is throttled to the limit", func() bool {
				now := usage(t, limited)
				wall, used, throttled := time.Since(began), now.CPU-before.CPU, now.ThrottledPeriods-before.ThrottledPeriods
				return throttled >= 5 && now.ThrottledTime > before.ThrottledTime && now.Periods >= before.Periods+throttled &&
					used.Seconds() >= limit/2*float64(throttled)*cpuPeriod.Seconds() &&
					used.Seconds() <= limit*(wall+2*cpuPeriod).Seconds()
			})
			// What a part uses, its machine and the stage use; read in this order, because all of it grows.
			if p, m, s := usage(t, part).CPU, usage(t, machine).CPU, usage(t, gs.whole).CPU; p <= 0 || m < p || s < m {
				t.Errorf("the part used %s of CPU, its machine %s, the stage %s", p, m, s)
			}
		})
	}
}

// A process that needs more memory than there is dies, whether the limit is its own or its machine's,
// and however much swap there is: neither a Fargate task nor a pod has any.
func TestGroupLimitsMemory(t *testing.T) {
	const limit = 192 * mib
	for name, limits := range map[string]struct{ machine, part int64 }{"part": {0, limit}, "machine": {limit, 0}} {
		t.Run(name, func(t *testing.T) {
			gs := testGroups(t, 0)
			machine := addGroup(t, gs, "machine", 0, limits.machine, nil)
			part := addGroup(t, gs, "part", 0, limits.part, machine)

			sated := startChild(t, part, "24")
			eventually(t, "a process has eaten 24 MiB", func() bool { return sated.Tail() == "full" })
			for _, g := range []*Group{part, machine} {
				u := usage(t, g)
				if u.Memory < 24*mib || u.Memory > limit {
					t.Errorf("%s uses %d bytes, want 24 MiB at least and %d at most", g.Name, u.Memory, limit)
				}
				if u.MemoryPeak != 0 && (u.MemoryPeak < 24*mib || u.MemoryPeak > limit) { // 0: an old kernel
					t.Errorf("%s used %d bytes, want 24 MiB at least and %d at most", g.Name, u.MemoryPeak, limit)
				}
			}
			if err := sated.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}

			hungry := startChild(t, part, "384")
			eventually(t, fmt.Sprintf("a process that eats 384 MiB of %d is killed", limit/mib), func() bool {
				err := hungry.Err()
				return err != nil && strings.Contains(err.Error(), "signal: killed")
			})
		})
	}
}

// Programs leave children behind that end a little later, as PostgreSQL does when it is killed.
func TestGroupsOfTheDyingAreRemoved(t *testing.T) {
	gs := testGroups(t, 1)
	p := startChild(t, addGroup(t, gs, "part", 0, 0, addGroup(t, gs, "machine", 0, 0, nil)), "128")
	eventually(t, "a process has eaten 128 MiB", func() bool { return p.Tail() == "full" })
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := gs.close(); err != nil { // does not wait for the process, which has much to give back
		t.Error(err)
	}
}

// testGroups opens the groups of a stage; afterwards nothing may be left of them.
func testGroups(t *testing.T, cpus float64) *groups {
	t.Helper()
	name := fmt.Sprintf("shoplab-twin-test-%d", os.Getpid())
	gs, err := openGroups(name, cpus)
	if err != nil {
		t.Skipf("this machine permits no control groups (needs root, or systemd-run --user): %v", err)
	}
	t.Cleanup(func() {
		if err := gs.close(); err != nil {
			t.Error(err)
		}
		if err := filepath.WalkDir("/sys/fs/cgroup", func(path string, _ fs.DirEntry, err error) error {
			if filepath.Base(path) == name {
				t.Errorf("the control group %s is left", path)
			}
			if errors.Is(err, fs.ErrNotExist) { // others come and go
				return nil
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	})
	return gs
}

func addGroup(t *testing.T, gs *groups, name string, cpus float64, memory int64, parent *Group) *Group {
	t.Helper()
	g, err := gs.add(name, cpus, memory, parent)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// What this test binary does as a process in a group: use CPU until it is killed, or eat as many MiB
// as the variable says and wait when it is full.
const (
	childTask = "SHOPLAB_TWIN_CHILD"
	busy      = "busy"
)

// startChild starts this binary in a group, to be killed at the test's end.
func startChild(t *testing.T, g *Group, task string) *process.Process {
	t.Helper()
	stdin, entered := io.Pipe() // the child waits for its end, to touch nothing before it is in the group
	defer entered.Close()
	p, err := process.Start(process.Spec{
		Name: "child", Path: exectest.Self(t), Env: []string{childTask + "=" + task},
		Stdin: stdin, StopSignal: syscall.SIGKILL, Enter: g.enter(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.Background()) })
	return p
}

func child(task string) error {
	if _, err := io.ReadAll(os.Stdin); err != nil {
		return err
	}
	for i := 0; task == busy; i++ {
	}
	size, err := strconv.Atoi(task)
	if err != nil {
		return err
	}
	food := bytes.Repeat([]byte{1}, size*mib)
	fmt.Println("full")
	time.Sleep(time.Hour)
	runtime.KeepAlive(food)
	return nil
}
