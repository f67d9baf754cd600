package result

import "time"

// Purpose is why a step was run.
type Purpose string

// The purposes of a step.
const (
	PurposeWarmUp      Purpose = "warm-up"
	PurposeLevel       Purpose = "level"
	PurposeScaling     Purpose = "scaling" // few users, for the scalability fit
	PurposeDemand      Purpose = "demand"  // arrival rates far below saturation, for what a request costs
	PurposeSearch      Purpose = "search"
	PurposeFailure     Purpose = "at failure" // the breaking point held for long enough to be watched from afar
	PurposeRate        Purpose = "rate search"
	PurposeProof       Purpose = "proof"
	PurposeFinding     Purpose = "finding"
	PurposeLoad        Purpose = "load"
	PurposeFault       Purpose = "fault"       // a steady rate while something breaks
	PurposeTwin        Purpose = "twin"        // a changed stage, for a forecast to be held against
	PurposeCalibration Purpose = "calibration" // one errand by itself, so that a forecast can mix them anew
	PurposeBaseline    Purpose = "baseline"    // the same level again, just before the proof's change
)

// Loop says what decides when a request is sent.
type Loop string

// The two kinds of load.
const (
	LoopClosed Loop = "closed" // N users, each sends when its last answer is in
	LoopOpen   Loop = "open"   // requests arrive at a constant rate, whatever the answers do
)

// Step is one load level held for a while.
type Step struct {
	Purpose   Purpose   `json:"purpose"`
	Loop      Loop      `json:"loop"`
	Repeat    int       `json:"repeat,omitempty"`          // from 1
	Flow      string    `json:"flow,omitempty"`            // the only errand of all shoppers; "": the mix
	Users     int       `json:"users,omitempty"`           // closed loop
	Rate      float64   `json:"rate_per_second,omitempty"` // open loop: the offered rate
	StartedAt time.Time `json:"started_at"`
	Seconds   float64   `json:"seconds"`

	Requests   int     `json:"requests"`
	Failed     int     `json:"failed"`
	ErrorRatio float64 `json:"error_ratio"`
	// Errors counts the failed requests by kind: "503 OVERLOADED", "timeout", "connection refused".
	Errors map[string]int `json:"errors,omitempty"`
	// Throughput is finished requests per second, failed ones included; Goodput without them.
	Throughput float64 `json:"throughput_per_second"`
	Goodput    float64 `json:"goodput_per_second"`
	// Latency is of all requests, failed ones included. Nil when nothing finished.
	Latency    *Latency    `json:"latency,omitempty"`
	Operations []Operation `json:"operations,omitempty"`
	// Orders is how many orders were paid to the end in this step.
	Orders int `json:"orders"`
	// AnswerBytes are bytes an answer, its header and body as HTTP/1.1 has them, without what TLS and TCP add; nil in
	// files written before it was counted.
	AnswerBytes *float64 `json:"answer_bytes,omitempty"`

	// ObjectiveKept: latency and errors within the objective, and for an open loop at least 97% of
	// the requests answered in the window that they were due in.
	ObjectiveKept bool `json:"objective_kept"`
	// MissedSends are requests of an open loop that could not be sent within 10 ms of being due (or
	// not at all); nil for a closed loop.
	MissedSends *int `json:"missed_sends,omitempty"`
	// GeneratorCPU is the load generator's CPU use as a share of one core's time.
	GeneratorCPU *float64 `json:"generator_cpu_cores,omitempty"`
	// GeneratorShare is the same as a share of all CPU time that its machine spent on anything.
	GeneratorShare *float64 `json:"generator_share_ratio,omitempty"`
	// GeneratorAllowance is how many cores the generator may use at once, and TimerLateMS how late its own
	// timers were, the 99th percentile: what it measured of others is as late.
	GeneratorAllowance *float64 `json:"generator_allowance_cores,omitempty"`
	TimerLateMS        *float64 `json:"timer_late_ms,omitempty"`
	// Steal is the share of the machine's CPU time that its host gave to others, and FrequencyMHz the mean
	// clock of its cores, where the kernel says so: noise that nobody here can help.
	Steal        *float64 `json:"steal_ratio,omitempty"`
	FrequencyMHz *float64 `json:"frequency_mhz,omitempty"`
	// Again is how often the step was prolonged because its halves disagreed; Unsettled, that they still did.
	Again     int  `json:"again,omitempty"`
	Unsettled bool `json:"unsettled,omitempty"`
	// ThinkMS is how long a user waited, on average, between an answer and the next request: with it Users
	// are shoppers, without it requests in flight.
	ThinkMS float64 `json:"think_ms,omitempty"`
	// MachineCPU is the use of the whole machine that the generator ran on, as a share of all cores.
	MachineCPU *float64 `json:"machine_cpu_ratio,omitempty"`

	// Shards are the parts of a generator that ran as several processes: its figures above are their sum, and
	// the worst of what cannot be summed.
	Shards []Generator `json:"shards,omitempty"`

	// Usage summarises each resource over the step; Series holds its seconds, where kept.
	Usage  []Usage `json:"usage,omitempty"`
	Series *Series `json:"series,omitempty"`
}

// ErrorRateLimited is the kind of error of a request that the shop's own rate limit refused: not because the
// shop could not serve it.
const ErrorRateLimited = "429 RATE_LIMITED"

// LiftRateLimit says where that limit is switched off.
const LiftRateLimit = "lift it for load tests: shoplab:rateLimit off on a stack, `lab up --rate-limit off` here, " +
	"RATE_LIMIT=off of the service"

// RateLimited is how many of the step's requests the shop's own rate limit refused.
func (s Step) RateLimited() int { return s.Errors[ErrorRateLimited] }

