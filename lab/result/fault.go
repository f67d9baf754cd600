package result

import "time"

// Faults is what the stages survived, one fault at a time.
type Faults struct {
	// Assumptions are the figures that were not measured, each with its source; whatever rests on one names it.
	Assumptions []Assumption  `json:"assumptions"`
	Stages      []FaultyStage `json:"stages"`
	Repeats     int           `json:"repeats"`
	// LongestWaitSeconds is how long a wait that is known beforehand was really kept: a health check's interval, the
	// boot of a server. Each second of a longer one stands for several; 0: every wait was kept in full.
	LongestWaitSeconds float64 `json:"longest_wait_seconds"`
}

// Assumption is a figure that was declared instead of measured.
type Assumption struct {
	Name   string  `json:"name"` // "boot of a server"
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"` // "s", "a year"
	Source string  `json:"source"`
}

// FaultyStage is one stage under faults.
type FaultyStage struct {
	Name     string   `json:"name"`
	Topology string   `json:"topology"`
	Labels   []string `json:"labels,omitempty"`
	StandIns []string `json:"stand_ins,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	Error    string   `json:"error,omitempty"` // why it was given up
	// CapacityPerSecond is what the stage answered at most, and RatePerSecond the open loop that was held.
	CapacityPerSecond *float64 `json:"capacity_per_second,omitempty"`
	RatePerSecond     *float64 `json:"rate_per_second,omitempty"`
	// Detection and Replacement say how the stage finds and replaces what is broken, as its configuration has it.
	Detection   string `json:"detection"`
	Replacement string `json:"replacement"`
	// SinglePoints are the parts of which there is one and without which the shop is down.
	SinglePoints []SinglePoint `json:"single_points"`
	MonthlyUSD   *float64      `json:"monthly_usd,omitempty"`
	Faults       []Fault       `json:"faults"`
	// UnavailableSecondsAYear is the faults' declared rates times the median of what each took; nil unless all
	// that can happen to the stage was measured.
	UnavailableSecondsAYear *float64    `json:"unavailable_seconds_a_year,omitempty"`
	Validity                *Validity   `json:"validity,omitempty"`
	Invariants              []Invariant `json:"invariants,omitempty"`
}

// SinglePoint is a part of which there is one and without which the shop is down.
type SinglePoint struct {
	Part     string `json:"part"`
	Resource string `json:"resource"` // its name in the resource graph
	Why      string `json:"why"`
}

// Fault is one kind of fault, inflicted several times on one stage.
type Fault struct {
	Name string `json:"name"`
	// What was done here, and Skipped why nothing was.
	What    string `json:"what,omitempty"`
	Skipped string `json:"skipped,omitempty"`
	// Assumed names the assumptions that the figures rest on.
	Assumed []string `json:"assumed,omitempty"`
	// RatePerYear is how often it is declared to happen to this stage.
	RatePerYear float64     `json:"rate_per_year"`
	Runs        []FaultyRun `json:"runs,omitempty"`
}

// FaultyRun is one infliction. Its seconds and requests are the stage's, waits counted in full; those of Step and
// Waits are this machine's.
type FaultyRun struct {
	StartedAt time.Time `json:"started_at"`
	// MissedSeconds is for how long the objective was not kept, RecoverySeconds how long it took from the fault until
	// it was kept again for good; 0 where it always was.
	MissedSeconds   float64 `json:"missed_seconds"`
	RecoverySeconds float64 `json:"recovery_seconds"`
	// FailedRequests is how many failed, of which Errors counts those that were really sent, by kind.
	FailedRequests float64        `json:"failed_requests"`
	Errors         map[string]int `json:"errors,omitempty"`
	// Unavailable says that nothing was answered well at some time.
	Unavailable bool   `json:"unavailable,omitempty"`
	Waits       []Wait `json:"waits,omitempty"`
	Orders      Orders `json:"orders"`
	// ReconciledSeconds is how long after the fault the books knew of every charge; nil if they did not.
	ReconciledSeconds *float64 `json:"reconciled_seconds,omitempty"`
	// Unsteady says that other processes took the machine.
	Unsteady bool  `json:"unsteady,omitempty"`
	Step     *Step `json:"step,omitempty"`
}

// Wait is a time that was not kept in full: its seconds here, and those that they stand for.
type Wait struct {
	For     string  `json:"for"`
	Seconds float64 `json:"seconds"`
	Stands  float64 `json:"stands_for_seconds"`
}

// Orders are the books of one infliction. All but Acknowledged and Charged have to be 0.
type Orders struct {
	Acknowledged int `json:"acknowledged"`
	Lost         int `json:"lost"`
	Duplicates   int `json:"duplicates"`
	Wrong        int `json:"wrong"` // another total, or not paid though called so
	Charged      int `json:"charged"`
	// Unaccounted are charges without a paid order or a refund after reconciliation.
	Unaccounted int `json:"charges_without_an_order"`
}

// Kept says that nothing that was promised was broken.
func (o Orders) Kept() bool { return o.Lost+o.Duplicates+o.Wrong+o.Unaccounted == 0 }
