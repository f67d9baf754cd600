package twin

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	cgroups "github.com/containerd/cgroups/v3"
	"github.com/containerd/cgroups/v3/cgroup1"
	"github.com/containerd/cgroups/v3/cgroup2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// On a saturated machine the laboratory has to go before the twin, or its requests would leave late. So the twin's
// groups get an eighth of the default weights, which are 1024 shares (v1) and 100 (v2).
const (
	behindV1 = 128
	behindV2 = 12
)

// version names what newRootControl makes.
func version() string {
	if cgroups.Mode() == cgroups.Unified {
		return "cgroup v2"
	}
	return "cgroup v1"
}

// newRootControl makes the group of a whole stage; 0 CPUs: no limit.
func newRootControl(name string, cpus float64) (control, error) {
	switch cgroups.Mode() {
	case cgroups.Unified:
		r, weight := resourcesV2(cpus, 0), uint64(behindV2)
		r.CPU.Weight = &weight
		home, err := homeV2()
		if err != nil {
			return nil, err
		}
		return newControlV2(filepath.Join(home, name), r)
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
		swappiness := uint64(0) // no swap, which neither a Fargate task nor a pod has
		r.Memory.Limit, r.Memory.Swappiness = &memory, &swappiness
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
	m, err := c.cg.Stat(cgroup1.IgnoreNotExist) // a kernel that does not count swap has no files for it
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

// homeV2 is the group that a stage's is made in: for root the topmost; for others the one that this
// process's own lies in, where systemd lets a user's programs make groups, as those started from a
// desktop or by systemd-run --user are.
func homeV2() (string, error) {
	if os.Geteuid() == 0 {
		return "/", nil
	}
	return cgroup2.NestedGroupPath("..")
}

type controlV2 struct {
	path    string
	manager *cgroup2.Manager
}

func newControlV2(path string, r *cgroup2.Resources) (control, error) {
	m, err := cgroup2.NewManager(mountV2, path, r)
	if err != nil {
		return nil, err
	}
	return &controlV2{path, m}, nil
}

// resourcesV2 are limits; 0: none. Both sections are there even then, because they switch the
// controllers on.
func resourcesV2(cpus float64, memory int64) *cgroup2.Resources {
	r := &cgroup2.Resources{CPU: &cgroup2.CPU{}, Memory: &cgroup2.Memory{}}
	if cpus > 0 {
		period, quota := uint64(cpuPeriod.Microseconds()), quota(cpus)
		r.CPU.Max = cgroup2.NewCPUMax(&quota, &period)
	}
	if memory > 0 {
		r.Memory.Max = &memory
	}
	return r
}

func (c *controlV2) child(name string, cpus float64, memory int64) (control, error) {
	r := resourcesV2(cpus, memory)
	// No swap either; a kernel that does not count it has no such file.
	if _, err := os.Stat(filepath.Join(mountV2, c.path, "memory.swap.max")); err == nil && memory > 0 {
		r.Memory.Swap = new(int64)
	}
	return newControlV2(c.path+"/"+name, r)
}

func (c *controlV2) add(pid int) error { return c.manager.AddProc(uint64(pid)) }

func (c *controlV2) usage() (Usage, error) {
	m, err := c.manager.StatFiltered(cgroup2.StatCPU | cgroup2.StatMemory)
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
