package forecast

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// close says whether got is within a share of want.
func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s is %.5g, want %.5g within %.0f%%", what, got, want, 100*share)
	}
}

// server is one machine on which a request takes the demand, and nothing else.
func server(cores int, demand float64) Network {
	return Network{
		Machines:  []Machine{{Name: "server", Cores: cores, CPUs: float64(cores), Within: -1}},
		Instances: []Instance{{Visits: []Visit{{Machine: 0, Demand: demand}}}},
	}
}

// erlangC is the probability of waiting in M/M/c with an offered load of a.
func erlangC(c int, a float64) float64 {
	sum, term := 0.0, 1.0
	for k := range c {
		if k > 0 {
			term *= a / float64(k)
		}
		sum += term
	}
	last := term * a / float64(c) * float64(c) / (float64(c) - a)
	return last / (sum + last)
}

// erlangB is the probability that all of c servers are busy in M/G/c/c with an offered load of a.
func erlangB(c int, a float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1; k <= c; k++ {
		term *= a / float64(k)
		sum += term
	}
	return term / sum
}

// M/M/1: the response time is exponential with mean S/(1-rho), so its p95 is 3 times that.
func TestSimulationOfOneServer(t *testing.T) {
	const demand = 0.001 // below a slice: served in the order of arrival
	for _, rho := range []float64{.3, .7, .9} {
		out := server(1, demand).Simulate(Load{Rate: rho / demand}, 400_000)
		mean := demand / (1 - rho)
		within(t, "utilization", out.Utilization[0], rho, .02)
		within(t, "mean", out.Mean, mean, .06)
		within(t, "p95", out.P95, -math.Log(.05)*mean, .08)
		within(t, "throughput", out.Throughput, rho/demand, .02)
	}
}

// M/M/c: mean response S + C(c, a) S/(c-a).
func TestSimulationOfSeveralServers(t *testing.T) {
	const demand = 0.001
	for _, c := range []int{2, 4, 8} {
		a := .8 * float64(c)
		out := server(c, demand).Simulate(Load{Rate: a / demand}, 300_000)
		within(t, "mean", out.Mean, demand+erlangC(c, a)*demand/(float64(c)-a), .05)
	}
}

// M/M/c/c+...: with a pool of c held for an exponential time and no CPU, requests wait as in M/M/c. The
// database is a machine with cores to spare.
func TestSimulationOfAPool(t *testing.T) {
	const hold = 0.001
	n := Network{
		Machines:  []Machine{{Name: "database", Cores: 1000, CPUs: 1000, Within: -1}},
		Instances: []Instance{{Pool: 4, Held: []Visit{{Machine: 0, Demand: hold}}}},
	}
	a := 3.2
	out := n.Simulate(Load{Rate: a / hold}, 300_000)
	wait := erlangC(4, a) * hold / (4 - a)
	within(t, "wait for a connection", out.PoolWait, wait, .08)
	within(t, "pool in use", out.PoolUse, .8, .03)
}

// The machine repairman with two users, S = 1 s, Z = 2 s, by hand: R(1) = 1, X(1) = 1/3, Q(1) = 1/3;
// R(2) = 4/3, X(2) = 2/(10/3) = 0.6. Two stations of 1 and 2 s without thinking, three users: balanced job
// bounds do not apply, the recursion by hand gives X(3) = 7/15.
func TestMVAByHand(t *testing.T) {
	m := MVA([]Station{{Demand: 1, Servers: 1}}, 2, 2)
	within(t, "X(2)", m.Throughput, .6, 1e-9)
	within(t, "R(2)", m.Response, 4.0/3, 1e-9)
	m = MVA([]Station{{Demand: 1, Servers: 1}, {Demand: 2, Servers: 1}}, 0, 3)
	within(t, "X(3)", m.Throughput, 7.0/15, 1e-9)
}

