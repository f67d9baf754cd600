package experiment

import (
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
		"all at ease":     {usage: []result.Usage{use(result.ResourceInstanceCPU, "shop-1", .1, 1)}, want: result.CauseUnknown},
		"pool":            {usage: pool, want: result.CausePool},
		"full pool without waiting": {
			usage: []result.Usage{use(result.ResourcePoolInUse, "shop-1", 8, 8), use(result.ResourcePoolWait, "shop-1", 1, 0)},
			want:  result.CauseUnknown,
		},
		"CPU before the pool that it fills": {
			usage: append([]result.Usage{use(result.ResourceInstanceCPU, "shop-1", .25, .25)}, pool...), want: result.CauseCPU,
		},
		"throttled": {
			usage: []result.Usage{use(result.ResourceInstanceCPU, "shop-1", .2, .25), use(result.ResourceThrottled, "shop-1", .97, 1)},
			want:  result.CauseCPU,
		},
		"database CPU before the pool": {
			usage: append([]result.Usage{use(result.ResourceDBCPU, "postgres", 1.95, 2)}, pool...), want: result.CauseDatabase,
		},
		"locks": {
			usage: []result.Usage{use(result.ResourceDBActive, "", 10, 79), use(result.ResourceDBLockWaits, "", 9.5, 0)},
			want:  result.CauseDatabase,
		},
		"connections":                      {usage: []result.Usage{use(result.ResourceDBConns, "", 79, 79)}, want: result.CauseDBConns},
		"redis":                            {usage: []result.Usage{use(result.ResourceRedisCPU, "redis", .99, 0)}, want: result.CauseRedis},
		"memory":                           {usage: []result.Usage{use(result.ResourceMemory, "shop-1", 99, 100)}, want: result.CauseMemory},
		"the stage's share of the machine": {usage: []result.Usage{use(result.ResourceStageCPU, "the stage", 1.3, 1.33)}, want: result.CauseMachine},
		"an instance that may use the whole share": {
			usage: []result.Usage{use(result.ResourceServerCPU, "server", 1.3, 1.33), use(result.ResourceStageCPU, "the stage", 1.3, 1.33)}, want: result.CauseMachine,
		},
		"an instance with a quota of its own": {
			usage: []result.Usage{use(result.ResourceInstanceCPU, "shop-1", .25, .25), use(result.ResourceStageCPU, "the stage", 1.3, 1.33)}, want: result.CauseCPU,
		},
		"machine": {usage: []result.Usage{use(result.ResourceMachineCPU, "", .99, 1)}, generator: .1, want: result.CauseMachine},
		"machine before the pool that it fills": {
			usage: append([]result.Usage{use(result.ResourceMachineCPU, "", .99, 1)}, pool...), generator: .2, want: result.CauseMachine,
		},
		"generator": {usage: []result.Usage{use(result.ResourceMachineCPU, "", .99, 1)}, generator: .6, want: result.CauseGenerator},
	} {
		t.Run(name, func(t *testing.T) {
			step := result.Step{
				Loop: result.LoopClosed, Users: 100, Usage: c.usage, GeneratorShare: &c.generator, MachineCPU: result.Ptr(.99),
				Latency: &result.Latency{MeanMS: 400, P95MS: 700},
			}
			v := judge(step)
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
	up, down := knob{name: "pool", from: "8", to: "16"}, knob{name: "CPU", from: "1024", to: "512", down: true}
	for name, c := range map[string]struct {
		k             knob
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
			if p := conclude(c.k, c.before, c.after, c.noise); p.Confirmed != c.want {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestKnobsChangeOneThing(t *testing.T) {
	s := stage.Stage{Instances: 2, CPU: 256, Memory: 512, PoolPerInstance: 8, DatabaseConnections: 79, DatabaseClass: "db.t4g.micro", DatabaseCPU: 2048}
	for cause, want := range map[result.Cause]stage.Stage{
		result.CausePool:     {PoolPerInstance: 16},
		result.CauseCPU:      {CPU: 512},
		result.CauseMemory:   {Memory: 1024},
		result.CauseDBConns:  {DatabaseConnections: 158},
		result.CauseMachine:  {HostCPUs: 1},
		result.CauseDatabase: {DatabaseCPU: 1024},
	} {
		k, why := knobFor(cause, s, 2)
		if why != "" {
			t.Errorf("%s: %s", cause, why)
			continue
		}
		var o stage.Stage
		k.turn(&o)
		if o.PoolPerInstance != want.PoolPerInstance || o.CPU != want.CPU || o.Memory != want.Memory ||
			o.DatabaseConnections != want.DatabaseConnections || o.DatabaseCPU != want.DatabaseCPU || o.HostCPUs != want.HostCPUs {
			t.Errorf("%s turned %+v, want %+v", cause, o, want)
		}
	}
	if k, _ := knobFor(result.CauseMachine, s, 1.3334); !k.down || k.from != "1.33" || k.to != "0.667" {
		t.Errorf("half of what the machine gives: %+v", k)
	}
	if k, _ := knobFor(result.CauseCPU, stage.Stage{Instances: 1, CPU: 2048}, 2); !k.down || k.to != "1024" {
		t.Errorf("a machine that has no more: %+v", k)
	}
	for _, cause := range []result.Cause{result.CauseGenerator, result.CauseUnknown, result.CauseProxy} {
		if _, why := knobFor(cause, s, 2); why == "" {
			t.Errorf("%s has no knob and no reason", cause)
		}
	}
}

func TestByRatio(t *testing.T) {
	for _, c := range []struct {
		measured, claimed float64
		want              result.FindingStatus
	}{
		{2.9, 3, result.FindingReproduced},
		{2.0, 3, result.FindingReproduced},
		{1.5, 3, result.FindingWeaker},
		{1.05, 3, result.FindingNotReproduced},
		{.5, 3, result.FindingNotReproduced},
		{.05, .08, result.FindingReproduced},
		{.3, .08, result.FindingWeaker},
		{.95, .08, result.FindingNotReproduced},
	} {
		if got := byRatio(&c.measured, c.claimed); got != c.want {
			t.Errorf("x%g of a claimed x%g: %q, want %q", c.measured, c.claimed, got, c.want)
		}
	}
	if byRatio(nil, 3) != result.FindingNotReproduced {
		t.Error("nothing measured reproduces nothing")
	}
}

func TestComplexityIsCountedFromTheSource(t *testing.T) {
	c := complexity("../..", "stage1", "single", result.TargetAWS)
	if c.ConfigLines == nil || *c.ConfigLines < 5 || *c.ConfigLines > 30 {
		t.Errorf("config lines: %v", c.ConfigLines)
	}
	if c.StageLines == nil || *c.StageLines < 500 || *c.StageLines > 5000 {
		t.Errorf("stage lines: %v", c.StageLines)
	}
	if none := complexity(t.TempDir(), "stage1", "single", result.TargetAWS); none.ConfigLines != nil || none.Resources != nil || none.StageLines != nil {
		t.Errorf("counted out of nothing: %+v", none)
	}
}
