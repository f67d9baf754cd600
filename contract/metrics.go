package contract

// MetricsNamespace is the prefix of the names of the service's own metrics, before an underscore.
const MetricsNamespace = "shoplab"

// Names, without MetricsNamespace, of the service's metrics that the laboratory reads. `service/metrics.go` and
// `service/api/server.go` list them all.
const (
	MetricInFlight          = "http_requests_in_flight"
	MetricPoolAcquired      = "db_pool_acquired"
	MetricPoolMax           = "db_pool_max"
	MetricPoolAcquires      = "db_pool_acquires_total"
	MetricPoolWaitSeconds   = "db_pool_empty_acquire_wait_seconds_total"
	MetricPoolCanceledWaits = "db_pool_canceled_acquires_total"
	MetricPoolHeldSeconds   = "db_pool_held_seconds_total"
	MetricRoundTrips        = "db_round_trips_total"
)

// Metric is the full name under which a metric is served.
func Metric(name string) string { return MetricsNamespace + "_" + name }
