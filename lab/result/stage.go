package result

import "shoplab/lab/cost"

// Stage is everything measured of one stage, in the order in which it happened.
type Stage struct {
	Name     string   `json:"name"`     // "stage1"; the host for a load on a URL
	Topology string   `json:"topology"` // single, balanced, fargate, mesh
	URL      string   `json:"url,omitempty"`
	Labels   []string `json:"labels,omitempty"`
	// StandIns names the parts that were replaced, such as "envoy"; figures are then LabelStandIn.
	StandIns []string `json:"stand_ins,omitempty"`
	// Notes are facts about this measurement that a reader needs, one sentence each.
	Notes []string `json:"notes,omitempty"`
	// Error says why the stage was given up; what was measured until then is kept.
	Error string `json:"error,omitempty"`

	Config     Config      `json:"config"`
	Complexity *Complexity `json:"complexity,omitempty"`

	// Cost is the estimate of the stage's resource graph at the settings' volume, and CostCurve the
	// same over many volumes; nil where there was no graph to price.
	Cost      *cost.Estimate `json:"cost,omitempty"`
	CostCurve []cost.Point   `json:"cost_curve,omitempty"`
	// Failures say what the stage survives, from the same graph; empty where there was none.
	Failures []Failure `json:"failures,omitempty"`

	BringUpSeconds  *float64 `json:"bring_up_seconds,omitempty"`  // until the first request was served
	TearDownSeconds *float64 `json:"tear_down_seconds,omitempty"` // until nothing was left

	// Levels holds one entry for each declared number of users.
	Levels        []Level        `json:"levels,omitempty"`
	BreakingPoint *BreakingPoint `json:"breaking_point,omitempty"`
	OpenLoop      *OpenLoop      `json:"open_loop,omitempty"`
	// AtFailure is the first whole step that missed the objective, with its series.
	AtFailure *Step    `json:"at_failure,omitempty"`
	Verdict   *Verdict `json:"verdict,omitempty"`
	USL       *USL     `json:"usl,omitempty"`
	// Twins are changed stages that were measured to hold a forecast against; none of their steps is in Steps.
	Twins      []Twin      `json:"twins,omitempty"`
	Validity   *Validity   `json:"validity,omitempty"`
	Invariants []Invariant `json:"invariants,omitempty"`
	// Steps holds every step, including those of the searches and the proof, without series.
	Steps []Step `json:"steps,omitempty"`
}

// Config is what shapes a stage's capacity, as read from Pulumi.stageN.yaml (local) or from the
// stack's outputs (aws). A nil field does not apply to the stage or could not be read.
type Config struct {
	Region              string   `json:"region,omitempty"`
	InstanceType        string   `json:"instance_type,omitempty"`
	DatabaseClass       string   `json:"database_class,omitempty"`
	CacheNodeType       string   `json:"cache_node_type,omitempty"`
	Instances           *int     `json:"instances,omitempty"`
	MaxInstances        *int     `json:"max_instances,omitempty"`
	CPUUnits            *int     `json:"cpu_units,omitempty"` // of one instance, 1024 = 1 vCPU
	MemoryMiB           *int     `json:"memory_mib,omitempty"`
	PoolPerInstance     *int     `json:"pool_per_instance,omitempty"`
	DatabaseConnections *int     `json:"database_connections,omitempty"`
	HealthCheckSeconds  *float64 `json:"health_check_seconds,omitempty"`
	HealthCheckPath     string   `json:"health_check_path,omitempty"`
	LoadBalancer        string   `json:"load_balancer,omitempty"` // what really balanced
	PoolerMode          string   `json:"pooler_mode,omitempty"`
	// StageCPUs is what all machines of the stage have together on AWS, those of the database and the cache
	// included; GivenCPUs is how many CPUs of this machine the stage could use.
	StageCPUs            *float64 `json:"stage_cpus,omitempty"`
	GivenCPUs            *float64 `json:"given_cpus,omitempty"`
	EffectiveCPULimit    *float64 `json:"effective_cpu_limit,omitempty"` // CPUs of one instance, as enforced
	EffectiveMemoryBytes *int64   `json:"effective_memory_bytes,omitempty"`
}

// Complexity counts what a stage costs its operators. Nothing in it is guessed.
type Complexity struct {
	Resources     *int `json:"resources,omitempty"`      // in the stage's resource graph
	ResourceTypes *int `json:"resource_types,omitempty"` // different ones
	StageLines    *int `json:"stage_lines,omitempty"`    // of the stage's own code
	ConfigLines   *int `json:"config_lines,omitempty"`   // of Pulumi.stageN.yaml, without comments
	Commands      *int `json:"commands,omitempty"`       // to bring it up
	// CommandsRun are those commands.
	CommandsRun []string `json:"commands_run,omitempty"`
	Processes   *int     `json:"processes,omitempty"` // of the twin, a database counted as one
}

