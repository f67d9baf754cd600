package twin

import (
	"fmt"
	"runtime"

	"shoplab/lab/stage"
)

const mib = 1 << 20

// machines are the groups of a stage's machines.
type machines struct {
	shop     []*Group // one for each instance that the stage begins with
	another  func(name string) (*Group, error)
	proxy    *Group // the load balancer, or the mesh's gateway
	sidecars *Group
	database *Group
	cache    *Group
}

// limit makes the groups of a stage: on a single server everything shares one machine, in a mesh
// the pods and proxies share one, elsewhere each part has its own.
func (t *Twin) limit(o Options) (m machines, err error) {
	add := func(name string, cpus float64, memory int64, parent *Group) *Group {
		if err != nil {
			return nil
		}
		var g *Group
		g, err = t.groups.add(name, cpus, memory, parent)
		return g
	}
	known := true // every machine's CPUs
	machine := func(name, kind string, units int) *Group {
		s, ok := stage.SizeOf(kind)
		known = known && ok
		if units > 0 {
			s.CPUs = float64(units) / 1024
		}
		switch {
		case o.NoLimits:
			s = stage.Size{}
		case !ok:
			t.note("%s is not limited: the size of %q is not known", name, kind)
		case t.groups.whole != nil:
			t.note("%s is limited to a %s: %g CPUs and %d MiB", name, kind, s.CPUs, s.Memory/mib)
		}
		t.StageCPUs += s.CPUs
		return add(name, s.CPUs, s.Memory, nil)
	}
	s := t.Stage
	cpus, memory := float64(s.CPU)/1024, int64(s.Memory)*mib
	if o.NoLimits {
		cpus, memory = 0, 0
	}
	var home *Group // the machine that the instances share
	switch s.Topology {
	case stage.Single:
		home = add("server", cpus, memory, nil)
		t.StageCPUs = cpus
		cpus, memory = 0, 0
		m.database, m.cache = add("postgres", 0, 0, home), add("redis", 0, 0, home)
	case stage.Mesh:
		home = machine("node", s.InstanceType, 0)
		m.sidecars = add("sidecars", 0, 0, home)
	}
	if home != nil {
		t.Machines = append(t.Machines, home)
	}
	m.proxy = add("proxy", 0, 0, home)
	if s.Topology == stage.Balanced || s.Topology == stage.Fargate || s.Topology == stage.Lambda {
		t.StageCPUs += cpus * float64(s.Most())
	}
	m.another = func(name string) (*Group, error) { return t.groups.add(name, cpus, memory, home) }
	for i := range s.Most() {
		m.shop = append(m.shop, add(fmt.Sprintf("shop-%d", i+1), cpus, memory, home))
	}
	if s.Topology != stage.Single {
		m.database, m.cache = machine("postgres", s.DatabaseClass, s.DatabaseCPU), machine("redis", s.CacheNodeType, 0)
	}
	if !known {
		t.StageCPUs = 0
	}
	return m, err
}

// instance is the group of an instance by its number from 0.
func (m machines) instance(i int) (*Group, error) {
	if i < len(m.shop) {
		return m.shop[i], nil
	}
	return m.another(fmt.Sprintf("shop-%d", i+1))
}

// describe says what is limited and what this machine cannot give.
func (t *Twin) describe(reason error, o Options) {
	s := t.Stage
	switch {
	case o.NoLimits:
		t.note("no CPU or memory limits: they were switched off")
	case reason != nil:
		t.note("no CPU or memory limits: this machine does not permit them (%v); root may set them, and on cgroup v2 "+
			"whoever runs: systemd-run --user --scope go run ./lab ...", reason)
	case s.Topology == stage.Single:
		t.note("the whole server, database included, is limited to %.2f CPUs and %d MiB", float64(s.CPU)/1024, s.Memory)
	case s.Topology == stage.Lambda:
		t.note("each execution environment is limited to %.2f CPUs and %d MiB, and frozen between requests",
			float64(s.CPU)/1024, s.Memory)
	default:
		t.note("each instance is limited to %.2f CPUs and %d MiB", float64(s.CPU)/1024, s.Memory)
	}
	if given := t.GivenCPUs(); t.StageCPUs > given {
		t.note("the stage has %.3g CPUs on AWS, database and cache included, and at most %.3g of this machine's %d",
			t.StageCPUs, given, runtime.NumCPU())
	}
	if s.Topology == stage.Lambda {
		t.note("a cold start takes %s before its process starts, as on AWS at least, and an environment ends after %s "+
			"without requests: assumed", Placement, idle)
		t.note("the HTTP API and the runtime API run within the laboratory, and take their CPU there")
	}
	t.note("burst credits, network latency and disks are this machine's, not AWS's")
}

// GivenCPUs is how many of this machine's CPUs the whole stage may use.
func (t *Twin) GivenCPUs() float64 {
	if t.Whole != nil && t.Whole.CPULimit > 0 {
		return t.Whole.CPULimit
	}
	return float64(runtime.NumCPU())
}

func (t *Twin) note(format string, args ...any) {
	t.Limits = append(t.Limits, fmt.Sprintf(format, args...))
}
