package load

import (
	"time"

	"shoplab/lab/result"
)

// lateSend is how late a request of an open loop may leave and still count as sent on time.
const lateSend = 10 * time.Millisecond

// sustained is the share of an open loop's requests that must be answered in the same window: with
// less, a queue grows that only the step's end hides.
const sustained = 0.97

// kept says whether the step met the objective. A step without an answer did not, nor did one whose load
// was not really sent.
func kept(s result.Step, o result.Objective) bool { return served(s, o) && !late(s) }

// MaxMissedSends is the share of an open loop's requests that may leave late.
const MaxMissedSends = 0.01

// MissedShare is how much of what was due in an open-loop step left late or never.
func MissedShare(s result.Step) float64 { return float64(*s.MissedSends) / (s.Rate * s.Seconds) }

// late says that the generator could not keep up with the rate.
func late(s result.Step) bool {
	return s.MissedSends != nil && MissedShare(s) > MaxMissedSends
}

// Unknown says that a step missed its objective only because the generator was late: at that rate nothing
// is known of the shop.
func Unknown(s result.Step, o result.Objective) bool { return late(s) && served(s, o) }

func served(s result.Step, o result.Objective) bool {
	if s.Loop == result.LoopOpen && s.Throughput*s.Seconds < sustained*float64(s.Requests) {
		return false
	}
	return s.Latency != nil && s.Latency.P95MS <= o.P95MS && s.ErrorRatio <= o.MaxErrorRatio
}
