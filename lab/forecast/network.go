package forecast

// Network is a stage as queueing theory sees it. A request waits for the network's delays, takes CPU of the
// proxies in front, goes to the instance with the fewest requests, takes CPU there, holds one of the
// instance's database connections while it takes the database's CPU, and is answered.
type Network struct {
	Machines  []Machine
	Front     []Visit    // the balancer, the gateway
	Instances []Instance // all alike, each on machines of its own or shared
	Delay     float64    // seconds a request spends between machines, whatever the load
	Classes   []Class    // kinds of requests; none: all alike
}

// Machine is a CPU that parts of a stage take turns on.
type Machine struct {
	Name  string
	Cores int // how many run at once
	// CPUs is what it may use on average, in each period of 100 ms; Cores or more: no less than all.
	CPUs float64
	// Within is the machine whose cores and quota it shares with others; -1: none.
	Within int
}

// limit is how many CPUs the machine can use for long, whoever else is within the same one.
func (n Network) limit(m int) float64 {
	limit := min(float64(n.Machines[m].Cores), n.Machines[m].CPUs)
	if p := n.Machines[m].Within; p >= 0 {
		limit = min(limit, n.limit(p))
	}
	return limit
}

// Visit is what a request takes of a machine.
type Visit struct {
	Part    string // "service", "database", ...
	Machine int
	Demand  float64 // CPU seconds, the mean of all requests
	// Growth is by how much of itself the demand grows on a machine all whose periods are throttled.
	Growth float64
}

// Instance is one of the service, with its pool.
type Instance struct {
	Visits    []Visit // the sidecar, the service, the cache
	Pool      int     // connections; 0: as many as are wanted
	Held      []Visit // while a connection is held: the database
	HeldDelay float64 // seconds that a connection is held besides
}

// Class is a kind of request.
type Class struct {
	Name   string
	Share  float64 // of all requests
	Weight float64 // its demand over the mean request's
}

// demands is the CPU time that a mean request takes of each machine, those within it included. growth
// says whether periods are throttled.
func (n Network) demands(growth bool) []float64 {
	all := make([]float64, len(n.Machines))
	add := func(v Visit, share float64) {
		d := v.Demand * share
		if growth && n.quota(v.Machine) {
			d *= 1 + v.Growth
		}
		for m := v.Machine; m >= 0; m = n.Machines[m].Within {
			all[m] += d
		}
	}
	for _, v := range n.Front {
		add(v, 1)
	}
	for _, i := range n.Instances {
		for _, v := range i.Visits {
			add(v, 1/float64(len(n.Instances)))
		}
		for _, v := range i.Held {
			add(v, 1/float64(len(n.Instances)))
		}
	}
	return all
}

// quota says whether the machine, or what it is within, has less than its cores' time.
func (n Network) quota(m int) bool {
	for ; m >= 0; m = n.Machines[m].Within {
		if n.Machines[m].CPUs < float64(n.Machines[m].Cores) {
			return true
		}
	}
	return false
}

// Limit is what bounds a stage, and the rate at which it does.
type Limit struct {
	Name string
	Rate float64 // requests a second; infinite for what is not used
}

// Limits are the rates at which each machine, and the pools, are at their end; the lowest first. They are
// upper bounds: no load is served at a higher rate (P. Denning, J. Buzen, The Operational Analysis of
// Queueing Network Models, 1978).
func (n Network) Limits() []Limit {
	var all []Limit
	for m, d := range n.demands(true) {
		if d > 0 {
			all = append(all, Limit{Name: n.Machines[m].Name, Rate: min(float64(n.Machines[m].Cores), n.Machines[m].CPUs) / d})
		}
	}
	held, pool := 0.0, 0
	for _, i := range n.Instances {
		t := i.HeldDelay
		for _, v := range i.Held {
			t += v.Demand
		}
		held, pool = held+t/float64(len(n.Instances)), pool+i.Pool
	}
	if pool > 0 && held > 0 {
		all = append(all, Limit{Name: "connection pool", Rate: float64(pool) / held})
	}
	sortLimits(all)
	return all
}

// Plain is what gives out, in words: "CPU of its servers" for server-1.
func (l Limit) Plain() string {
	if l.Name == "connection pool" {
		return "its connection pool"
	}
	several := kind(l.Name) != l.Name
	switch k := kind(l.Name); {
	case k == "shop" && several:
		return "CPU of its instances"
	case several:
		return "CPU of its " + k + "s"
	default:
		return "CPU of its " + k
	}
}
