package api

import (
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"shoplab/contract"
	"shoplab/service/shop"
)

// Metrics counts what the shop does. The package's documentation lists the names.
type Metrics struct {
	duration      *prometheus.HistogramVec
	inFlight      prometheus.Gauge
	catalogCache  *prometheus.CounterVec
	hits, misses  prometheus.Counter // of catalogCache in this process
	orders        *prometheus.CounterVec
	payments      *prometheus.CounterVec
	sweepFailures prometheus.Counter
	limited       *prometheus.CounterVec
	// observers are those of duration that were used, so that a request looks up three labels at once and
	// without a lock: prometheus hashes them one by one.
	observers atomic.Pointer[map[requestLabels]prometheus.Observer]
}

// requestLabels are the labels of duration.
type requestLabels struct {
	route, method string
	status        int
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: contract.MetricsNamespace, Name: name, Help: help},
			labels)
	}
	m := &Metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: contract.MetricsNamespace, Name: "http_request_duration_seconds",
			Help:    "Time from a request's arrival to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: contract.MetricsNamespace, Name: contract.MetricInFlight, Help: "Requests being answered.",
		}),
		catalogCache: counter("catalog_cache_total", "Answers of the catalog by cache layer and result.", "layer", "result"),
		orders:       counter("orders_total", "Orders by what became of them.", "outcome"),
		payments:     counter("payments_total", "Payments and their events by what became of them.", "outcome"),
		limited:      counter("rate_limited_total", "Requests refused by a rate limit.", "limit"),
		sweepFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: contract.MetricsNamespace, Name: "sweep_failures_total", Help: "Rounds of the sweeper that failed.",
		}),
	}
	m.hits, m.misses = m.catalogCache.WithLabelValues("process", "hit"), m.catalogCache.WithLabelValues("process", "miss")
	m.observers.Store(&map[requestLabels]prometheus.Observer{})
	r.MustRegister(m.duration, m.inFlight, m.catalogCache, m.orders, m.payments, m.limited, m.sweepFailures)
	return m
}

// ObserveCashier counts what a shop.Cashier tells.
func (m *Metrics) ObserveCashier(event string) {
	kind, outcome, _ := strings.Cut(event, "_")
	switch {
	case kind == "order":
		m.order(outcome)
	case kind == "payment":
		m.payment(outcome)
	case event == shop.ObservedSweepFailed:
		m.sweepFailures.Inc()
	default:
		m.payment(event)
	}
}

// ObserveRedis counts what the Redis layer of the catalog tells.
func (m *Metrics) ObserveRedis(event string) { m.catalogCache.WithLabelValues("redis", event).Inc() }

func (m *Metrics) order(outcome string)   { m.orders.WithLabelValues(outcome).Inc() }
func (m *Metrics) payment(outcome string) { m.payments.WithLabelValues(outcome).Inc() }

func (m *Metrics) answered(hit bool) {
	if hit {
		m.hits.Inc()
	} else {
		m.misses.Inc()
	}
}

// request counts a request. The route must be one of a few, and the method and the status as well.
func (m *Metrics) request(route, method string, status int, took time.Duration) {
	key := requestLabels{route, method, status}
	observer, ok := (*m.observers.Load())[key]
	if !ok {
		// Fiber reuses the memory of c.Method() for the next request; a label is kept.
		key.method = strings.Clone(method)
		observer = m.duration.WithLabelValues(route, key.method, strconv.Itoa(status))
		m.remember(key, observer)
	}
	observer.Observe(took.Seconds())
}

// remember adds to observers. Another request that does so at once may win: then the label is looked up again.
func (m *Metrics) remember(key requestLabels, observer prometheus.Observer) {
	old := m.observers.Load()
	fresh := maps.Clone(*old)
	fresh[key] = observer
	m.observers.CompareAndSwap(old, &fresh)
}
