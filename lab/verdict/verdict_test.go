package verdict

import (
	"strings"
	"testing"

	"shoplab/lab/result"
	"shoplab/lab/stage"
)

func use(r result.Resource, of string, mean, limit float64) result.Usage {
	u := result.Usage{Resource: r, Of: of, Mean: mean, Max: mean}
	if limit > 0 {
		u.Limit = &limit
	}
	return u
}

func TestJudge(t *testing.T) {
	pool := []result.Usage{use(result.ResourcePoolInUse, "shop-1", 8, 8), use(result.ResourcePoolWait, "shop-1", 300, 0)}
	for name, c := range map[string]struct {
		usage     []result.Usage
		generator float64
		want      result.Cause
	}{
		"nothing watched": {want: result.CauseUnknown},
		"all at ease": {
			usage: []result.Usage{use(result.ResourceInstanceCPU, "shop-1", .1, 1)},
			want:  result.CauseUnknown,
		},
		"pool": {usage: pool, want: result.CausePool},
		"full pool without waiting": {
			usage: []result.Usage{use(result.ResourcePoolInUse, "shop-1", 8, 8), use(result.ResourcePoolWait, "shop-1", 1, 0)},
			want:  result.CauseUnknown,
		},
		"CPU before the pool that it fills": {
			usage: append([]result.Usage{use(result.ResourceInstanceCPU, "shop-1", .25, .25)}, pool...), want: result.CauseCPU,
		},
		"throttled": {
			usage: []result.Usage{
				use(result.ResourceInstanceCPU, "shop-1", .2, .25),
				use(result.ResourceThrottled, "shop-1", .97, 1),
			},
			want: result.CauseCPU,
		},
		"database CPU before the pool": {
			usage: append([]result.Usage{use(result.ResourceDBCPU, "postgres", 1.95, 2)}, pool...), want: result.CauseDatabase,
		},
		"locks": {
			usage: []result.Usage{use(result.ResourceDBActive, "", 10, 79), use(result.ResourceDBLockWaits, "", 9.5, 0)},
			want:  result.CauseDatabase,
		},
		"connections": {
			usage: []result.Usage{use(result.ResourceDBConns, "", 79, 79)},
			want:  result.CauseDBConns,
		},
		"redis": {
			usage: []result.Usage{use(result.ResourceRedisCPU, "redis", .99, 0)},
			want:  result.CauseRedis,
		},
		"memory": {
			usage: []result.Usage{use(result.ResourceMemory, "shop-1", 99, 100)},
			want:  result.CauseMemory,
		},
		"the stage's share of the machine": {
			usage: []result.Usage{use(result.ResourceStageCPU, "the stage", 1.3, 1.33)},
			want:  result.CauseMachine,
		},
		"a function that refuses requests": {
			usage: []result.Usage{use(result.ResourceConcurrency, "", 20, 34), use(result.ResourceThrottles, "", 5, 0)},
			want:  result.CauseConcurrency,
		},
		"a function in full use": {
			usage: []result.Usage{use(result.ResourceConcurrency, "", 34, 34), use(result.ResourceThrottles, "", 0, 0)},
			want:  result.CauseUnknown,
		},
		"CPU before the concurrency that it takes": {
			usage: []result.Usage{
				use(result.ResourceStageCPU, "the stage", 1.3, 1.33),
				use(result.ResourceConcurrency, "", 34, 34), use(result.ResourceThrottles, "", 5, 0),
			}, want: result.CauseMachine,
		},
		"an instance that may use the whole share": {
			usage: []result.Usage{
				use(result.ResourceServerCPU, "server", 1.3, 1.33),
				use(result.ResourceStageCPU, "the stage", 1.3, 1.33),
			}, want: result.CauseMachine,
		},
		"an instance with a quota of its own": {
			usage: []result.Usage{
				use(result.ResourceInstanceCPU, "shop-1", .25, .25),
				use(result.ResourceStageCPU, "the stage", 1.3, 1.33),
			}, want: result.CauseCPU,
		},
		"machine": {
			usage: []result.Usage{use(result.ResourceMachineCPU, "", .99, 1)}, generator: .1,
			want: result.CauseMachine,
		},
		"machine before the pool that it fills": {
			usage: append([]result.Usage{use(result.ResourceMachineCPU, "", .99, 1)}, pool...), generator: .2,
			want: result.CauseMachine,
		},
		"generator": {
			usage: []result.Usage{use(result.ResourceMachineCPU, "", .99, 1)}, generator: .6,
			want: result.CauseGenerator,
		},
	} {
		t.Run(name, func(t *testing.T) {
			step := result.Step{
				Loop: result.LoopClosed, Users: 100, Usage: c.usage, GeneratorShare: &c.generator, MachineCPU: result.Ptr(.99),
				Latency: &result.Latency{MeanMS: 400, P95MS: 700},
			}
			v := Judge(step)
			if v.Cause != c.want {
				t.Errorf("%q, want %q: %s", v.Cause, c.want, v.Summary)
			}
			if v.Summary == "" || len(v.Evidence) == 0 {
				t.Error("a verdict without evidence")
			}
		})
	}
}

