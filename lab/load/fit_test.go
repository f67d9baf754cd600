package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"shoplab/lab/result"
)

func pointsOf(l law, noise float64, users ...int) []result.USLPoint {
	rng := rand.New(rand.NewPCG(7, 7))
	var points []result.USLPoint
	for _, n := range users {
		points = append(points, result.USLPoint{Users: n, Throughput: l.at(n) * (1 + noise*rng.NormFloat64())})
	}
	return points
}

func TestUSLRecoversTheParameters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := law{
			lambda: rapid.Float64Range(1, 500).Draw(t, "lambda"),
			sigma:  rapid.Float64Range(0.001, 0.3).Draw(t, "sigma"),
			kappa:  rapid.Float64Range(1e-6, 1e-3).Draw(t, "kappa"),
		}
		got := solve(pointsOf(want, 0, 1, 2, 5, 10, 20, 50, 100, 200))
		for _, p := range [][2]float64{{got.lambda, want.lambda}, {got.sigma, want.sigma}, {got.kappa, want.kappa}} {
			if math.Abs(p[0]-p[1]) > 1e-6*math.Max(1e-3, p[1]) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		}
	})
}

func TestUSLWithNoiseCoversTheTruth(t *testing.T) {
	want := law{lambda: 40, sigma: .03, kappa: .0002}
	u := FitUSL(pointsOf(want, .02, 1, 2, 4, 8, 16, 32, 64, 128, 256))
	for _, p := range []struct {
		name  string
		got   result.Interval
		truth float64
	}{{"lambda", u.Lambda, want.lambda}, {"sigma", u.Sigma, want.sigma}, {"kappa", u.Kappa, want.kappa}} {
		if p.truth < p.got.Low || p.truth > p.got.High {
			t.Errorf("%s = %+v does not cover %g", p.name, p.got, p.truth)
		}
		if p.got.High-p.got.Low <= 0 || p.got.High > 3*p.truth {
			t.Errorf("%s = %+v is no useful interval", p.name, p.got)
		}
	}
	if knee := math.Sqrt((1 - want.sigma) / want.kappa); math.Abs(*u.KneeUsers-knee) > .25*knee {
		t.Errorf("knee %.0f, want %.0f", *u.KneeUsers, knee)
	}
	if u.HeldOut.Users != 256 || math.Abs(u.HeldOut.ErrorRatio) > .25 {
		t.Errorf("held out: %+v", u.HeldOut)
	}
	if u.R2 < .95 {
		t.Errorf("R2 = %g", u.R2)
	}
}

func TestUSLWithoutCoherencyHasNoKnee(t *testing.T) {
	u := FitUSL(pointsOf(law{lambda: 100, sigma: .1}, 0, 1, 2, 4, 8, 16, 32))
	if u.KneeUsers != nil && *u.KneeUsers < 1e4 {
		t.Errorf("knee at %g users", *u.KneeUsers)
	}
	if math.Abs(*u.PeakThroughput-1000) > 5 {
		t.Errorf("peak %g, want lambda/sigma = 1000", *u.PeakThroughput)
	}
}

func TestUSLNeedsPoints(t *testing.T) {
	if u := FitUSL(pointsOf(law{lambda: 1, sigma: .1, kappa: .1}, 0, 1, 2, 2, 3, 4)); u != nil {
		t.Errorf("a fit of three parameters to three points: %+v", u)
	}
}

func TestPercentileIsNearestRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1000), 1, 200).Draw(t, "values")
		q := float64(rapid.IntRange(1, 100).Draw(t, "q")) / 100
		slices.Sort(values)
		got := Percentile(values, q)
		var below, upTo int
		for _, v := range values {
			if v < got {
				below++
			}
			if v <= got {
				upTo++
			}
		}
		need := q * float64(len(values))
		if float64(upTo) < need-1e-6 || float64(below) >= need {
			t.Fatalf("P%g of %v = %g", q*100, values, got)
		}
	})
}

func TestValidityGates(t *testing.T) {
	step := func(share, machine float64) result.Step {
		return result.Step{GeneratorShare: &share, MachineCPU: &machine}
	}
	foreign := step(.1, 1)
	foreign.Usage = []result.Usage{{Resource: result.ResourceForeignCPU, Mean: .5, Limit: result.Ptr(2.0)}}
	if Disturbed(step(.6, 1)) || !Disturbed(foreign) {
		t.Error("a hungry generator disturbs, or others do not")
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
		"fine":              {steps: []result.Step{step(.2, 1), open}, bp: spread(100, 110), levels: level(100, 110)},
		"busy but idle CPU": {steps: []result.Step{step(.6, .5)}},
		"hungry generator":  {steps: []result.Step{step(.1, 1), step(.4, 1)}, trips: "generator CPU"},
		"somebody else":     {steps: []result.Step{foreign}, trips: "other processes"},
		"late":              {steps: []result.Step{late}, trips: "missed sends"},
		"spread":            {bp: spread(100, 300), trips: "spread of the breaking point"},
		"noise":             {levels: level(100, 300), trips: "noise between repeats"},
		"noise too small":   {levels: level(5, 15)},
		"nothing measured":  {},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(c.steps, c.bp, c.levels)
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