// With one station of c servers and users who think, a closed network is M/M/c//N, whose probabilities are
// those of a birth-death process.
func TestMVAOfSeveralServersIsTheMachineRepairman(t *testing.T) {
	const think, demand = 3.0, 1.0
	for _, c := range []int{1, 2, 4} {
		for _, users := range []int{1, 3, 10, 30} {
			weights, total, x := make([]float64, users+1), 0.0, 0.0
			weights[0] = 1
			for j := 1; j <= users; j++ {
				weights[j] = weights[j-1] * float64(users-j+1) / think / (float64(min(j, c)) / demand)
			}
			for j, w := range weights {
				total += w
				x += w * float64(min(j, c)) / demand
			}
			within(t, "throughput", MVA([]Station{{Demand: demand, Servers: c}}, think, users).Throughput, x/total, 1e-6)
		}
	}
}

func TestMVAKeepsLittlesLawAndTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stations []Station
		total, most := 0.0, 0.0
		for range rapid.IntRange(1, 5).Draw(t, "stations") {
			s := Station{Demand: rapid.Float64Range(.001, 1).Draw(t, "demand"), Servers: rapid.IntRange(0, 4).Draw(t, "servers")}
			stations = append(stations, s)
			total += s.Demand
			if s.Servers > 0 {
				most = max(most, s.Demand/float64(s.Servers))
			}
		}
		think, users := rapid.Float64Range(0, 5).Draw(t, "think"), rapid.IntRange(1, 60).Draw(t, "users")
		m := MVA(stations, think, users)
		if most > 0 && m.Throughput > 1/most*(1+1e-6) || m.Throughput > float64(users)/(think+total)*(1+1e-6) {
			t.Fatalf("throughput %g is above the bounds", m.Throughput)
		}
		inside := m.Throughput * think
		for _, q := range m.Queue {
			inside += q
		}
		if math.Abs(inside-float64(users)) > 1e-6*float64(users) {
			t.Fatalf("%g users are somewhere, of %d", inside, users)
		}
	})
}

// The simulation and mean value analysis agree where both are exact: no pools, no quotas.
func TestSimulationAgreesWithMVA(t *testing.T) {
	n := Network{
		Machines: []Machine{
			{Name: "a", Cores: 2, CPUs: 2, Within: -1},
			{Name: "b", Cores: 2, CPUs: 2, Within: -1},
			{Name: "database", Cores: 2, CPUs: 2, Within: -1},
		},
		Delay: .002,
	}
	for i := range 2 {
		n.Instances = append(n.Instances, Instance{
			Visits: []Visit{{Machine: i, Demand: .001}},
			Held:   []Visit{{Machine: 2, Demand: .0004}},
		})
	}
	for _, users := range []int{1, 8, 32} {
		// Two instances that take turns are two stations with half of the demand each.
		m, s := n.Mean(users, .01), n.Simulate(Load{Users: users, Think: .01}, 200_000)
		within(t, "throughput", s.Throughput, m.Throughput, .03)
		// The fewest requests are better balanced than chance, which MVA takes for granted.
		if s.Mean > 1.03*m.Response {
			t.Errorf("%d users: mean %.5f s, by MVA %.5f", users, s.Mean, m.Response)
		}
		within(t, "users", s.Throughput*(s.Mean+.01), float64(users), .02)
	}
}

// A quota is spent in periods: half a CPU serves half of what a CPU does, and a lone request that needs
// more than its share of a period waits for the next one.
func TestQuotaIsSpentInPeriods(t *testing.T) {
	n := server(2, .001)
	n.Machines[0].CPUs = .5
	out := n.Simulate(Load{Users: 50}, 50_000)
	within(t, "throughput", out.Throughput, 500, .02)
	within(t, "throttled periods", out.Throttled[0], 1, .02)
	slow := server(2, .1)
	slow.Machines[0].CPUs = .25
	one := slow.Simulate(Load{Users: 1}, 3000)
	within(t, "a long request", one.Mean, .4, .15)
	quiet := n.Simulate(Load{Rate: 50}, 50_000)
	if quiet.P95 > .01 || quiet.Throttled[0] > .01 {
		t.Errorf("a tenth of the quota: p95 %.4f s, throttled %.3f", quiet.P95, quiet.Throttled[0])
	}
}

