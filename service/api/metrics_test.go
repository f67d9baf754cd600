package api

import (
	"testing"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
)

// Fiber hands out strings whose memory the next request overwrites. A label made of one would turn
// into another method's, and every scrape would then fail.
func TestLabelsOutliveTheirRequest(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	buffer := []byte("GET")
	method := unsafe.String(&buffer[0], len(buffer))
	m.request("/api/products", method, 200, time.Millisecond)
	copy(buffer, "PUT")
	m.request("/api/products", method, 200, time.Millisecond)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	methods := map[string]bool{}
	for _, f := range families {
		if f.GetName() != "shoplab_http_request_duration_seconds" {
			continue
		}
		for _, series := range f.GetMetric() {
			for _, label := range series.GetLabel() {
				if label.GetName() == "method" {
					methods[label.GetValue()] = true
				}
			}
		}
	}
	if len(methods) != 2 || !methods["GET"] || !methods["PUT"] {
		t.Errorf("methods %v, want GET and PUT", methods)
	}
}
