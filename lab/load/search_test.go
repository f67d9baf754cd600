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
		bp := BreakingPoint([]result.Search{found})
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
	bp := BreakingPoint([]result.Search{search(120), search(100), search(180), {LastGood: result.Ptr(400.0)}})
	if *bp.MedianUsers != 120 || *bp.LowUsers != 100 || *bp.HighUsers != 180 || *bp.NotReachedUpTo != 400 {
		t.Errorf("%+v", bp)
	}
	if bp := BreakingPoint([]result.Search{{LastGood: result.Ptr(400.0)}}); bp.MedianUsers != nil || *bp.NotReachedUpTo != 400 {
		t.Errorf("never broke: %+v", bp)
	}
	if BreakingPoint(nil) != nil {
		t.Error("no search, yet a breaking point")
	}
}
