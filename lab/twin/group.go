package twin

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// Group is a control group: what its processes used, and the most they may use.
type Group struct {
	Name        string
	CPULimit    float64 // CPUs; 0 means no limit of its own
	MemoryLimit int64   // bytes; 0 means no limit of its own
	Parent      *Group  // the machine it shares with others, or the whole stage; nil for the latter

	control control
}

// Usage is what a group has used since it was made.
type Usage struct {
	CPU              time.Duration
	Periods          uint64 // of the CPU quota that have passed
	ThrottledPeriods uint64 // of those, in which the quota ran out
	ThrottledTime    time.Duration
	Memory           uint64 // bytes now, page cache included
	MemoryPeak       uint64 // bytes; 0 where the kernel does not say (cgroup v2 before Linux 5.19)
}

// control is a control group of the kernel, version 1 or 2. A group holds processes or other
// groups, never both, as version 2 demands.
type control interface {
	child(name string, cpus float64, memory int64) (control, error)
	add(pid int) error
	usage() (Usage, error)
	remove() error
}

// cpuPeriod is the kernel's default period of a CPU quota, which Fargate and Kubernetes use too.
const cpuPeriod = 100 * time.Millisecond

// quota is the CPU time in microseconds that a limit gives in one period.
func quota(cpus float64) int64 { return int64(cpus * float64(cpuPeriod.Microseconds())) }

// Usage reads the group's counters.
func (g *Group) Usage() (Usage, error) {
	u, err := g.control.usage()
	if err != nil {
		return Usage{}, fmt.Errorf("read the control group %s: %w", g.Name, err)
	}
	return u, nil
}

// enter returns the function that puts a process into the group; nil for no group.
func (g *Group) enter() func(pid int) error {
	if g == nil {
		return nil
	}
	return func(pid int) error {
		if err := g.control.add(pid); err != nil {
			return fmt.Errorf("enter the control group %s: %w", g.Name, err)
		}
		return nil
	}
}

// Limits says what enforces limits on this machine: "cgroup v1" or "cgroup v2", or "none" with the reason.
func Limits() string {
	name := fmt.Sprintf("shoplab-probe-%d", os.Getpid())
	gs, err := openGroups(name, 0)
	if err == nil {
		err = gs.close()
	}
	if err != nil {
		return fmt.Sprintf("none (%v)", err)
	}
	return version()
}

// groups makes the groups of a run and removes them.
type groups struct {
	whole *Group // the stage's; nil where this machine permits none
	made  []*Group
}

// openGroups makes the group of a whole stage, with a limit in CPUs (0: none). Where that is not
// permitted, the groups made later are nil and the second result says why.
func openGroups(name string, cpus float64) (*groups, error) {
	c, err := newRootControl(name, cpus)
	if err != nil {
		return &groups{}, err
	}
	return &groups{whole: &Group{Name: "the stage", CPULimit: cpus, control: c}}, nil
}

// add makes a group with limits (0: none) in a machine's group, or in the stage's when parent is
// nil. It cannot have more CPUs than what it is in.
func (gs *groups) add(name string, cpus float64, memory int64, parent *Group) (*Group, error) {
	if gs.whole == nil {
		return nil, nil // no groups here; every caller takes nil for "not limited"
	}
	if parent == nil {
		parent = gs.whole
	}
	for p := parent; p != nil; p = p.Parent {
		if p.CPULimit > 0 {
			cpus = min(cpus, p.CPULimit)
		}
	}
	c, err := parent.control.child(name, cpus, memory)
	if err != nil {
		return nil, fmt.Errorf("make the control group %s: %w", name, err)
	}
	g := &Group{Name: name, CPULimit: cpus, MemoryLimit: memory, Parent: parent, control: c}
	gs.made = append(gs.made, g)
	return g, nil
}

// close removes the groups, children first. Their processes have ended or are about to: those that
// a killed program leaves behind take a moment, in which the kernel keeps the group.
func (gs *groups) close() error {
	if gs.whole == nil {
		return nil
	}
	deadline := time.Now().Add(10 * time.Second)
	var errs []error
	for _, g := range slices.Backward(append([]*Group{gs.whole}, gs.made...)) {
		err := g.control.remove()
		for ; err != nil && time.Now().Before(deadline); err = g.control.remove() {
			time.Sleep(10 * time.Millisecond)
		}
		errs = append(errs, err)
	}
	gs.whole, gs.made = nil, nil
	return errors.Join(errs...)
}
