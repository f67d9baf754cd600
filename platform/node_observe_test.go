package platform

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// bedPrometheus are values for the bed alone: an image made of this machine's Prometheus, and nobody to reload it.
const bedPrometheus = `server: {image: {repository: docker.io/shoplab/prometheus, tag: "1"}}
configmapReload: {prometheus: {enabled: false}}
`

// addPrometheus puts Prometheus' chart into a folder of charts and an image of it into the node, where this machine has
// both and somebody looks at it; scrapes says what is missing.
func (n *node) addPrometheus(t *testing.T, charts string) {
	t.Helper()
	folder := filepath.Join(os.Getenv("SHOPLAB_CHARTS"), "prometheus")
	_, missing := os.Stat(filepath.Join(folder, "Chart.yaml"))
	program, err := exec.LookPath("prometheus")
	if os.Getenv("SHOPLAB_NODE") != "long" || missing != nil || err != nil {
		return
	}
	dir := t.TempDir()
	n.sh(t, filepath.Join(nodePrograms(t), "helm"), "package", folder, "--destination", dir)
	packed, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(packed) != 1 {
		t.Fatalf("helm packed %v: %v", packed, err)
	}
	if err := os.Rename(packed[0], filepath.Join(charts, "prometheus.tgz")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(charts, "prometheus.values.yaml"), []byte(bedPrometheus), 0o600); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(dir, "image.tar")
	args := []string{
		"image", "--name", "docker.io/shoplab/prometheus:1", "-o", image, "--entrypoint", "/bin/prometheus",
		"--file", "/bin/prometheus=" + program,
	}
	libraries := `kit=$0 && . "$kit/lib.sh" && closure "$1"`
	for library := range strings.Lines(n.sh(t, "bash", "-c", libraries, filepath.Dir(n.kit), program)) {
		library = strings.TrimSpace(library)
		args = append(args, "--file", library+"="+library)
	}
	n.sh(t, n.kit, args...)
	n.sh(t, n.kit, "load", "--dir", n.dir, image)
}

// scrapes wants Prometheus, installed by the stage with our values, to have the numbers of the shop, of every sidecar
// and of istiod.
func (n *node) scrapes(t *testing.T) {
	c, err := newMesh("mesh", aGiven).observerCharts()
	if err != nil {
		t.Fatal(err)
	}
	observerChart(t, c["prometheus"])
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skipf("%v: github.com/prometheus/prometheus/releases has it; Debian's cannot discover pods", err)
	}
	of := func(namespace string) string { return `{job="kubernetes-pods",namespace="` + namespace + `"}` }
	shops := n.pods(t, nodeShop, "app=shop")
	data := append(n.pods(t, nodeShop, "app=database"), n.pods(t, nodeShop, "app=cache")...)
	for _, q := range []struct {
		metric, namespace string
		pods              []string
	}{
		{"up", nodeShop, append(data, shops...)},
		{"shoplab_http_request_duration_seconds_count", nodeShop, shops}, // the shop's own, through its sidecar's agent
		{"envoy_server_uptime", nodeShop, append(data, shops...)},
		{"envoy_server_uptime", nodeIngress, n.pods(t, nodeIngress, "istio="+nodeIngress)},
		{"pilot_xds", istioNamespace, n.pods(t, istioNamespace, "app=istiod")},
	} {
		query := "sum by (pod) (" + q.metric + of(q.namespace) + ")"
		n.await(t, query+" is there of each pod", func() bool {
			values := n.query(t, query)
			for _, pod := range q.pods {
				if values[pod] < 1 {
					return false
				}
			}
			return len(q.pods) > 0
		})
		t.Logf("%s: %v", query, n.query(t, query))
	}
	t.Logf("istio_requests_total, which Istio's own Envoy counts: %v", n.query(t, "sum by (pod) (istio_requests_total)"))
}

// query asks Prometheus in the cluster, and returns values by pod; none while it does not answer.
func (n *node) query(t *testing.T, query string) map[string]float64 {
	t.Helper()
	out, err := n.run(t, nil, "get", "--raw", "/api/v1/namespaces/"+istioNamespace+
		"/services/prometheus:9090/proxy/api/v1/query?query="+url.QueryEscape(query))
	if err != nil {
		return nil
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric struct{ Pod string }
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	values := map[string]float64{}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if values[r.Metric.Pod], err = strconv.ParseFloat(text, 64); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return values
}
