package result

// FindingStatus is what became of a claim.
type FindingStatus string

// The outcomes of an experiment on a claim.
const (
	FindingReproduced    FindingStatus = "reproduced"
	FindingWeaker        FindingStatus = "weaker than claimed" // same direction, less than half the effect
	FindingNotReproduced FindingStatus = "not reproduced"
	FindingInvalid       FindingStatus = "INVALID" // the validity gate tripped
	FindingSkipped       FindingStatus = "skipped"
)

// Finding is one lesson of the original experiment, replayed by turning one knob.
type Finding struct {
	Name   string        `json:"name"`  // of all in lab/findings
	Claim  string        `json:"claim"` // in the original's words, where it made it
	Knob   string        `json:"knob"`  // the one thing that differs
	Status FindingStatus `json:"status"`
	Labels []string      `json:"labels,omitempty"`
	// Skipped says why, and what to install.
	Skipped string `json:"skipped,omitempty"`
	// Conclusion is one or two sentences, plain about a claim that is not reproduced.
	Conclusion string `json:"conclusion,omitempty"`
	// Comparisons are the before/after pairs; the first is the one that the status is about.
	Comparisons []Comparison `json:"comparisons,omitempty"`
	Notes       []string     `json:"notes,omitempty"`
	Steps       []Step       `json:"steps,omitempty"` // raw, where the load was HTTP
}

// Comparison is one measure before and after.
type Comparison struct {
	Measure string `json:"measure"` // "goodput at 200 users"
	Unit    string `json:"unit"`
	// LowerIsBetter says which way is good.
	LowerIsBetter bool `json:"lower_is_better,omitempty"`
	Before        Case `json:"before"`
	After         Case `json:"after"`
	// Ratio is after over before of the medians; nil when before is zero or missing.
	Ratio *float64 `json:"ratio,omitempty"`
	// ClaimedRatio is the same as the original published it, where it did.
	ClaimedRatio *float64 `json:"claimed_ratio,omitempty"`
}

// Case is one side of a comparison with its raw data.
type Case struct {
	Label  string    `json:"label"` // "25 connections an instance"
	Median *float64  `json:"median,omitempty"`
	Raw    []float64 `json:"raw"` // one per repeat
}