func TestConclude(t *testing.T) {
	step := func(goodput, p95 float64) result.Step {
		return result.Step{Users: 100, Goodput: goodput, Latency: &result.Latency{P95MS: p95}}
	}
	up, down := Knob{Name: "pool", From: "8", To: "16"}, Knob{Name: "CPU", From: "1024", To: "512", Down: true}
	for name, c := range map[string]struct {
		k             Knob
		before, after result.Step
		noise         float64
		want          bool
	}{
		"more helps":             {up, step(100, 600), step(180, 350), 0, true},
		"more does nothing":      {up, step(100, 600), step(103, 580), 0, false},
		"more harms":             {up, step(100, 600), step(60, 1200), 0, false},
		"less than the noise":    {up, step(100, 600), step(125, 500), .4, false},
		"less of it harms":       {down, step(100, 600), step(52, 1200), 0, true},
		"less of it is the same": {down, step(100, 600), step(98, 610), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if p := Conclude(c.k, c.before, c.after, c.noise); p.Confirmed != c.want {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestKnobsChangeOneThing(t *testing.T) {
	s := stage.Stage{
		Instances: 2, CPU: 256, Memory: 512, PoolPerInstance: 8, DatabaseConnections: 79,
		DatabaseClass: "db.t4g.micro", DatabaseCPU: 2048, HostCPUs: 2,
	}
	for cause, want := range map[result.Cause]stage.Stage{
		result.CausePool:     {PoolPerInstance: 16},
		result.CauseCPU:      {CPU: 512},
		result.CauseMemory:   {Memory: 1024},
		result.CauseDBConns:  {DatabaseConnections: 158},
		result.CauseMachine:  {HostCPUs: 1},
		result.CauseDatabase: {DatabaseCPU: 1024},
	} {
		k, why := KnobFor(cause, s)
		if why != "" {
			t.Errorf("%s: %s", cause, why)
			continue
		}
		var o stage.Stage
		k.Change(&o)
		if o.PoolPerInstance != want.PoolPerInstance || o.CPU != want.CPU || o.Memory != want.Memory ||
			o.DatabaseConnections != want.DatabaseConnections || o.DatabaseCPU != want.DatabaseCPU ||
			o.HostCPUs != want.HostCPUs {
			t.Errorf("%s turned %+v, want %+v", cause, o, want)
		}
	}
	function := stage.Stage{
		Topology: stage.Lambda, Instances: 1, MaxInstances: 34, CPU: 592, PoolPerInstance: 1,
		DatabaseConnections: 79, HostCPUs: 2,
	}
	for cause, want := range map[result.Cause]Knob{
		result.CauseConcurrency: {From: "34", To: "68"},               // what the database has room for
		result.CauseCPU:         {From: "592", To: "296", Down: true}, // 34 environments have more than this machine
		result.CausePool:        {From: "1", To: "2"},
	} {
		if k, why := KnobFor(cause, function); k.From != want.From || k.To != want.To || k.Down != want.Down {
			t.Errorf("%s of a function: %+v (%s), want %+v", cause, k, why, want)
		}
	}
	function.DatabaseConnections = 37
	if k, _ := KnobFor(result.CauseConcurrency, function); !k.Down || k.To != "17" {
		t.Errorf("a database that has no more: %+v", k)
	}
	if k, _ := KnobFor(result.CauseMachine, stage.Stage{HostCPUs: 1.3334}); !k.Down || k.From != "1.33" ||
		k.To != "0.667" {
		t.Errorf("half of what the machine gives: %+v", k)
	}
	if k, _ := KnobFor(result.CauseCPU, stage.Stage{Instances: 1, CPU: 2048, HostCPUs: 2}); !k.Down || k.To != "1024" {
		t.Errorf("a machine that has no more: %+v", k)
	}
	for _, cause := range []result.Cause{result.CauseGenerator, result.CauseUnknown, result.CauseProxy} {
		if _, why := KnobFor(cause, s); why == "" {
			t.Errorf("%s has no knob and no reason", cause)
		}
	}
}

func TestWhatMustHurtProvesNothing(t *testing.T) {
	before := result.Step{
		Users: 100, Goodput: 100, Latency: &result.Latency{P95MS: 600},
		Usage: []result.Usage{use(result.ResourceStageCPU, "the stage", 1.3, 1.33)},
	}
	after := result.Step{Users: 100, Goodput: 45, Latency: &result.Latency{P95MS: 1300}}
	k, _ := KnobFor(result.CauseMachine, stage.Stage{HostCPUs: 1.33})
	p := Conclude(k, before, after, 0)
	if p.Confirmed || !strings.Contains(p.Conclusion, "by arithmetic") || p.Elasticity == nil || *p.Elasticity < 1.1 ||
		*p.Elasticity > 1.2 {
		t.Errorf("%+v, elasticity %v", p, p.Elasticity)
	}
	before.Usage = []result.Usage{use(result.ResourceStageCPU, "the stage", .3, 1.33)}
	if p := Conclude(k, before, after, 0); !p.Confirmed {
		t.Errorf("what need not hurt and does: %+v", p)
	}
}

func TestControlIsOfAResourceWithRoom(t *testing.T) {
	s := stage.Stage{
		Instances: 2, CPU: 256, Memory: 512, PoolPerInstance: 8, DatabaseConnections: 79, DatabaseCPU: 2048,
		HostCPUs: 2,
	}
	suspects := []result.Suspect{
		{Cause: result.CauseCPU, Pressure: 1},
		{Cause: result.CausePool, Pressure: .3},
		{Cause: result.CauseMemory, Pressure: .2},
	}
	if k, ok := Control(suspects, s); !ok || k.Name != "MiB of an instance" {
		t.Errorf("%+v %v", k, ok)
	}
	if k, ok := Control(suspects[:1], s); ok {
		t.Errorf("%+v is at its end", k)
	}
	if n := len(Twins(s)); n != 5 {
		t.Errorf("%d twins, want half and three quarters of the CPUs, twice the task's, half the database's, twice the pool",
			n)
	}
	s.DatabaseCPU, s.CPU = 0, 2048
	if n := len(Twins(s)); n != 3 {
		t.Errorf("%d twins of a single server, want two of its CPUs and one of the pool", n)
	}
}