// What machines share bounds them together. Demand that grows by half with 60 in flight takes a third of the
// throughput, and no more than that with 120, where 60 are the most that it was measured with.
func TestMachinesWithinAnotherAndCrowding(t *testing.T) {
	nested := func(cpus, growth float64) Network {
		crowd := Crowding{PerFold: growth / math.Log(60), UpTo: 60}
		return Network{
			Machines: []Machine{
				{Name: "whole", Cores: 2, CPUs: cpus, Within: -1},
				{Name: "shop", Cores: 2, CPUs: 2, Within: 0},
				{Name: "database", Cores: 2, CPUs: 2, Within: 0},
			},
			Instances: []Instance{{
				Visits: []Visit{{Machine: 1, Demand: .001, Crowding: crowd}},
				Held:   []Visit{{Machine: 2, Demand: .001, Crowding: crowd}},
			}},
		}
	}
	within(t, "throughput", nested(1.2, 0).Simulate(Load{Users: 60}, 40_000).Throughput, 600, .02)
	for _, users := range []int{60, 120} {
		within(t, "crowded", nested(1.2, .5).Simulate(Load{Users: users}, 40_000).Throughput, 400, .03)
	}
	within(t, "alone", nested(1.2, .5).Simulate(Load{Users: 1}, 40_000).Throughput, 500, .03)
	if l := nested(1.2, .5).Limits(); l[0].Name != "whole" || math.Abs(l[0].Rate-400) > 1 {
		t.Errorf("limits %+v, want the whole at 400 a second first", l)
	}
}

func TestPercentileIsThatOfSortedValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 9), 1, 60).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "share")
		if want, got := stats.Percentile(slices.Sorted(slices.Values(values)), q), percentile(values, q); got != want {
			t.Fatalf("%g, want %g", got, want)
		}
	})
}

func TestEqualSimulationsAreEqual(t *testing.T) {
	a, b := server(2, .001).Simulate(Load{Rate: 1500}, 5000), server(2, .001).Simulate(Load{Rate: 1500}, 5000)
	if a.P95 != b.P95 || a.Mean != b.Mean {
		t.Errorf("%v and %v of the same seed", a, b)
	}
}

// M/M/c/c: what finds all of c instances busy that handle one request each is refused, by Erlang's formula B.
func TestRefusedRequestsAreErlangB(t *testing.T) {
	const demand, c, load = .001, 4, 3.0
	n := Network{Machines: []Machine{{Name: "function", Cores: 1000, CPUs: 1000, Within: -1}}}
	for range c {
		n.Instances = append(n.Instances, Instance{Visits: []Visit{{Machine: 0, Demand: demand}}, Concurrency: 1})
	}
	out := n.Simulate(Load{Rate: load / demand}, 300_000)
	within(t, "refused", out.Refused, erlangB(c, load), .03)
	strict, lax := result.Objective{P95MS: 500, MaxErrorRatio: .1}, result.Objective{P95MS: 500, MaxErrorRatio: .3}
	if out.Keeps(strict) || !out.Keeps(lax) {
		t.Errorf("refused %.3f, held against the wrong share", out.Refused)
	}
}

// Machines that are not within one another are not crowded by what the other's requests do.
func TestCrowdingIsOfTheMachine(t *testing.T) {
	n := Network{Machines: []Machine{
		{Name: "a", Cores: 1000, CPUs: 1000, Within: -1}, {Name: "b", Cores: 1000, CPUs: 1000, Within: -1},
	}}
	for m := range 2 {
		n.Instances = append(n.Instances, Instance{
			Visits: []Visit{{Machine: m, Demand: .001, Crowding: Crowding{PerFold: 1, UpTo: 1000}}},
		})
	}
	// Of 20 users, who take turns, ten are at each: 1 + ln 10 times the demand.
	within(t, "mean", n.Simulate(Load{Users: 20}, 50_000).Mean, .001*(1+math.Log(10)), .05)
}

