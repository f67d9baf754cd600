package platform

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// observerChart is the folder of a chart in SHOPLAB_CHARTS, unpacked and of the pinned version.
func observerChart(t *testing.T, c chart) string {
	t.Helper()
	folder := filepath.Join(os.Getenv("SHOPLAB_CHARTS"), c.name)
	text, err := os.ReadFile(filepath.Join(folder, "Chart.yaml"))
	if err != nil || os.Getenv("SHOPLAB_CHARTS") == "" {
		t.Skipf("no chart: helm pull %s --repo %s --version %s --untar --untardir DIR, then set SHOPLAB_CHARTS=DIR", c.name,
			c.repository, c.version)
	}
	var about struct{ Version string }
	if err := sigsyaml.Unmarshal(text, &about); err != nil {
		t.Fatal(err)
	}
	if about.Version != c.version {
		t.Fatalf("%s is of version %s, pinned is %s", folder, about.Version, c.version)
	}
	return folder
}

// rendered is what helm makes of a chart with our values.
func rendered(t *testing.T, release, folder string, c chart) []byte {
	t.Helper()
	helm, err := exec.LookPath("helm")
	if err != nil {
		t.Skip("no helm: go install helm.sh/helm/v4/cmd/helm@v4.2.0")
	}
	text, err := sigsyaml.Marshal(c.values)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), helm, "template", release, folder, "--namespace", c.namespace,
		"--values", file)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", release, err, complaints.String())
	}
	return out
}

// TestObserversRender renders Prometheus, Kiali and Grafana and looks for the effect of every value
// that we set.
func TestObserversRender(t *testing.T) {
	charts, err := newMesh("mesh", ServiceMeshArgs{}).observerCharts()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"prometheus": {
			"--storage.tsdb.retention.time=2d", "scrape_interval: 15s", "port: 9090", "memory: 256Mi", "cpu: 50m", "emptyDir:",
			"name: prometheus\n",
			// What injection puts on the shop's pods: port 15020, outside of mutual TLS.
			"__meta_kubernetes_pod_annotation_prometheus_io_scrape", "__meta_kubernetes_pod_annotation_prometheus_io_port",
		},
		"kiali": {
			"strategy: anonymous", "view_only_mode: true", "url: " + prometheusURL, "cpu: 10m", "memory: 64Mi",
			"grafana:\n        enabled: false", "tracing:\n        enabled: false",
		},
		"grafana": {
			"[auth.anonymous]\n    enabled = true\n    org_role = Viewer", "[security]\n    disable_initial_admin_creation = " +
				"true",
			"url: " + prometheusURL, "uid: prometheus", "path: /var/lib/grafana/dashboards/shop", "istio_requests_total",
			"memory: 96Mi", "cpu: 10m",
		},
	}
	avoid := map[string][]string{
		"prometheus": {"alertmanager.yml", "node-exporter:", "kube-state-metrics:", "PersistentVolumeClaim"},
		"kiali":      {"kind: Ingress", "kind: NetworkPolicy", "resources: [\"pods\"]\n  verbs: [\"delete\"]"},
		"grafana":    {"kind: Pod\n", "kind: Role", "kind: ClusterRole"},
	}
	for release, c := range charts {
		t.Run(release, func(t *testing.T) {
			out := rendered(t, release, observerChart(t, c), c)
			for _, text := range want[release] {
				if !bytes.Contains(out, []byte(text)) {
					t.Errorf("no %q in what the chart renders", text)
				}
			}
			for _, text := range avoid[release] {
				if bytes.Contains(out, []byte(text)) {
					t.Errorf("%q is in what the chart renders", text)
				}
			}
			if err := private(out); err != nil {
				t.Error(err)
			}
		})
	}
	given, err := newMesh("mesh", aGiven).observerCharts()
	if err != nil {
		t.Fatal(err)
	}
	if auth := given["kiali"].values["auth"].(values)["strategy"]; auth != "token" {
		t.Errorf("on a cluster that is not ours Kiali asks for %v", auth)
	}
	public := "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {type: NodePort}\n"
	if err := private([]byte(public)); err == nil {
		t.Error("a public Service is not seen")
	}
}

// TestObserverValuesCount takes away one value after the other: what renders must change, or the
// value is mistyped. Helm itself takes one without a word. Kiali's chart copies every value into its
// ConfigMap, so there this finds nothing.
func TestObserverValuesCount(t *testing.T) {
	if testing.Short() {
		t.Skip("renders each chart some dozen times: not with -short")
	}
	charts, err := newMesh("mesh", aGiven).observerCharts()
	if err != nil {
		t.Fatal(err)
	}
	for release, c := range charts {
		t.Run(release, func(t *testing.T) {
			folder := observerChart(t, c)
			for _, path := range idle(t, release, folder, c, c.values, "") {
				// Kiali's requests are what its chart would set anyhow.
				if !strings.HasPrefix(path, ".deployment.resources.requests.") {
					t.Errorf("%s has no effect", path)
				}
			}
			if release != "kiali" {
				c.values["mistyped"] = true
				if got := idle(t, release, folder, c, c.values, ""); len(got) != 1 || got[0] != ".mistyped" {
					t.Errorf("a mistyped value is not seen: %v", got)
				}
			}
		})
	}
}

