package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A kubectl that answers with the files of its folder, named after what is asked for and the namespace.
const kubectl = `#!/bin/sh
folder=$2
shift 2
case "$*" in
  config*) echo https://192.0.2.7:6443 ;;
  exec*) echo && echo 'envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL' ;;
  *"node n1"*) cat "$folder/node" ;;
  *" -A "*) cat "$folder/istiod" ;;
  *) cat "$folder/$4${6#shop-stage4}" ;;
esac
`

// aPod is one with a sidecar.
func aPod(app, node string) string {
	return `{"metadata": {"name": "` + app + `-1", "labels": {"app": "` + app + `"}}, "spec": {"nodeName": "` + node + `",
		"containers": [{"name": "` + app + `"}], "initContainers": [{"name": "istio-init"}, {"name": "istio-proxy"}]}}`
}

func list(items ...string) string { return `{"items": [` + strings.Join(items, ",") + `]}` }

// A stage that can be measured is found with all that is to be known; what hinders is said with what to do.
func TestFindMesh(t *testing.T) {
	stage := map[string]string{
		"pods":         list(aPod("shop", "n1"), aPod("database", "n1"), aPod("cache", "n1")),
		"pods-ingress": list(aPod("gateway", "n1")), "services-ingress": list(`{"spec": {"ports": [{"nodePort": 30080}]}}`),
		"horizontalpodautoscalers": list(`{"spec": {"minReplicas": 2, "maxReplicas": 2}}`),
		"node": `{"metadata": {"labels": {"kubernetes.io/hostname": "h1"}}, "status": {"nodeInfo": {"bootID": "b",
			"kubeletVersion": "v1.36.3"}}}`,
		"istiod": list(`{"spec": {"template": {"spec": {"containers": [{"env": [
			{"name": "PILOT_ENABLE_ALPN_FILTER", "value": "false"}, {"name": "PILOT_ENABLE_OTHER", "value": "false"}]}]}}}}`),
	}
	find := func(change map[string]string) (Mesh, error) {
		dir := t.TempDir()
		for name, text := range stage {
			if changed, ok := change[name]; ok {
				text = changed
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		program := filepath.Join(dir, "bin")
		if err := os.Mkdir(program, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(program, "kubectl"), []byte(kubectl), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", program+":"+os.Getenv("PATH"))
		return Kubectl{Kubeconfig: dir}.FindMesh(t.Context(), "stage4")
	}
	m, err := find(nil)
	if err != nil || m.Node != "n1" || m.Hostname != "h1" || m.NodePort != 30080 || m.Host != "192.0.2.7" ||
		m.Envoy != "abc/1.40.0/Clean/RELEASE/BoringSSL" || strings.Join(m.Reduced, " ") != "PILOT_ENABLE_ALPN_FILTER=false" {
		t.Errorf("%+v, %v", m, err)
	}
	plain := `{"metadata": {"labels": {"app": "shop"}}, "spec": {"nodeName": "n1", "containers": [{"name": "shop"}]}}`
	for name, c := range map[string]struct{ file, text, want string }{
		"no stage":   {"pods", list(), "bring a stage 4 up on the cluster first"},
		"no sidecar": {"pods", list(plain, aPod("database", "n1"), aPod("cache", "n1")), "with sidecars"},
		"two nodes":  {"pods-ingress", list(aPod("gateway", "n2")), "several nodes (n1, n2)"},
		"autoscaler": {
			"horizontalpodautoscalers", list(`{"spec": {"minReplicas": 2, "maxReplicas": 4}}`),
			"pulumi config set -s stage4 maxInstances 2",
		},
		"no port": {"services-ingress", list(`{"spec": {"ports": [{"port": 80}]}}`), "no Service in shop-stage4-ingress"},
	} {
		if _, err := find(map[string]string{c.file: c.text}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
