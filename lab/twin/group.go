package twin

import (
	"errors"
	"fmt"
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
// nil. It cannot have more CPUs than the stage has.
func (gs *groups) add(name string, cpus float64, memory int64, parent *Group) (*Group, error) {
	if gs.whole == nil {
		return nil, nil // no groups here; every caller takes nil for "not limited"
	}
	if parent == nil {
		parent = gs.whole
	}
	if most := gs.whole.CPULimit; most > 0 {
		cpus = min(cpus, most)
	}
	c, err := parent.control.child(name, cpus, memory)
	if err != nil {
		return nil, fmt.Errorf("make the control group %s: %w", name, err)
	}
	g := &Group{Name: name, CPULimit: cpus, MemoryLimit: memory, Parent: parent, control: c}
	gs.made = append(gs.made, g)
	return g, nil
}

// close removes the groups, children first; their processes have ended.
func (gs *groups) close() error {
	if gs.whole == nil {
		return nil
	}
	var errs []error
	for i := len(gs.made) - 1; i >= 0; i-- {
		errs = append(errs, gs.made[i].control.remove())
	}
	errs = append(errs, gs.whole.control.remove())
	gs.whole, gs.made = nil, nil
	return errors.Join(errs...)
}
