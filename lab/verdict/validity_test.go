package verdict

import (
	"strings"
	"testing"

	"shoplab/lab/result"
)

func TestValidityGates(t *testing.T) {
	step := func(share, machine float64) result.Step {
		return result.Step{Requests: 100, GeneratorShare: &share, MachineCPU: &machine}
	}
	foreign := step(.1, 1)
	foreign.Usage = []result.Usage{{Resource: result.ResourceForeignCPU, Mean: .5, Limit: result.Ptr(2.0)}}
	if Disturbed(step(.6, 1)) || !Disturbed(foreign) {
		t.Error("a hungry generator disturbs, or others do not")
	}
	generator := func(cores, late float64) result.Step {
		return result.Step{Requests: 100, GeneratorCPU: &cores, GeneratorAllowance: result.Ptr(1.0), TimerLateMS: &late}
	}
	// One shard is as given, and another so idle that together they would pass.
	sharded := func(one result.Generator) result.Step {
		s := generator(.1, 1)
		one.Shard = "1 of 2"
		s.Shards = []result.Generator{one, {Shard: "2 of 2", CPU: result.Ptr(.1), Allowance: result.Ptr(1.0)}}
		return s
	}
	open := result.Step{Rate: 100, Seconds: 10, Requests: 1000, ObjectiveKept: true}
	late := open
	open.MissedSends, late.MissedSends = result.Ptr(5), result.Ptr(50)
	spread := func(low, high int) *result.BreakingPoint {
		return &result.BreakingPoint{
			MedianUsers: result.Ptr(float64(low+high) / 2), LowUsers: &low, HighUsers: &high, Searches: make([]result.Search, 2),
		}
	}
	level := func(p95 ...float64) []result.Level { return []result.Level{{Users: 50, AllP95MS: p95}} }
	for name, c := range map[string]struct {
		steps  []result.Step
		bp     *result.BreakingPoint
		levels []result.Level
		trips  string
	}{
		"fine":             {steps: []result.Step{step(.2, 1), open}, bp: spread(100, 110), levels: level(100, 110)},
		"busy machine":     {steps: []result.Step{step(.6, 1), generator(.5, 3)}},
		"hungry generator": {steps: []result.Step{generator(.5, 3), generator(.95, 3)}, trips: "generator CPU"},
		"hungry shard": {steps: []result.Step{sharded(result.Generator{
			CPU:       result.Ptr(.95),
			Allowance: result.Ptr(1.0),
		})}, trips: "generator CPU"},
		"late shard": {
			steps: []result.Step{sharded(result.Generator{TimerLateMS: result.Ptr(30.0)})},
			trips: "generator's timers",
		},
		"shard that began": {
			steps: []result.Step{sharded(result.Generator{StartLateMS: result.Ptr(900.0)})},
			trips: "shards",
		},
		"dead shard": {steps: []result.Step{sharded(result.Generator{Error: "killed"})}, trips: "shards"},
		"shards": {steps: []result.Step{sharded(result.Generator{
			CPU: result.Ptr(.5), Allowance: result.Ptr(1.0),
			StartLateMS: result.Ptr(1.0),
		})}},
		"late timers":      {steps: []result.Step{generator(.5, 40)}, trips: "generator's timers"},
		"somebody else":    {steps: []result.Step{foreign}, trips: "other processes"},
		"late":             {steps: []result.Step{late}, trips: "missed sends"},
		"spread":           {bp: spread(100, 300), trips: "spread of the breaking point"},
		"noise":            {levels: level(100, 300), trips: "noise between repeats"},
		"noise too small":  {levels: level(5, 15)},
		"nothing measured": {},
	} {
		t.Run(name, func(t *testing.T) {
			v := Valid(c.steps, c.bp, c.levels)
			tripped := ""
			for _, g := range v.Gates {
				if !g.Passed {
					tripped += g.Name
				}
			}
			if tripped != c.trips || v.Valid != (c.trips == "") || len(v.Reasons) != min(1, len(c.trips)) {
				t.Errorf("tripped %q, valid %v, reasons %q", tripped, v.Valid, v.Reasons)
			}
		})
	}
}

func TestARateLimitIsNamed(t *testing.T) {
	steps := func(limited int) []result.Step {
		return []result.Step{{
			Purpose: result.PurposeLoad, Requests: 100,
			Errors: map[string]int{result.ErrorRateLimited: limited, "429": 50},
		}}
	}
	if v := Valid(steps(9), nil, nil); v.Valid || !strings.Contains(strings.Join(v.Reasons, " "),
		"rate limit refused 9.0%") {
		t.Errorf("9 of 100: %+v", v)
	}
	if v := Valid(steps(1), nil, nil); !v.Valid {
		t.Errorf("1 of 100: %+v", v)
	}
}

func TestNoRequestIsInvalid(t *testing.T) {
	for _, steps := range [][]result.Step{
		{{Purpose: result.PurposeLoad}}, {{Purpose: result.PurposeWarmUp, Requests: 10}, {Purpose: result.PurposeLevel}},
	} {
		if v := Valid(steps, nil, nil); v.Valid || v.Reasons[0] != "no request was measured" {
			t.Errorf("%+v: %+v", steps, v)
		}
	}
	if v := Valid(nil, nil, nil); !v.Valid {
		t.Errorf("nothing to judge: %+v", v)
	}
}