// generated is what differs each time that a chart is rendered.
var generated = regexp.MustCompile(`(?m)^.*(admin-password:|checksum/|signing_key:).*$`)

// idle lists the values below some whose absence changes nothing.
func idle(t *testing.T, release, folder string, c chart, some values, path string) (all []string) {
	t.Helper()
	render := func() string { return generated.ReplaceAllString(string(rendered(t, release, folder, c)), "") }
	full := render()
	for _, key := range names(some) {
		value := some[key]
		if deeper, ok := value.(values); ok && len(deeper) > 0 {
			all = append(all, idle(t, release, folder, c, deeper, path+"."+key)...)
			continue
		}
		delete(some, key)
		if render() == full {
			all = append(all, path+"."+key)
		}
		some[key] = value
	}
	return all
}

// eachObject decodes a rendered chart strictly, as far as it is of the kinds that run or serve.
func eachObject(text []byte, visit func(kind string, object any)) error {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		one, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a rendered chart: %w", err)
		}
		var head struct{ Kind string }
		if err := sigsyaml.Unmarshal(one, &head); err != nil {
			return fmt.Errorf("decode a rendered object: %w", err)
		}
		create, ok := map[string]func() any{
			"Deployment": func() any { return new(appsv1.Deployment) }, "Service": func() any { return new(corev1.Service) },
			"ConfigMap": func() any { return new(corev1.ConfigMap) }, "Secret": func() any { return new(corev1.Secret) },
		}[head.Kind]
		if !ok {
			visit(head.Kind, nil)
			continue
		}
		object := create()
		if err := sigsyaml.UnmarshalStrict(one, object); err != nil {
			return fmt.Errorf("decode a %s: %w", head.Kind, err)
		}
		visit(head.Kind, object)
	}
}

// private is an error if anything is reachable from outside the cluster, if Grafana has its default
// password, or if a container says nothing of what it needs.
func private(text []byte) error {
	var problems []error
	err := eachObject(text, func(_ string, o any) {
		switch o := o.(type) {
		case *corev1.Service:
			if o.Spec.Type != "" && o.Spec.Type != corev1.ServiceTypeClusterIP {
				problems = append(problems, fmt.Errorf("the Service %s is a %s", o.Name, o.Spec.Type))
			}
		case *corev1.Secret:
			if string(o.Data["admin-password"]) == "admin" {
				problems = append(problems, fmt.Errorf("the Secret %s holds the default password", o.Name))
			}
		case *appsv1.Deployment:
			if o.Spec.Template.Labels["sidecar.istio.io/inject"] != "false" {
				problems = append(problems, fmt.Errorf("%s gets a sidecar", o.Name))
			}
		}
	})
	return errors.Join(append(problems, err)...)
}

// TestObserversFit adds up what everything on the node asks for: it is one t4g.large.
func TestObserversFit(t *testing.T) {
	observers, err := newMesh("mesh", aGiven).observerCharts()
	if err != nil {
		t.Fatal(err)
	}
	var cpu, memory resource.Quantity
	add := func(asks corev1.ResourceList, times int64) {
		one, more := asks.Cpu().DeepCopy(), asks.Memory().DeepCopy()
		one.Mul(times)
		more.Mul(times)
		cpu.Add(one)
		memory.Add(more)
	}
	render := func(release, folder string, c chart) {
		if err := eachObject(rendered(t, release, folder, c), func(_ string, o any) {
			if d, ok := o.(*appsv1.Deployment); ok {
				for _, container := range d.Spec.Template.Spec.Containers {
					add(container.Resources.Requests, 1)
				}
			}
		}); err != nil {
			t.Error(err)
		}
	}
	for release, c := range observers {
		render(release, observerChart(t, c), c)
	}
	for release, c := range (&ServiceMesh{}).istioCharts() {
		render(release, istioChart(t, release), c)
	}
	var shop appsv1.Deployment
	decode(t, meshes(t)["own"], "Deployment", &shop)
	sidecar := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi"),
	}
	// Two pods, and a third during a deploy.
	add(shop.Spec.Template.Spec.Containers[0].Resources.Requests, 3)
	add(sidecar, 3)
	t.Logf("requests: %s CPU, %s memory", cpu.String(), memory.String())
	// Of 2 vCPU and 8 GiB, a quarter is left to k3s, its own pods and Debian.
	if cpu.MilliValue() < 500 || cpu.MilliValue() > 1500 || memory.Value() > 6<<30 {
		t.Errorf("everything asks for %s CPU and %s memory", cpu.String(), memory.String())
	}
}
