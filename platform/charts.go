package platform

// source is where Helm finds a chart. Without a version it is the newest one, and up does not wait for its pods.
type source struct {
	name, repository, version string
}

// chart is a release of a source: its namespace and its values.
type chart struct {
	source
	namespace string
	values    values
}

const (
	// istioCharts has every version. The buckets at Google have none from 1.31 on, and lose the older ones in
	// December 2026 (istio.io/latest/blog/2026/retirement-of-gcp).
	istioCharts  = "https://blob.istio.io/istio-release/charts"
	istioVersion = "1.31.1"
)

// Every chart that stage 4 installs, by the release's name. The versions of Prometheus, Kiali and Grafana are those of
// Istio 1.31's own samples (manifests/addons/gen.sh).
var sources = map[string]source{
	"istio-base":   {"base", istioCharts, istioVersion},
	"istiod":       {"istiod", istioCharts, istioVersion},
	gatewayRelease: {"gateway", istioCharts, istioVersion},
	"prometheus":   {"prometheus", "https://prometheus-community.github.io/helm-charts", "28.13.0"},
	"kiali":        {"kiali-server", "https://kiali.org/helm-charts", "2.27.0"},
	// Grafana's own repository is frozen since January 2026 (grafana/helm-charts#4087).
	"grafana": {"grafana", "https://grafana-community.github.io/helm-charts", "9.2.2"},
	// Meshery publishes a chart with each of its many releases; a preview says that this one is not pinned.
	"meshery-server": {"meshery", "https://meshery.io/charts", ""},
}
