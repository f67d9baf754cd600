package twin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	cgroups "github.com/containerd/cgroups/v3"
	"github.com/containerd/cgroups/v3/cgroup1"
	"github.com/containerd/cgroups/v3/cgroup2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// On a saturated machine the twin stands behind the laboratory, whose requests would leave late: an
// eighth of the default weights, 1024 shares and 100.
const (
	behindV1 = 128
	behindV2 = 12
)

// newRootControl makes the group of a whole stage; 0 CPUs: no limit.
func newRootControl(name string, cpus float64) (control, error) {
	switch cgroups.Mode() {
	case cgroups.Unified:
		v := &controlV2{path: "/" + name}
		if err := v.make(cpus, 0); err != nil {
			return nil, err
		}
		weight := uint64(behindV2)
		return v, v.manager.Update(&cgroup2.Resources{CPU: &cgroup2.CPU{Weight: &weight}})
	case cgroups.Legacy, cgroups.Hybrid:
		r, shares := resourcesV1(cpus, 0), uint64(behindV1)
		r.CPU.Shares = &shares
		cg, err := cgroup1.New(cgroup1.NestedPath("/"+name), r, cgroup1.WithHierarchy(cpuAndMemory))
		if err != nil {
			return nil, err
		}
		return &controlV1{cg}, nil
	default:
		return nil, errors.New("no control groups are mounted")
	}
}

// cpuAndMemory are the hierarchies that limit and count what the lab cares about.
func cpuAndMemory() ([]cgroup1.Subsystem, error) {
	all, err := cgroup1.Default()
	if err != nil {
		return nil, err
	}
	wanted := []cgroup1.Name{cgroup1.Cpu, cgroup1.Cpuacct, cgroup1.Memory}
	all = slices.DeleteFunc(all, func(s cgroup1.Subsystem) bool { return !slices.Contains(wanted, s.Name()) })
	if len(all) < len(wanted) {
		return nil, errors.New("the cpu, cpuacct and memory hierarchies are not all mounted")
	}
	return all, nil
}

type controlV1 struct{ cg cgroup1.Cgroup }

// resourcesV1 are limits; 0: none.
func resourcesV1(cpus float64, memory int64) *specs.LinuxResources {
	r := &specs.LinuxResources{CPU: &specs.LinuxCPU{}, Memory: &specs.LinuxMemory{}}
	if cpus > 0 {
		period, quota := uint64(cpuPeriod.Microseconds()), quota(cpus)
		r.CPU.Period, r.CPU.Quota = &period, &quota
	}
	if memory > 0 {
		r.Memory.Limit = &memory
	}
	return r
}

func (c *controlV1) child(name string, cpus float64, memory int64) (control, error) {
	cg, err := c.cg.New(name, resourcesV1(cpus, memory))
	if err != nil {
		return nil, err
	}
	return &controlV1{cg}, nil
}

func (c *controlV1) add(pid int) error { return c.cg.AddProc(uint64(pid)) }

func (c *controlV1) usage() (Usage, error) {
	m, err := c.cg.Stat()
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	if cpu := m.GetCPU(); cpu != nil {
		u.CPU = time.Duration(cpu.GetUsage().GetTotal())
		t := cpu.GetThrottling()
		u.Periods, u.ThrottledPeriods = t.GetPeriods(), t.GetThrottledPeriods()
		u.ThrottledTime = time.Duration(t.GetThrottledTime())
	}
	if memory := m.GetMemory().GetUsage(); memory != nil {
		u.Memory, u.MemoryPeak = memory.GetUsage(), memory.GetMax()
	}
	return u, nil
}

func (c *controlV1) remove() error { return c.cg.Delete() }

const mountV2 = "/sys/fs/cgroup"

type controlV2 struct {
	path    string
	manager *cgroup2.Manager
}

func (c *controlV2) make(cpus float64, memory int64) (err error) {
	// Both sections are there even without a limit, because they switch the controllers on.
	r := &cgroup2.Resources{CPU: &cgroup2.CPU{}, Memory: &cgroup2.Memory{}}
	if cpus > 0 {
		period, quota := uint64(cpuPeriod.Microseconds()), quota(cpus)
		r.CPU.Max = cgroup2.NewCPUMax(&quota, &period)
	}
	if memory > 0 {
		r.Memory.Max = &memory
	}
	c.manager, err = cgroup2.NewManager(mountV2, c.path, r)
	if err != nil {
		return err
	}
	// The library ignores that a controller cannot be had; the missing file tells.
	if _, err := os.Stat(filepath.Join(mountV2, c.path, "cpu.max")); err != nil {
		return errors.Join(fmt.Errorf("the cpu controller is not delegated to this process: %w", err), c.manager.Delete())
	}
	return nil
}

func (c *controlV2) child(name string, cpus float64, memory int64) (control, error) {
	v := &controlV2{path: c.path + "/" + name}
	return v, v.make(cpus, memory)
}

func (c *controlV2) add(pid int) error { return c.manager.AddProc(uint64(pid)) }

func (c *controlV2) usage() (Usage, error) {
	m, err := c.manager.Stat()
	if err != nil {
		return Usage{}, err
	}
	cpu, memory := m.GetCPU(), m.GetMemory()
	return Usage{
		CPU:              time.Duration(cpu.GetUsageUsec()) * time.Microsecond,
		Periods:          cpu.GetNrPeriods(),
		ThrottledPeriods: cpu.GetNrThrottled(),
		ThrottledTime:    time.Duration(cpu.GetThrottledUsec()) * time.Microsecond,
		Memory:           memory.GetUsage(),
		MemoryPeak:       memory.GetMaxUsage(),
	}, nil
}

func (c *controlV2) remove() error { return c.manager.Delete() }