// What a request does after its answer takes nobody's time, and yet its instance is in use: of four that handle one
// request each, for 10 ms until the answer and 30 ms from then on, by Erlang's formula B for 40.
func TestWorkAfterTheAnswer(t *testing.T) {
	n := Network{
		Machines: []Machine{{Name: "function", Cores: 1000, CPUs: 1000, Within: -1}},
		Classes:  []Class{{Share: 1, Weight: 1, Held: 1, Trips: 1, After: true}},
	}
	for range 4 {
		n.Instances = append(n.Instances, Instance{
			Visits: []Visit{{Machine: 0, Demand: refusal}}, Held: []Visit{{Machine: 0, Demand: 3 * refusal}}, Concurrency: 1,
		})
	}
	out := n.Simulate(Load{Rate: 3 / (4 * refusal)}, 300_000)
	within(t, "refused", out.Refused, erlangB(4, 3), .03)
	within(t, "mean", out.Mean, refusal, .02)
}

// Transactions that wait for locks have three of four connections, and others all of them: by Little's law the closed
// loop gets as many answers a second as connections are held for a second.
func TestLockingTransactionsHaveSomeOfThePool(t *testing.T) {
	const hold = .001
	n := Network{
		Machines:  []Machine{{Name: "database", Cores: 1000, CPUs: 1000, Within: -1}},
		Instances: []Instance{{Pool: 4, Held: []Visit{{Machine: 0, Demand: hold}}}},
	}
	for locks, connections := range map[bool]float64{true: 3, false: 4} {
		n.Classes = []Class{{Share: 1, Weight: 1, Held: 1, Trips: 1, Locks: locks}}
		within(t, "throughput", n.Simulate(Load{Users: 50}, 50_000).Throughput, connections/hold, .02)
	}
}

// A request that asks the database three times holds a connection for a third of its database's CPU each time, and
// reads the answer with a share of the service's; it passes each proxy twice: nothing is lost or taken twice.
func TestARouteTakesTheDemandsOnce(t *testing.T) {
	n := Network{
		Machines: []Machine{
			{Cores: 2, CPUs: 2, Within: -1}, {Cores: 2, CPUs: 2, Within: -1}, {Cores: 2, CPUs: 2, Within: -1},
		},
		Front:   []Visit{{Part: PartProxy, Machine: 2, Demand: .0002}},
		Classes: []Class{{Share: .5, Weight: .2}, {Share: .5, Weight: 1.8, Held: 2, Trips: 3, Locks: true}},
	}
	in := Instance{
		Pool: 4,
		Visits: []Visit{
			{Part: PartSidecar, Machine: 2, Demand: .0003}, {Part: PartService, Machine: 0, Demand: .001},
		},
		Held: []Visit{{Part: PartDatabase, Machine: 1, Demand: .0004}}, HeldDelay: .003,
	}
	n.Instances = []Instance{in}
	for i, want := range []struct{ service, database, delay, acquired, locked float64 }{
		{.0002, 0, 0, 0, 0}, {.0018, .0008, .006, 3, 1},
	} {
		var got struct{ service, database, delay, acquired, locked float64 }
		var proxies []float64
		for _, o := range n.route(in, n.Classes[i]) {
			switch {
			case o.kind == opCPU && o.machine == 2:
				proxies = append(proxies, o.demand)
			case o.kind == opCPU && o.machine == 0:
				got.service += o.demand
			case o.kind == opCPU:
				got.database += o.demand
			case o.kind == opDelay:
				got.delay += o.demand
			case o.kind == opAcquire:
				got.acquired++
			case o.kind == opLock:
				got.locked++
			}
		}
		within(t, "service", got.service, want.service, 1e-9)
		within(t, "database", got.database, want.database, 1e-9)
		within(t, "delay", got.delay, want.delay, 1e-9)
		if !slices.Equal(proxies, []float64{.0001, .00015, .00015, .0001}) {
			t.Errorf("proxies take %v", proxies)
		}
		if got.acquired != want.acquired || got.locked != want.locked {
			t.Errorf("class %d: %+v, want %+v", i, got, want)
		}
	}
}
