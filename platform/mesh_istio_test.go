package platform

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	meshconfig "istio.io/api/mesh/v1alpha1"
	"sigs.k8s.io/yaml"

	"shoplab/contract"

	"shoplab/stack"
)

// istioModule is the Go module with the charts of Istio 1.31.
const istioModule = "istio.io/istio@v0.0.0-20260827124520-eed52ebb66ad"

// istioChart is the folder of a release's chart in the module cache.
func istioChart(t *testing.T, release string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{
		"istio-base": "base", "istiod": "istio-control/istio-discovery", gatewayRelease: "gateway",
	}
	folder := filepath.Join(strings.TrimSpace(string(out)), istioModule, "manifests/charts", folders[release])
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("no charts: go mod download %s", istioModule)
	}
	return folder
}

// aGiven is stage 4 on a cluster that is not ours.
var aGiven = ServiceMeshArgs{
	Config: Config{stack.Config{Stack: "stage4", Kubeconfig: aKubeconfig, Istio: contract.IstioInstall, NodePort: 30080}},
}

// TestChartValues holds what we set against what the charts know: Helm itself takes a mistyped value
// without a word.
func TestChartValues(t *testing.T) {
	for release, c := range newMesh("mesh", aGiven).istioCharts() {
		text, err := os.ReadFile(filepath.Join(istioChart(t, release), "values.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var file map[string]values
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		for _, key := range unknown(c.values, file["_internal_defaults_do_not_set"], "") {
			t.Errorf("%s: the chart has no value %s", release, key)
		}
		if config, ok := c.values["meshConfig"]; ok {
			text, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			if err := protojson.Unmarshal(text, new(meshconfig.MeshConfig)); err != nil {
				t.Errorf("%s: meshConfig: %v", release, err)
			}
		}
	}
	if got := unknown(values{"a": values{"b": 1}}, values{"a": values{"c": 1}}, ""); !slices.Equal(got, []string{".a.b"}) {
		t.Errorf("a mistyped value is not seen: %v", got)
	}
}

// unknown lists the keys of given that known lacks. What the chart leaves empty may hold anything, labels too, and
// meshConfig is a type of its own.
func unknown(given, known values, path string) []string {
	var all []string
	for key, value := range given {
		standard, ok := known[key]
		if !ok {
			all = append(all, path+"."+key)
			continue
		}
		deeper, isMap := value.(values)
		if defaults, also := standard.(values); isMap && also && len(defaults) > 0 && key != "meshConfig" && key != "labels" {
			all = append(all, unknown(deeper, defaults, path+"."+key)...)
		}
	}
	return all
}

// A gateway on each node of several, and none that a rollout moves away.
func TestGatewaysOnEveryNode(t *testing.T) {
	several := aGiven
	several.Nodes = 3
	charts := newMesh("mesh", several).istioCharts()
	out := rendered(t, gatewayRelease, istioChart(t, gatewayRelease), charts[gatewayRelease])
	for _, line := range []string{"replicas: 3", "node-role.kubernetes.io/control-plane", "- pod-template-hash"} {
		if !bytes.Contains(out, []byte(line)) {
			t.Errorf("no %q in what the chart renders", line)
		}
	}
}

// TestChartsRender renders the charts with our values and looks for them in what comes out.
func TestChartsRender(t *testing.T) {
	want := map[string][]string{
		"istio-base":   {"kind: ValidatingWebhookConfiguration"},
		"istiod":       {"memory: 256Mi", "holdApplicationUntilProxyStarts: true"},
		gatewayRelease: {"type: NodePort", "nodePort: 30080", `externalTrafficPolicy: "Local"`, "istio: shop-stage4-ingress"},
	}
	for release, c := range newMesh("mesh", aGiven).istioCharts() {
		out := rendered(t, release, istioChart(t, release), c)
		for _, line := range want[release] {
			if !bytes.Contains(out, []byte(line)) {
				t.Errorf("%s: no %q in what the chart renders", release, line)
			}
		}
	}
}
