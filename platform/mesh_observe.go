package platform

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// observers installs Prometheus, Kiali and Grafana, and Meshery if asked for. They are reached by
// kubectl port-forward and in no other way: Kiali and Grafana ask nobody who they are.
func (m *ServiceMesh) observers(ctx *pulumi.Context, istiod []pulumi.Resource) error {
	charts, err := m.observerCharts()
	if err != nil {
		return err
	}
	for _, name := range names(charts) {
		if _, err := m.release(ctx, name, charts[name], istiod...); err != nil {
			return err
		}
	}
	if !m.args.Config.Meshery {
		return nil
	}
	namespace, err := m.namespace(ctx, "meshery", "meshery", nil)
	if err != nil {
		return err
	}
	_, err = m.release(ctx, "meshery-server", chart{source: sources["meshery-server"], namespace: "meshery"}, namespace)
	return err
}

func (m *ServiceMesh) observerCharts() (map[string]chart, error) {
	dashboard, err := m.shopDashboard()
	if err != nil {
		return nil, err
	}
	noSidecar, off := values{"sidecar.istio.io/inject": "false"}, values{"enabled": false}
	return map[string]chart{
		"prometheus": {sources["prometheus"], istioNamespace, values{
			"alertmanager": off, "prometheus-pushgateway": off, "kube-state-metrics": off, "prometheus-node-exporter": off,
			"server": values{
				"fullnameOverride": "prometheus", "podLabels": noSidecar, "persistentVolume": off, "retention": "2d",
				"service": values{"servicePort": 9090}, "global": values{"scrape_interval": "15s"},
				"resources": values{"requests": observerRoom["prometheus"].requests()},
			},
		}},
		"kiali": {sources["kiali"], istioNamespace, values{
			"auth": values{"strategy": m.kialiLogin()},
			"deployment": values{
				"pod_labels": noSidecar, "ingress_enabled": false, "view_only_mode": true,
				"network_policy": off, "resources": values{"requests": observerRoom["kiali"].requests()},
			},
			"external_services": values{"tracing": off, "grafana": off, "prometheus": values{"url": prometheusURL}},
		}},
		"grafana": {sources["grafana"], istioNamespace, values{
			"testFramework": off, "podLabels": noSidecar, "resources": values{"requests": observerRoom["grafana"].requests()},
			"rbac": values{"create": false},
			"grafana.ini": values{
				"auth.anonymous": values{"enabled": true, "org_role": "Viewer"},
				"security":       values{"disable_initial_admin_creation": true},
			},
			"datasources": values{"datasources.yaml": values{"apiVersion": 1, "datasources": list(values{
				"name": "Prometheus", "uid": "prometheus", "type": "prometheus", "url": prometheusURL, "access": "proxy",
				"isDefault": true,
			})}},
			"dashboardProviders": values{"dashboardproviders.yaml": values{"apiVersion": 1, "providers": list(values{
				"name": "shop", "type": "file", "options": values{"path": "/var/lib/grafana/dashboards/shop"},
			})}},
			"dashboards": values{"shop": values{"shop": values{"json": dashboard}}},
		}},
	}, nil
}

// kialiLogin is how Kiali knows people. Nobody but the operator reaches a cluster of ours; on another it asks for a
// token of Kubernetes.
func (m *ServiceMesh) kialiLogin() string {
	if m.args.given() {
		return "token"
	}
	return "anonymous"
}

// prometheusURL is where the observers find the numbers.
const prometheusURL = "http://prometheus." + istioNamespace + ":9090"

// shopDashboard is what Grafana shows of the shop as its sidecars see it.
func (m *ServiceMesh) shopDashboard() (string, error) {
	of := `{reporter="destination",destination_workload="` + shopName + `",destination_workload_namespace="` + m.place +
		`"}`
	var panels []any
	for i, p := range []struct{ title, unit, query string }{
		{"Requests a second by pod", "reqps", `sum by (pod) (rate(istio_requests_total` + of + `[1m]))`},
		{
			"Latency, 99th percentile", "ms",
			`histogram_quantile(0.99, sum by (le) (rate(istio_request_duration_milliseconds_bucket` + of + `[1m])))`,
		},
		{"Answers by status", "reqps", `sum by (response_code) (rate(istio_requests_total` + of + `[1m]))`},
	} {
		panels = append(panels, values{
			"id": i + 1, "title": p.title, "type": "timeseries", "gridPos": values{"x": 8 * i, "y": 0, "w": 8, "h": 9},
			"datasource":  values{"type": "prometheus", "uid": "prometheus"},
			"fieldConfig": values{"defaults": values{"unit": p.unit}, "overrides": list()},
			"targets":     list(values{"refId": "A", "expr": p.query}),
		})
	}
	text, err := json.Marshal(values{
		"title": "Shop", "uid": "shop", "schemaVersion": 39, "refresh": "15s", "time": values{"from": "now-30m", "to": "now"},
		"panels": panels,
	})
	if err != nil {
		return "", fmt.Errorf("write Grafana's dashboard: %w", err)
	}
	return string(text), nil
}
