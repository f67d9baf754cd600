package forecast

import (
	"cmp"
	"fmt"
	"math"

	"shoplab/lab/cost"
	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// Setting is what a network is built of.
type Setting struct {
	Config   result.Config
	Topology string
	Demands  Demands
	// Host is where everything runs on one machine that gives it so many CPUs; nil for AWS.
	Host *Host
	// Sustained leaves burstable machines only what their hourly price has.
	Sustained bool
	// Speed is the work of a core over one where the demands were measured; 0 is 1.
	Speed float64
	// DatabaseCPUs overrides what the database's class has; 0: the class's.
	DatabaseCPUs float64
}

// Host is the one machine of a twin.
type Host struct {
	Cores int
	CPUs  float64 // that the stage may use
}

// builder builds one network.
type builder struct {
	Setting
	net   Network
	whole int
	err   error
}

// Build makes the network of a stage.
func Build(s Setting) (Network, error) {
	b := &builder{Setting: s, whole: -1}
	if b.Speed == 0 {
		b.Speed = 1
	}
	if b.Config.Instances == nil || b.Config.CPUUnits == nil || b.Config.PoolPerInstance == nil {
		return Network{}, fmt.Errorf("the result does not say the stage's instances, CPU and pool")
	}
	b.net.Classes, b.net.Pause = s.Demands.Classes, s.Demands.Pause
	if s.Host != nil {
		rest := 0.0
		for _, p := range s.Demands.Parts {
			rest += p.Idle
		}
		b.whole = b.machine("the stage", s.Host.Cores, left(s.Host.Cores, s.Host.CPUs, rest), -1)
	} else {
		b.net.Delay = Hop.Value.Value * 2 // to the instance, and to the cache
	}
	units := float64(*b.Config.CPUUnits) / 1024
	front, home, database, cache := b.whole, b.whole, -1, -1
	switch b.Topology {
	case string(stage.Single):
		home = b.sized("server", b.Config.InstanceType, units)
		front, database, cache = home, home, home
	case string(stage.Mesh):
		home = b.sized("node", b.Config.InstanceType, 0)
		front = home
	}
	if b.Topology != string(stage.Single) {
		database = b.sized("database", b.Config.DatabaseClass, b.DatabaseCPUs)
		cache = b.machine("cache", 1, b.baseline(b.Config.CacheNodeType, 1), b.whole) // commands run on one thread
	}
	switch {
	case s.Host != nil || b.Topology == string(stage.Single) || b.Topology == string(stage.Mesh):
		if front < 0 {
			front = b.whole
		}
		b.net.Front = b.visit(nil, PartProxy, front)
	default:
		b.net.Delay += Balancer.Value.Value
	}
	b.instances(units, home, database, cache)
	return b.net, b.err
}

// instances adds the service's, each on a machine of its own, in a pod's limit, or on the one server.
func (b *builder) instances(units float64, home, database, cache int) {
	hold := b.Demands.Hold.Value
	if hold > 0 {
		_, within := trips(b.net.classes())
		hold = max(0, hold-b.Demands.Of(PartDatabase).Seconds.Value-within*b.Demands.Of(PartService).Seconds.Value)
	}
	if b.Host == nil && b.Topology != string(stage.Single) {
		hold += cmp.Or(b.Demands.RoundTrips.Value, RoundTrips.Value.Value) * Hop.Value.Value
	}
	for i := range b.most() {
		own := home
		switch b.Topology {
		case string(stage.Balanced):
			own = b.sized(fmt.Sprintf("server-%d", i+1), b.Config.InstanceType, units)
		case string(stage.Fargate), string(stage.Mesh), string(stage.Lambda):
			cores, rest := max(2, int(math.Ceil(units))), 0.0
			if b.Topology != string(stage.Lambda) { // which is frozen where it has nothing to do
				rest = b.Demands.Of(PartService).Idle / float64(max(1, b.Demands.Instances))
			}
			own = b.machine(fmt.Sprintf("shop-%d", i+1), cores, left(cores, units, rest), home)
		}
		in := Instance{Pool: *b.Config.PoolPerInstance, HeldDelay: hold}
		if own >= 0 {
			in.Hashing = b.net.Machines[own].Cores // as the service has it
		}
		if b.Topology == string(stage.Lambda) {
			in.Concurrency = 1
		}
		in.Visits = b.visit(b.visit(b.visit(nil, PartSidecar, home), PartService, own), PartCache, cache)
		in.Held = b.visit(nil, PartDatabase, database)
		b.net.Instances = append(b.net.Instances, in)
	}
}

// left is what a quota leaves to requests, where some of it is used without any. Where all cores may be used that is no
// matter: what is used at rest is little of a whole core, and no quota stops the others for it.
func left(cores int, cpus, rest float64) float64 {
	if cpus >= float64(cores) {
		return cpus
	}
	return max(cpus/2, cpus-rest)
}

// most is how many instances serve: of a function as many execution environments as requests may start, of which each
// handles one request at a time.
func (b *builder) most() int {
	if b.Topology == string(stage.Lambda) && b.Config.MaxInstances != nil {
		return *b.Config.MaxInstances
	}
	return *b.Config.Instances
}

// machine adds one and returns its index. It cannot run more at once than what it is within.
func (b *builder) machine(name string, cores int, cpus float64, within int) int {
	if within >= 0 {
		cores = min(cores, b.net.Machines[within].Cores)
	}
	b.net.Machines = append(b.net.Machines, Machine{Name: name, Cores: cores, CPUs: cpus, Within: within})
	return len(b.net.Machines) - 1
}

// sized adds a machine of a kind that AWS has; cpus, unless 0, overrides how many it has.
func (b *builder) sized(name, kind string, cpus float64) int {
	size, ok := stage.SizeOf(kind)
	if cpus == 0 {
		cpus = size.CPUs
	}
	if cpus == 0 && !ok {
		b.err = fmt.Errorf("%s: the size of %q is not known", name, kind)
		cpus = 1
	}
	return b.machine(name, max(1, int(math.Ceil(cpus))), b.baseline(kind, cpus), b.whole)
}

// baseline is what a burstable kind may use on average, where that counts; it is cpus elsewhere.
func (b *builder) baseline(kind string, cpus float64) float64 {
	if share, ok := cost.Baseline(kind); ok && b.Sustained {
		return cpus * share
	}
	return cpus
}

// visit adds what a request takes of a part on a machine.
func (b *builder) visit(to []Visit, part string, machine int) []Visit {
	d := b.Demands.Of(part)
	if d.Seconds.Value == 0 || machine < 0 {
		return to
	}
	return append(to, Visit{Part: part, Machine: machine, Demand: d.Seconds.Value / b.Speed, Crowding: d.Crowding})
}
