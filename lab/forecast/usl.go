// Package forecast carries what was measured on one machine to others: what a request costs at each station
// of a stage, and what queueing laws make of that where the stations have other CPUs. It measures nothing.
package forecast

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"shoplab/lab/result"
	"shoplab/lab/stats"
)

// resamples is how often the bootstrap refits; confidence is of its intervals.
const (
	resamples  = 2000
	confidence = 0.95
)

// FitUSL fits Gunther's Universal Scalability Law to throughput over users. The point with the most
// users is held out of the fit and predicted by it. Nil with fewer than four other points: three
// parameters need more than three.
//
// The law is linear in 1/lambda, sigma/lambda and kappa/lambda once it is turned over:
//
//	N/X = 1/lambda + sigma/lambda (N-1) + kappa/lambda N(N-1)
//
// so it is solved directly, each equation weighted by X/N so that relative errors count alike, and
// with parameters that cannot be negative. Intervals are the percentile bootstrap of the relative
// residuals (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, ch. 9 and 13).
func FitUSL(points []result.USLPoint) *result.USL {
	points = merge(points)
	if len(points) < 5 {
		return nil
	}
	last := len(points) - 1
	points[last].Held = true
	fitted := points[:last]
	best := solve(fitted)
	u := &result.USL{Confidence: confidence, Points: points}
	residuals := make([]float64, len(fitted))
	mean := 0.0
	for i, p := range fitted {
		residuals[i] = p.Throughput/best.at(p.Users) - 1
		mean += p.Throughput / float64(len(fitted))
	}
	var off, spread float64
	for _, p := range fitted {
		miss, deviation := p.Throughput-best.at(p.Users), p.Throughput-mean
		off += miss * miss
		spread += deviation * deviation
	}
	if spread > 0 {
		u.R2 = 1 - off/spread
	}
	u.Lambda, u.Sigma, u.Kappa = bootstrap(fitted, best, residuals)
	if best.kappa > 0 && best.sigma < 1 {
		knee := math.Sqrt((1 - best.sigma) / best.kappa)
		u.KneeUsers = &knee
		u.PeakThroughput = result.Ptr(best.atReal(knee))
	} else if best.sigma > 0 {
		u.PeakThroughput = result.Ptr(best.lambda / best.sigma)
		u.Note = "no coherency cost was seen: throughput saturates and does not fall, so there is no knee"
	}
	if best.sigma > 0 {
		u.SaturationUsers = result.Ptr(1 / best.sigma)
	}
	held := points[last]
	u.HeldOut = &result.HeldOut{
		Users: held.Users, Measured: held.Throughput, Predicted: best.at(held.Users),
		ErrorRatio: best.at(held.Users)/held.Throughput - 1,
	}
	return u
}

// merge sorts the points by users, takes the median of those with the same number, and drops those
// without throughput.
func merge(points []result.USLPoint) []result.USLPoint {
	by := map[int][]float64{}
	for _, p := range points {
		if p.Users > 0 && p.Throughput > 0 {
			by[p.Users] = append(by[p.Users], p.Throughput)
		}
	}
	merged := make([]result.USLPoint, 0, len(by))
	for users, x := range by {
		merged = append(merged, result.USLPoint{Users: users, Throughput: stats.Median(x)})
	}
	slices.SortFunc(merged, func(a, b result.USLPoint) int { return a.Users - b.Users })
	return merged
}

// law is the Universal Scalability Law with its parameters.
type law struct{ lambda, sigma, kappa float64 }

func (l law) at(users int) float64 { return l.atReal(float64(users)) }

func (l law) atReal(n float64) float64 {
	return l.lambda * n / (1 + l.sigma*(n-1) + l.kappa*n*(n-1))
}

// solve is weighted least squares with non-negative parameters: of the fits with none, one or both
// of sigma and kappa fixed at zero, the best one without a negative parameter.
func solve(points []result.USLPoint) law {
	best, least := law{}, math.Inf(1)
	for _, free := range [][2]bool{{true, true}, {true, false}, {false, true}, {false, false}} {
		l, ok := solveFree(points, free)
		if !ok || l.lambda <= 0 || l.sigma < 0 || l.kappa < 0 {
			continue
		}
		sum := 0.0
		for _, p := range points {
			sum += math.Pow(p.Throughput/l.at(p.Users)-1, 2)
		}
		if sum < least {
			best, least = l, sum
		}
	}
	return best
}

// solveFree solves with sigma and kappa free or zero.
func solveFree(points []result.USLPoint, free [2]bool) (law, bool) {
	columns := 1
	for _, f := range free {
		if f {
			columns++
		}
	}
	a := mat.NewDense(len(points), columns, nil)
	b := mat.NewVecDense(len(points), nil)
	for i, p := range points {
		n, weight := float64(p.Users), p.Throughput/float64(p.Users)
		row := []float64{weight}
		if free[0] {
			row = append(row, weight*(n-1))
		}
		if free[1] {
			row = append(row, weight*n*(n-1))
		}
		a.SetRow(i, row)
		b.SetVec(i, 1) // weight * N/X
	}
	var x mat.VecDense
	if err := x.SolveVec(a, b); err != nil || x.AtVec(0) <= 0 {
		return law{}, false // singular: all points at the same number of users
	}
	l, column := law{lambda: 1 / x.AtVec(0)}, 1
	if free[0] {
		l.sigma = x.AtVec(column) * l.lambda
		column++
	}
	if free[1] {
		l.kappa = x.AtVec(column) * l.lambda
	}
	return l, true
}

// bootstrap refits the law to itself plus residuals drawn at random. The residuals are widened by
// sqrt(n/(n-3)), because a fit with three parameters makes them smaller than the noise was.
func bootstrap(points []result.USLPoint, fit law, residuals []float64) (lambda, sigma, kappa result.Interval) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible on purpose
	n := float64(len(points))
	widen := 1.0
	if n > 3 {
		widen = math.Sqrt(n / (n - 3))
	}
	var ls, ss, ks []float64
	again := make([]result.USLPoint, len(points))
	for range resamples {
		for i, p := range points {
			r := residuals[rng.IntN(len(residuals))] * widen
			again[i] = result.USLPoint{Users: p.Users, Throughput: fit.at(p.Users) * max(1+r, 0.01)}
		}
		l := solve(again)
		ls, ss, ks = append(ls, l.lambda), append(ss, l.sigma), append(ks, l.kappa)
	}
	return interval(fit.lambda, ls), interval(fit.sigma, ss), interval(fit.kappa, ks)
}

func interval(value float64, draws []float64) result.Interval {
	slices.Sort(draws)
	tail := (1 - confidence) / 2
	return result.Interval{
		Value: value,
		Low:   min(value, stats.Percentile(draws, tail)), High: max(value, stats.Percentile(draws, 1-tail)),
	}
}
