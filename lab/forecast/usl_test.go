package forecast

import (
	"math"
	"math/rand/v2"
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
