package result

// Cause is the resource that gave out.
type Cause string

// The causes that a verdict can name.
const (
	CausePool      Cause = "connection pool"
	CauseDatabase  Cause = "database"
	CauseDBConns   Cause = "database connections"
	CauseCPU       Cause = "CPU quota"
	CauseMemory    Cause = "memory"
	CauseProxy     Cause = "proxy"
	CauseRedis     Cause = "redis"
	CauseHashing   Cause = "password hashing"
	CauseMachine   Cause = "machine CPU" // all that the machine that runs everything gives the stage
	CauseGenerator Cause = "generator"
	CauseUnknown   Cause = "unknown"

	CauseConcurrency Cause = "reserved concurrency" // of a function
)

// Verdict names the resource that gave out at the breaking point, and proves it.
type Verdict struct {
	Cause    Cause  `json:"cause"`
	Summary  string `json:"summary"` // one sentence
	Evidence []Fact `json:"evidence"`
	// Suspects are all causes that were weighed, the likeliest first.
	Suspects []Suspect `json:"suspects"`
	Proof    *Proof    `json:"proof,omitempty"` // nil: not proved, and NotProved says why
	// Trials are all turns of a knob, the proof and a control among them.
	Trials []Proof `json:"trials,omitempty"`
	// NotProved says why there is no proof.
	NotProved string `json:"not_proved,omitempty"`
}

// Fact is one measured thing that a verdict rests on.
type Fact struct {
	Text  string   `json:"text"`
	Value *float64 `json:"value,omitempty"`
	Limit *float64 `json:"limit,omitempty"`
	Unit  string   `json:"unit,omitempty"`
}

// Suspect is a cause with how close to its end its resource was.
type Suspect struct {
	Cause Cause `json:"cause"`
	// Pressure is use over limit, or the share of time spent at the limit; 1 is exhausted.
	Pressure float64 `json:"pressure_ratio"`
	Why      string  `json:"why"`
}

// Proof is the experiment that tests a verdict: the same load with one knob turned.
type Proof struct {
	Knob   string `json:"knob"` // "pool per instance"
	From   string `json:"from"`
	To     string `json:"to"`
	Users  int    `json:"users"`
	Before Step   `json:"before"`
	After  Step   `json:"after"`
	// P95Ratio is p95 after over before, ThroughputRatio goodput after over before.
	P95Ratio        *float64 `json:"p95_ratio,omitempty"`
	ThroughputRatio *float64 `json:"throughput_ratio,omitempty"`
	// Elasticity is the change of goodput over the change of the knob, both as logarithms: 1 where goodput
	// follows it, 0 where it does not matter. Nil where the knob has no number.
	Elasticity *float64 `json:"elasticity,omitempty"`
	// Control says that the knob is of a resource with room to spare: turning it should do nothing.
	Control bool `json:"control,omitempty"`
	// Confirmed says that the change helped by more than the noise between repeats.
	Confirmed  bool   `json:"confirmed"`
	Conclusion string `json:"conclusion"`
}

// USL is a fit of Gunther's Universal Scalability Law
//
//	X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1))
//
// (N. J. Gunther, Guerrilla Capacity Planning, Springer 2007, ch. 4-5) to throughput over users.
type USL struct {
	Lambda Interval `json:"lambda"` // requests per second of one user
	Sigma  Interval `json:"sigma"`  // contention
	Kappa  Interval `json:"kappa"`  // coherency
	// Confidence is of the intervals, 0.95.
	Confidence float64 `json:"confidence_ratio"`
	R2         float64 `json:"r2"`
	// KneeUsers is where throughput peaks, sqrt((1-sigma)/kappa); nil when kappa is 0: then it
	// saturates at lambda/sigma and never falls.
	KneeUsers      *float64 `json:"knee_users,omitempty"`
	PeakThroughput *float64 `json:"peak_throughput_per_second,omitempty"`
	// SaturationUsers is N* = (think + response at one user) / bottleneck demand as the fit sees it:
	// 1/sigma, where the straight line of no contention meets the ceiling lambda/sigma.
	SaturationUsers *float64   `json:"saturation_users,omitempty"`
	Points          []USLPoint `json:"points"`
	HeldOut         *HeldOut   `json:"held_out,omitempty"`
	// Note says what to beware of, such as too few points.
	Note string `json:"note,omitempty"`
}

// Interval is an estimate with its confidence interval.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// USLPoint is a measured point; Held points were kept out of the fit.
type USLPoint struct {
	Users      int     `json:"users"`
	Throughput float64 `json:"throughput_per_second"`
	Held       bool    `json:"held,omitempty"`
}

// HeldOut compares the fit with the step that it has not seen.
type HeldOut struct {
	Users      int     `json:"users"`
	Measured   float64 `json:"measured_per_second"`
	Predicted  float64 `json:"predicted_per_second"`
	ErrorRatio float64 `json:"error_ratio"` // (predicted - measured) / measured
}
