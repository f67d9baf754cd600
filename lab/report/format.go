package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"shoplab/lab/result"
)

func title(s result.Stage) string {
	name := s.Name + " · " + s.Topology
	if len(s.StandIns) > 0 {
		name += " (" + result.LabelStandIn + ")"
	}
	return name
}

// gated is a figure that is not shown where a stage is INVALID.
func gated(s result.Stage, ok bool, value string) cell {
	switch {
	case !ok:
		return absent()
	case s.Invalid():
		return cell{Text: invalid, Class: "invalid"}
	}
	return number(value)
}

// amount is a number with three digits that count, and commas: 1,240 for 1236.
func amount(v float64) string {
	switch {
	case math.IsInf(v, 0) || math.IsNaN(v):
		return "unbounded"
	case v < 100:
		return fmt.Sprintf("%.3g", v)
	}
	digits := math.Pow(10, math.Floor(math.Log10(v))-2)
	return commas(math.Round(v/digits) * digits)
}

// commas is a whole number with commas between thousands.
func commas(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	var b strings.Builder
	for i, digit := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

func milliseconds(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.0f ms", v)
}

func seconds(v *float64) cell {
	if v == nil {
		return absent()
	}
	return number(fmt.Sprintf("%.1f s", *v))
}

func count(v *int) cell {
	if v == nil {
		return absent()
	}
	return number(commas(float64(*v)))
}

// level returns the median repeat at a number of users.
func level(s result.Stage, users int) (result.Step, bool) {
	for _, l := range s.Levels {
		if l.Users == users && l.Median.Latency != nil {
			return l.Median, true
		}
	}
	return result.Step{}, false
}

// who is what a user of the stage's loads is: somebody who thinks, or a request in flight.
func who(s result.Stage) string {
	for _, step := range s.Steps {
		if step.ThinkMS > 0 {
			return "shoppers"
		}
	}
	return "in flight"
}

// breakingPoint is where the objective was missed: interpolated over all probes with its interval where the
// result has that, else the median of the searches and their range.
func breakingPoint(s result.Stage) (string, bool) {
	b := s.BreakingPoint
	switch {
	case b == nil:
		return "", false
	case b.MedianUsers != nil && b.Interpolated != nil:
		return fmt.Sprintf("%.0f %s (%.0f-%.0f)", b.Interpolated.Value, who(s), b.Interpolated.Low, b.Interpolated.High), true
	case b.MedianUsers != nil && b.LowUsers != nil && b.HighUsers != nil && *b.LowUsers != *b.HighUsers:
		return fmt.Sprintf("%.0f %s (%d-%d)", *b.MedianUsers, who(s), *b.LowUsers, *b.HighUsers), true
	case b.MedianUsers != nil:
		return fmt.Sprintf("%.0f %s", *b.MedianUsers, who(s)), true
	case b.NotReachedUpTo != nil:
		return fmt.Sprintf("over %d %s", *b.NotReachedUpTo, who(s)), true
	}
	return "", false
}

// gaveOut says whether a search came to a level at which the stage missed the objective, and not the generator.
func gaveOut(s result.Search) bool { return s.FirstBad != nil }

// rate is the highest rate of arrivals that kept the objective: over something where nothing gave out in any repeat.
func rate(s result.Stage) cell {
	o := s.OpenLoop
	switch {
	case o == nil:
		return absent()
	case o.NotReachedUpTo != nil && !slices.ContainsFunc(o.Searches, gaveOut):
		return gated(s, true, fmt.Sprintf("over %s/s", amount(*o.NotReachedUpTo)))
	case o.Interpolated != nil:
		return gated(s, true, fmt.Sprintf("%s/s (%s-%s)", amount(o.Interpolated.Value), amount(o.Interpolated.Low),
			amount(o.Interpolated.High)))
	case o.RatePerSecond != nil:
		return gated(s, true, amount(*o.RatePerSecond)+"/s")
	}
	return absent()
}
