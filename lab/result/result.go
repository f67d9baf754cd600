// Package result is the seam between measuring and reporting: the laboratory writes a Result as
// JSON first, and every report is rendered from that file alone.
//
// What was not measured is absent: a nil pointer, an empty slice, null in a series. It is never
// zero, so that a report can say "not measured" and mean it. Units are in the JSON names: _ms is
// milliseconds, _seconds seconds, _bytes bytes, _ratio a share of 1.
package result

import "time"

// Version is the version of the file format. A reader refuses any other.
const Version = 1

// Labels that a reader must see wherever a figure with them is shown.
const (
	LabelThisMachine = "this machine, not AWS"
	LabelStandIn     = "stand-in"
	LabelQuick       = "quick run: short steps, one repeat"
	LabelUnlimited   = "CPU and memory limits not enforced"
	LabelTwinBed     = "AWS emulator, not AWS"
)

// Target is what the load was sent to.
type Target string

// The targets of a run.
const (
	TargetLocal Target = "local" // the twin: the stage's topology as processes on one machine
	TargetAWS   Target = "aws"   // the stage's stack, brought up by Pulumi
	TargetURL   Target = "url"   // a shop that somebody else deployed
)

// Result is everything that one run of the laboratory measured.
type Result struct {
	Version    int       `json:"version"`
	Target     Target    `json:"target"`
	Labels     []string  `json:"labels,omitempty"`
	Command    string    `json:"command"` // as typed, without secrets
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	// Incomplete says why the run ended early; "" when it did not.
	Incomplete  string      `json:"incomplete,omitempty"`
	Environment Environment `json:"environment"`
	Settings    *Settings   `json:"settings,omitempty"` // nil in a result of findings alone
	Stages      []Stage     `json:"stages,omitempty"`
	Findings    []Finding   `json:"findings,omitempty"`
	Faults      *Faults     `json:"faults,omitempty"`
	Sweep       *Sweep      `json:"sweep,omitempty"`
}

// Environment is the machine that sent the load; for a local run it also ran the shop.
type Environment struct {
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	Kernel      string `json:"kernel,omitempty"`
	CPU         string `json:"cpu,omitempty"`
	Cores       int    `json:"cores"`
	MemoryBytes int64  `json:"memory_bytes,omitempty"`
	// Limits says how CPU and memory limits are enforced: "cgroup v1", "cgroup v2", or "none" and why.
	Limits string `json:"limits,omitempty"`
	// Commit is the source revision, with "-dirty" when the work tree differed from it.
	Commit string `json:"commit,omitempty"`
	// Versions maps a program or library to its version: go, vegeta, postgres, redis, nginx, ...
	Versions map[string]string `json:"versions,omitempty"`
}

// Settings is how the run measured, declared before it began.
type Settings struct {
	Quick         bool      `json:"quick"`
	Users         []int     `json:"users"` // the declared load levels
	Repeats       int       `json:"repeats"`
	Objective     Objective `json:"objective"`
	Mix           []Weight  `json:"mix"`
	WarmUpSeconds float64   `json:"warm_up_seconds"`
	StepSeconds   float64   `json:"step_seconds"`
	SearchSeconds float64   `json:"search_seconds"` // a step of the breaking-point search
	// Precision is how far apart the search's last good and first bad level may be, as a share.
	PrecisionRatio float64 `json:"precision_ratio"`
	// MaxUsers and MaxRate bound the searches.
	MaxUsers int     `json:"max_users"`
	MaxRate  float64 `json:"max_rate_per_second"`
	// ThinkMS is how long a user waits between an answer and the next request.
	ThinkMS float64 `json:"think_ms"`
}

// Objective is what a step must keep to count as served.
type Objective struct {
	P95MS         float64 `json:"p95_ms"`
	MaxErrorRatio float64 `json:"max_error_ratio"`
}

// Weight is one row of the shoppers' mix.
type Weight struct {
	Flow       string   `json:"flow"`
	ShareRatio float64  `json:"share_ratio"` // of the flows that are started
	Operations []string `json:"operations"`  // the requests of one flow, in order
	Reason     string   `json:"reason"`
}

// Sweep is the receipt of the inventory after teardown.
type Sweep struct {
	CheckedAt time.Time `json:"checked_at"`
	Clean     bool      `json:"clean"`
	Left      []string  `json:"left,omitempty"`    // ARNs or ids that still exist
	Removed   []string  `json:"removed,omitempty"` // ARNs or ids that pulumi destroy had left, and that were deleted then
	Receipt   string    `json:"receipt,omitempty"`
}

// Ptr returns a pointer to v, for fields whose absence means "not measured".
func Ptr[T any](v T) *T { return &v }
