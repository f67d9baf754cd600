package load

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"shoplab/lab/load/loadtest"
	"shoplab/lab/result"
)

// Ten servers of 10 ms each answer N users in N ms: the objective of 100 ms is missed from 100
// users on. The search must find that within 10%.
func TestSearchFindsTheComputedBreakingPoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := loadtest.New(t, 10, 10*time.Millisecond)
		c := newTestCrowd(t, shop)
		c.objective = result.Objective{P95MS: 100, MaxErrorRatio: .01}
		if err := c.Prepare(t.Context(), 60, nil); err != nil {
			t.Fatal(err)
		}
		found, err := Find(t.Context(), Bounds{Start: 16, Min: 1, Max: 1000, Precision: .1, Whole: true},
			func(ctx context.Context, users float64) (result.Step, error) {
				return c.Run(ctx, Load{Users: int(users), Settle: 300 * time.Millisecond, Duration: 700 * time.Millisecond})
			})
		if err != nil {
			t.Fatal(err)
		}
		bp := BreakingPoint([]result.Search{found}, c.objective)
		if bp.MedianUsers == nil || math.Abs(*bp.MedianUsers-100) > 10 {
			for _, p := range found.Probes {
				t.Logf("%v users: p95 %.0f ms, kept %v", p.Level, *p.P95MS, p.Kept)
			}
			t.Fatalf("breaking point %+v, want 100 +- 10", bp)
		}
	})
}

func TestFindBracketsAnyThreshold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		threshold := rapid.IntRange(1, 3000).Draw(t, "threshold") // the smallest bad level
		start := rapid.IntRange(1, 400).Draw(t, "start")
		b := Bounds{Start: float64(start), Min: 1, Max: 2000, Precision: .1, Whole: true}
		found, err := Find(context.Background(), b, func(_ context.Context, users float64) (result.Step, error) {
			if users != math.Trunc(users) || users < b.Min || users > b.Max {
				t.Fatalf("tried %g", users)
			}
			return result.Step{ObjectiveKept: int(users) < threshold}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case threshold > 2000:
			if found.FirstBad != nil || *found.LastGood != 2000 {
				t.Fatalf("threshold beyond the bound: %+v", found)
			}
		case threshold == 1:
			if found.LastGood != nil || *found.FirstBad != 1 {
				t.Fatalf("nothing is good: %+v", found)
			}
		default:
			good, bad := *found.LastGood, *found.FirstBad
			if int(good) >= threshold || int(bad) < threshold {
				t.Fatalf("threshold %d outside (%g, %g]", threshold, good, bad)
			}
			if bad > good*1.1+1 {
				t.Fatalf("(%g, %g] is wider than 10%%", good, bad)
			}
		}
		if len(found.Probes) > 26 {
			t.Fatalf("%d probes", len(found.Probes))
		}
	})
}

func TestBreakingPointIsTheMedianWithItsRange(t *testing.T) {
	search := func(bad float64) result.Search {
		return result.Search{LastGood: result.Ptr(bad / 1.1), FirstBad: &bad}
	}
	bp := BreakingPoint([]result.Search{search(120), search(100), search(180), {LastGood: result.Ptr(400.0)}},
		DefaultObjective)
	if *bp.MedianUsers != 120 || *bp.LowUsers != 100 || *bp.HighUsers != 180 || *bp.NotReachedUpTo != 400 {
		t.Errorf("%+v", bp)
	}
	if bp := BreakingPoint([]result.Search{{LastGood: result.Ptr(400.0)}}, DefaultObjective); bp.MedianUsers != nil ||
		*bp.NotReachedUpTo != 400 {
		t.Errorf("never broke: %+v", bp)
	}
	if BreakingPoint(nil, DefaultObjective) != nil {
		t.Error("no search, yet a breaking point")
	}
}

// p95 grows by 5 ms a user: it crosses 500 ms at 100, whichever levels the searches tried.
func TestTheBreakingPointIsInterpolatedOverAllProbes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rapid.Uint64().Draw(t, "noise")
		var searches []result.Search
		for _, levels := range [][]float64{{40, 80, 160, 120, 100, 90}, {62, 124, 93, 108}, {43, 86, 172, 129, 107}} {
			var s result.Search
			for _, level := range levels {
				rng = rng*6364136223846793005 + 1442695040888963407
				p95 := 5 * level * (.95 + .1*float64(rng>>40)/(1<<24))
				s.Probes = append(s.Probes, result.Probe{Level: level, Kept: p95 <= 500, P95MS: &p95})
			}
			searches = append(searches, s)
		}
		i := crossing(searches, DefaultObjective)
		if i == nil || i.Value < 92 || i.Value > 108 || i.Low > i.Value || i.High < i.Value || i.High-i.Low > 40 {
			t.Fatalf("%+v, want about 100", i)
		}
	})
	kept := []result.Search{{Probes: []result.Probe{{Level: 10, Kept: true, P95MS: result.Ptr(20.0)}}}}
	if i := crossing(kept, DefaultObjective); i != nil {
		t.Errorf("%+v where nothing broke", i)
	}
}
