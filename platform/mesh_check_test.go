package platform

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// room for stage 4, a default StorageClass, and nothing else.
const (
	someNodes = `{"metadata": {"name": "n1", "labels": {"kubernetes.io/arch": "arm64"}},
		"status": {"allocatable": {"cpu": "2", "memory": "8Gi"}}}`
	someClass = `{"metadata": {"name": "standard",
		"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}`
)

// aCluster answers as an empty cluster does until the test ends. The result is its kubeconfig.
func aCluster(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		items := map[string]string{"nodes": someNodes, "storageclasses": someClass}
		path := strings.Split(r.URL.Path, "/")
		fmt.Fprintf(w, `{"items": [%s]}`, items[path[len(path)-1]])
	}))
	t.Cleanup(server.Close)
	return strings.ReplaceAll(aKubeconfig, "https://192.0.2.1:6443", server.URL)
}

// TestClusterIsChecked: what a cluster cannot have is refused with what to do about it, all at once.
func TestClusterIsChecked(t *testing.T) {
	const gib4 = `"memory": "4Gi"`
	istio := `{"metadata": {"name": "istio-sidecar-injector"}}`
	for name, test := range map[string]struct {
		cluster map[string]string // lists by name; others are as aCluster's
		config  map[string]string
		want    string // empty: nothing is refused
	}{
		"an empty cluster": {},
		"another's namespace": {
			cluster: map[string]string{"namespaces": `{"metadata": {"name": "shop-stage4"}}`},
			want:    "namespace shop-stage4 is there already",
		},
		"its own namespaces": {
			cluster: map[string]string{"namespaces": `{"metadata": {"name": "shop-stage4",
				"labels": {"shoplab/stack": "stage4"}}},
				{"metadata": {"name": "istio-system", "labels": {"shoplab/stack": "stage4"}}}`},
		},
		"an Istio": {
			cluster: map[string]string{"namespaces": `{"metadata": {"name": "istio-system"}}`},
			want:    "pulumi config set -s stage4 istio existing",
		},
		"another stack's Istio": {
			cluster: map[string]string{
				"namespaces": `{"metadata": {"name": "istio-system", "labels": {"shoplab/stack": "other"}}}`,
			},
			want: "pulumi config set -s stage4 istio existing",
		},
		"an Istio to use": {
			cluster: map[string]string{
				"namespaces": `{"metadata": {"name": "istio-system"}}`, "webhooks": istio,
				"policies": `{"x": {"serviceAccounts": {}}}`,
			},
			config: map[string]string{"shoplab:istio": "existing"},
		},
		"no Istio to use": {config: map[string]string{"shoplab:istio": "existing"}, want: "no Istio puts sidecars"},
		"an old Istio": {
			cluster: map[string]string{"webhooks": istio, "policies": `{"x": {"principals": {}}}`},
			config:  map[string]string{"shoplab:istio": "existing"}, want: "too old",
		},
		"a port in use": {
			cluster: map[string]string{
				"services": `{"metadata": {"name": "web", "namespace": "theirs"}, "spec": {"ports": [{"nodePort": 30080}]}}`,
			},
			want: "node port 30080 is that of theirs/web",
		},
		"its own port": {
			cluster: map[string]string{
				"services": `{"metadata": {"name": "istio-gateway", "namespace": "shop-stage4-ingress"},
					"spec": {"ports": [{"nodePort": 30080}]}}`,
			},
		},
		"no volumes": {
			cluster: map[string]string{"classes": `{"metadata": {"name": "slow"}}`},
			want:    "set shoplab:storageClass to one of slow, or to ephemeral",
		},
		"no such volumes": {config: map[string]string{"shoplab:storageClass": "fast"}, want: "no StorageClass fast"},
		"volumes by name": {config: map[string]string{"shoplab:storageClass": "standard"}},
		"no volume wanted": {
			cluster: map[string]string{"classes": ""}, config: map[string]string{"shoplab:storageClass": "ephemeral"},
		},
		"another architecture": {
			cluster: map[string]string{"nodes": strings.ReplaceAll(someNodes, "arm64", "amd64")},
			want:    "no node runs arm64 (shoplab:architecture); there is amd64",
		},
		"no room for a pod": {config: map[string]string{"shoplab:memory": "9000"}, want: "no node has more than"},
		"no room for so many": {
			config: map[string]string{"shoplab:cpu": "1024", "shoplab:instances": "3"},
			want:   "all pods, and one more while the shop is updated, ask for 2670m CPU",
		},
		"no room beside others": {
			cluster: map[string]string{"pods": `{"metadata": {"namespace": "theirs"}, "spec": {"nodeName": "n1",
				"containers": [{"resources": {"requests": {"cpu": "1", ` + gib4 + `}}}],
				"initContainers": [{"restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
					{"resources": {"requests": {"cpu": "5"}}}]}}`},
			want: "the nodes have 900m CPU and 4096 MiB left",
		},
		"room beside its own": {
			cluster: map[string]string{
				"pods": `{"metadata": {"namespace": "shop-stage4"}, "spec": {"nodeName": "n1",
					"containers": [{"resources": {"requests": {"cpu": "1"}}}]}}`,
			},
		},
		"a node that takes no pods": {
			cluster: map[string]string{
				"nodes": strings.Replace(someNodes, `"status"`, `"spec": {"unschedulable": true}, "status"`, 1),
			},
			want: "no node runs arm64",
		},
		"a control plane that takes no pods": {
			cluster: map[string]string{
				"nodes": strings.Replace(someNodes, `"status"`,
					`"spec": {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]}, "status"`, 1),
			},
			want: "no node runs arm64",
		},
	} {
		t.Run(name, func(t *testing.T) {
			change := map[string]string{"shoplab:kubeconfig": aKubeconfig}
			for key, value := range test.config {
				change[key] = value
			}
			t.Setenv(pulumi.EnvConfigSecretKeys, `["shoplab:kubeconfig"]`)
			c, err := load(t, "stage4", change)
			if err != nil {
				t.Fatal(err)
			}
			lists := map[string]string{"nodes": someNodes, "classes": someClass}
			for list, items := range test.cluster {
				lists[list] = items
			}
			var all inventory
			for list, into := range map[string]any{
				"namespaces": &all.namespaces, "nodes": &all.nodes, "pods": &all.pods,
				"services": &all.services, "classes": &all.classes, "webhooks": &all.webhooks,
			} {
				if err := json.Unmarshal([]byte(`{"items": [`+lists[list]+`]}`), into); err != nil {
					t.Fatalf("%s: %v", list, err)
				}
			}
			all.policies = json.RawMessage(lists["policies"])
			problems := strings.Join(all.problems(newMesh("", ServiceMeshArgs{Config: c})), "\n")
			if (problems == "") != (test.want == "") || !strings.Contains(problems, test.want) {
				t.Errorf("says %q, want %q", problems, test.want)
			}
		})
	}
}

// TestServerHasRoom: pods that would never be scheduled are refused where the server's size is known.
func TestServerHasRoom(t *testing.T) {
	for name, test := range map[string]struct {
		config map[string]string
		want   string
	}{
		"as it comes":       {nil, ""},
		"three of one vCPU": {map[string]string{"shoplab:cpu": "1024", "shoplab:instances": "3"}, "ask for 2670m CPU"},
		"more than a server": {
			map[string]string{"shoplab:memory": "4096"}, "t4g.large (shoplab:instanceType) has 2000m CPU and 8192 MiB",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, "stage4", test.config)
			if err != nil {
				t.Fatal(err)
			}
			err = c.fits(room{2000, 8192})
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