// Generator is how the load generator did in a step, or one shard of it: a process that sends a part of the
// load. What is nil was not measured.
type Generator struct {
	Shard    string `json:"shard,omitempty"` // "2 of 3"
	Requests int    `json:"requests"`
	// CPU is what it used, and Allowance what it may use at once, in cores; MachineShare is its use as a share of
	// all CPU time that its machine spent on anything.
	CPU          *float64 `json:"cpu_cores,omitempty"`
	Allowance    *float64 `json:"allowance_cores,omitempty"`
	MachineShare *float64 `json:"machine_share_ratio,omitempty"`
	MachineCPU   *float64 `json:"machine_cpu_ratio,omitempty"` // of all its cores
	Steal        *float64 `json:"steal_ratio,omitempty"`
	FrequencyMHz *float64 `json:"frequency_mhz,omitempty"`
	TimerLateMS  *float64 `json:"timer_late_ms,omitempty"` // p99
	MissedSends  *int     `json:"missed_sends,omitempty"`  // of an open loop
	// StartLateMS is how long after the other shards it began.
	StartLateMS *float64 `json:"start_late_ms,omitempty"`
	// Error says why nothing is known of its part of the load.
	Error string `json:"error,omitempty"`
}

// Latency holds the percentiles (nearest rank) of an HDR histogram, within 0.1%, in milliseconds. Files written
// before it was kept have exact ones.
type Latency struct {
	MeanMS float64 `json:"mean_ms"`
	P50MS  float64 `json:"p50_ms"`
	P90MS  float64 `json:"p90_ms"`
	P95MS  float64 `json:"p95_ms"`
	P99MS  float64 `json:"p99_ms"`
	MaxMS  float64 `json:"max_ms"`
	// Histogram is of the same requests, within 1%; kept for whole steps, not for their operations.
	Histogram *Histogram `json:"histogram,omitempty"`
}

// Operation is a step's share of one kind of request.
type Operation struct {
	Name       string         `json:"name"` // "search", "pay", ...
	Requests   int            `json:"requests"`
	Failed     int            `json:"failed"`
	Errors     map[string]int `json:"errors,omitempty"`
	Throughput float64        `json:"throughput_per_second"`
	Latency    *Latency       `json:"latency,omitempty"`
}

// Resource is something that can give out.
type Resource string

// The resources that are watched, and two that are joined to the same seconds for charts.
const (
	ResourceInstanceCPU  Resource = "instance CPU"         // cores
	ResourceServerCPU    Resource = "server CPU"           // cores, of a machine that several parts share
	ResourceStageCPU     Resource = "stage CPU"            // cores, of everything that the stage runs
	ResourceThrottled    Resource = "CPU throttled"        // share of the scheduler's periods
	ResourceMemory       Resource = "instance memory"      // bytes
	ResourcePoolInUse    Resource = "pool in use"          // connections
	ResourcePoolHeld     Resource = "pool held"            // connections, over the whole second, as counted by the pool
	ResourcePoolWait     Resource = "pool wait"            // ms an acquire, mean of the second
	ResourcePoolTimeouts Resource = "pool timeouts"        // acquires given up in the second
	ResourceRoundTrips   Resource = "database round trips" // 1/s, statements and batches of them that instances sent
	ResourceDBConns      Resource = "database connections" // open
	ResourceDBActive     Resource = "database active"      // connections running a statement
	ResourceDBLockWaits  Resource = "database lock waits"  // connections waiting for a lock
	ResourceDBCPU        Resource = "database CPU"         // cores
	ResourceRedisCPU     Resource = "redis CPU"            // cores
	ResourceRedisClients Resource = "redis clients"        // connections
	ResourceProxyCPU     Resource = "proxy CPU"            // cores
	ResourceProxyQueue   Resource = "proxy queue"          // requests at the proxy and not yet at an instance
	ResourceSidecarCPU   Resource = "sidecar CPU"          // cores
	ResourceGeneratorCPU Resource = "generator CPU"
	ResourceMachineCPU   Resource = "machine CPU"   // share of all cores
	ResourceInterruptCPU Resource = "interrupt CPU" // cores, used by the kernel to deliver packets, for the most part
	ResourceForeignCPU   Resource = "foreign CPU"   // cores, used by neither the stage nor the generator
	ResourceInFlight     Resource = "requests in flight"
	ResourceConcurrency  Resource = "concurrency in use" // a function's execution environments, of those reserved
	ResourceThrottles    Resource = "requests throttled" // 1/s, refused because that concurrency was in use
	ResourceFunctionTime Resource = "function time"      // ms an event
	ResourceEventErrors  Resource = "events failed"      // 1/s, of a function

	SeriesP95        Resource = "p95 latency" // ms, of the requests that finished in the second
	SeriesThroughput Resource = "throughput"  // requests finished in the second
	SeriesErrors     Resource = "errors"      // requests failed in the second
)

// Usage summarises one resource over a step.
type Usage struct {
	Resource Resource `json:"resource"`
	Of       string   `json:"of,omitempty"` // which one: "shop-1"
	Unit     string   `json:"unit"`
	Mean     float64  `json:"mean"`
	Max      float64  `json:"max"`
	Limit    *float64 `json:"limit,omitempty"` // where it ends, in the same unit
}

// Series are the seconds of a step, the same index being the same second in each line.
type Series struct {
	StartedAt       time.Time `json:"started_at"`
	IntervalSeconds float64   `json:"interval_seconds"`
	Lines           []Line    `json:"lines"`
}

// Line is one resource over the seconds; nil where it was not measured.
type Line struct {
	Resource Resource   `json:"resource"`
	Of       string     `json:"of,omitempty"`
	Unit     string     `json:"unit"`
	Limit    *float64   `json:"limit,omitempty"`
	Values   []*float64 `json:"values"`
}
