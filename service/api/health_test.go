package api

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestReadiness(t *testing.T) {
	var lost atomic.Bool
	var opened Shop
	r := newRig(t, func(_ *Config, sh *Shop) {
		sh.Ready = func(context.Context) error {
			if lost.Load() {
				return errors.New("the database is gone")
			}
			return nil
		}
		opened, *sh = *sh, Shop{}
	})
	steps := []struct {
		name               string
		do                 func()
		ready, api, health int
	}{
		{"starting", func() {}, 503, 503, 200},
		{"open", func() { r.server.Open(opened) }, 200, 200, 200},
		{"without its database", func() { lost.Store(true) }, 503, 200, 200},
		{"with it again", func() { lost.Store(false) }, 200, 200, 200},
		{"draining", r.server.Drain, 503, 200, 200},
	}
	for _, step := range steps {
		step.do()
		for path, want := range map[string]int{
			"/livez": 200, "/": 200, "/readyz": step.ready, "/api/cart": step.api, "/api/products": step.api,
			"/api/health": step.health, "/api/info": 200,
		} {
			if rep := r.do("GET", path, nil); rep.StatusCode != want {
				t.Errorf("%s: %s answers %d, want %d", step.name, path, rep.StatusCode, want)
			}
		}
	}
	if strings.Contains(r.log.String(), `"level":"WARN"`) {
		t.Error("probes fill the log")
	}
}

func TestMetricsAreRegisteredOnce(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m := NewMetrics(r)
	for _, event := range []string{"order_expired", "payment_paid", "refund_settled", "sweep_failed"} {
		m.ObserveCashier(event)
	}
	m.ObserveRedis("hit")
	m.request("/x", "GET", 200, 1)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			for _, l := range metric.GetLabel() {
				got[f.GetName()+" "+l.GetValue()] = metric.GetCounter().GetValue()
			}
			if len(metric.GetLabel()) == 0 {
				got[f.GetName()] = metric.GetCounter().GetValue()
			}
		}
	}
	for _, want := range []string{
		"shoplab_orders_total expired", "shoplab_payments_total paid", "shoplab_payments_total refund_settled",
		"shoplab_sweep_failures_total", "shoplab_catalog_cache_total redis",
	} {
		if got[want] != 1 {
			t.Errorf("%s is %v, want 1", want, got[want])
		}
	}
}