// Twin is a stage with one change, held at one load, and searched for its breaking point.
type Twin struct {
	Knob         string   `json:"knob"` // "CPUs of this machine for the stage"
	From         string   `json:"from"`
	To           string   `json:"to"`
	Config       Config   `json:"config"` // as changed
	DatabaseCPUs *float64 `json:"database_cpus,omitempty"`
	Step         Step     `json:"step"`
	Search       *Search  `json:"search,omitempty"`
}

// Level is one declared number of users, measured several times.
type Level struct {
	Users int `json:"users"`
	// Median is the step whose p95 is the median of the repeats; AllP95MS are all of them.
	Median   Step      `json:"median"`
	AllP95MS []float64 `json:"all_p95_ms"`
}

// BreakingPoint is the smallest number of concurrent users at which the objective was missed for a
// whole step.
type BreakingPoint struct {
	// MedianUsers, LowUsers and HighUsers are over the repeats that found one; nil if none did.
	MedianUsers *float64 `json:"median_users,omitempty"`
	LowUsers    *int     `json:"low_users,omitempty"`
	HighUsers   *int     `json:"high_users,omitempty"`
	// Interpolated is over all probes of all searches, with its 95% interval by bootstrap.
	Interpolated *Interval `json:"interpolated,omitempty"`
	// NotReachedUpTo is set when a search ended at its bound with the objective still kept.
	NotReachedUpTo *int     `json:"not_reached_up_to,omitempty"`
	Searches       []Search `json:"searches"`
}

// Search is one repeat of a search for the breaking point or the highest rate.
type Search struct {
	// LastGood and FirstBad bracket the answer; nil when there was none: a search that missed the
	// objective at its lowest level has no LastGood, one that reached its bound no FirstBad.
	LastGood *float64 `json:"last_good,omitempty"`
	FirstBad *float64 `json:"first_bad,omitempty"`
	// Probes are the levels that were tried, in order.
	Probes []Probe `json:"probes"`
}

// Probe is one level that a search tried.
type Probe struct {
	Level      float64  `json:"level"` // users, or requests per second
	Kept       bool     `json:"kept"`  // the objective
	P95MS      *float64 `json:"p95_ms,omitempty"`
	ErrorRatio float64  `json:"error_ratio"`
	Throughput float64  `json:"throughput_per_second"`
}

// OpenLoop is the highest constant arrival rate that kept the objective, latency being counted from
// the moment a request was due, not from when it was sent.
type OpenLoop struct {
	RatePerSecond *float64 `json:"rate_per_second,omitempty"` // median; nil if no rate kept it
	LowRate       *float64 `json:"low_rate_per_second,omitempty"`
	HighRate      *float64 `json:"high_rate_per_second,omitempty"`
	// Interpolated is over all probes of all searches, with its 95% interval by bootstrap.
	Interpolated *Interval `json:"interpolated_per_second,omitempty"`
	// NotReachedUpTo is set when the objective was still kept at the bound.
	NotReachedUpTo *float64 `json:"not_reached_up_to_per_second,omitempty"`
	AtRate         *Step    `json:"at_rate,omitempty"` // the step at the highest good rate
	Searches       []Search `json:"searches"`
}

// Validity says whether the figures may be used. A stage that is not valid is INVALID in a report,
// not a number.
type Validity struct {
	Valid   bool     `json:"valid"`
	Reasons []string `json:"reasons,omitempty"` // why not
	Gates   []Gate   `json:"gates"`
}

// Gate is one condition of validity.
type Gate struct {
	Name   string   `json:"name"`
	Value  *float64 `json:"value,omitempty"` // the worst one seen; nil: not measured
	Limit  float64  `json:"limit"`
	Unit   string   `json:"unit"`
	Passed bool     `json:"passed"`
	Reason string   `json:"reason,omitempty"`
}

// InvariantStatus is what a check of an invariant came to.
type InvariantStatus string

// The outcomes of a check.
const (
	InvariantHeld       InvariantStatus = "held"
	InvariantViolated   InvariantStatus = "violated"
	InvariantNotChecked InvariantStatus = "not checked"
)

// Invariant is something that must be true of the shop at every moment, under load too.
type Invariant struct {
	Name   string          `json:"name"`
	Rule   string          `json:"rule"`
	Status InvariantStatus `json:"status"`
	Detail string          `json:"detail"` // counts, or why it was not checked
}

// Invalid says that the validity gate failed the measurement.
func (s Stage) Invalid() bool { return s.Validity != nil && !s.Validity.Valid }

// CostOption is the stage for a comparison of costs: its resource graph, and the rate that it was
// measured to carry, unless the measurement is INVALID.
func (s Stage) CostOption(g cost.Graph) cost.Option {
	o := cost.Option{Name: s.Name, Graph: g}
	if s.Invalid() {
		return o
	}
	if open := s.OpenLoop; open != nil && open.RatePerSecond != nil {
		o.MaxRate = *open.RatePerSecond
		if open.AtRate != nil {
			o.SuccessRate = 1 - open.AtRate.ErrorRatio
		}
	}
	return o
}
