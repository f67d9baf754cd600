package forecast

import "math"

// Network is a stage as queueing theory sees it. A request waits for the network's delays, takes CPU of the
// proxies in front, goes to the instance with the fewest requests, takes CPU there, and is answered. As often as its
// class asks the database, it holds one of the instance's connections meanwhile: while it takes the database's CPU, and
// while it waits for the service's to read the answer.
type Network struct {
	Machines  []Machine
	Front     []Visit    // the balancer, the gateway
	Instances []Instance // all alike, each on machines of its own or shared
	Delay     float64    // seconds a request spends between machines, whatever the load
	Classes   []Class    // kinds of requests; none: all alike
	Pause     float64    // seconds between an answer and a user's next request, beside what the user thinks
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
	Demand  float64 // CPU seconds, the mean of all requests, where one is in flight
	// Crowding is how the demand changes with more of them that take CPU of the machine, or of the one it is within.
	Crowding Crowding
}

// Instance is one of the service, with its pool.
type Instance struct {
	Visits    []Visit // the sidecar, the service, the cache
	Pool      int     // connections; 0: as many as are wanted
	Hashing   int     // how many passwords it hashes at once; 0: any number
	Held      []Visit // while a connection is held: the database
	HeldDelay float64 // seconds that a mean request holds connections besides
	// Concurrency is how many requests it handles at once, 0 for any number. Where all instances have as many, a request
	// is refused, as by a function whose reserved concurrency is in use.
	Concurrency int
}

// Class is a kind of request.
type Class struct {
	Name   string
	Share  float64 // of all requests
	Weight float64 // what it takes of the service's CPU, over the mean request's
	Held   float64 // what it takes of the database's CPU, over the mean request's
	// Trips is how often it asks the database, with a connection of its own each time.
	Trips float64
	// Locks says that it may wait for a lock, for which an instance has only some of its connections; Hashes that it
	// hashes a password, of which an instance does a few at once.
	Locks, Hashes bool
	// After says that it asks the database after its answer, which keeps an instance in use that handles one request at
	// once. For others it counts as part of the request: a user who has paid waits for what follows.
	After bool
}

// trips is how often requests of the class ask, as a whole number.
func (c Class) trips() int {
	if c.Trips <= 0 || c.Held <= 0 {
		return 0
	}
	return max(1, int(c.Trips+.5))
}

// alike is the class of requests of which nothing is told apart.
var alike = []Class{{Share: 1, Weight: 1, Held: 1, Trips: 1}}

// classes are the network's; one, where none are known.
func (n Network) classes() []Class {
	if len(n.Classes) == 0 {
		return alike
	}
	return n.Classes
}

// reading is what a request of the class takes of the service's CPU each time that it holds a connection: an equal part
// of what it takes in all, but no more than of a mean request. What takes more, as a password's hash does, is done
// without a connection.
func (c Class) reading() float64 { return min(c.Weight, 1) / float64(c.trips()+1) }

// trips is how often a mean request asks the database, and within the share of the service's CPU that it takes while
// it holds a connection.
func trips(classes []Class) (mean, within float64) {
	for _, c := range classes {
		k := float64(c.trips())
		mean += c.Share * k
		within += c.Share * k * c.reading()
	}
	return mean, within
}

// demands is the CPU time that a mean request takes of each machine, those within it included, with so many requests
// in flight.
func (n Network) demands(inFlight int) []float64 {
	all := make([]float64, len(n.Machines))
	add := func(v Visit, share float64) {
		d := v.Demand * share * v.Crowding.Times(inFlight)
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

// Limit is what bounds a stage, and the rate at which it does.
type Limit struct {
	Name string
	Rate float64 // requests a second; infinite for what is not used
}

// Limits are the rates at which each machine, and the pools, are at their end with as many requests in flight as were
// measured; the lowest first. They are upper bounds: no load is served at a higher rate with so many (P. Denning, J.
// Buzen, The Operational Analysis of Queueing Network Models, 1978).
func (n Network) Limits() []Limit { return n.limits(n.demands(math.MaxInt)) }

// bound is the rate that no load is served above, however many requests are in flight; 0 where nothing bounds it.
func (n Network) bound() float64 {
	least := n.demands(1)
	for m, d := range n.demands(math.MaxInt) {
		least[m] = min(least[m], d)
	}
	if all := n.limits(least); len(all) > 0 {
		return all[0].Rate
	}
	return 0
}

// limits are those of machines that requests take these demands of.
func (n Network) limits(demands []float64) []Limit {
	var all []Limit
	for m, d := range demands {
		if d > 0 {
			all = append(all, Limit{Name: n.Machines[m].Name, Rate: min(float64(n.Machines[m].Cores), n.Machines[m].CPUs) / d})
		}
	}
	held, pool := 0.0, 0
	_, within := trips(n.classes())
	for _, i := range n.Instances {
		t := i.HeldDelay
		for _, v := range i.Visits {
			if v.Part == PartService {
				t += v.Demand * within
			}
		}
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
