package cluster

import (
	"encoding/json"
	"strings"
	"testing"
)

// aStage is a namespace of stage 4 as kubectl prints it, shortened.
const aStage = `{"kind": "List", "items": [
	{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop", "namespace": "shop-stage4", "uid": "u",
		"labels": {"app": "shop"}}, "type": "Opaque", "data": {"DATABASE_URL": "c2VjcmV0"}},
	{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop", "labels": {"app": "shop"}},
		"automountServiceAccountToken": false},
	{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "labels": {"app": "shop"}}, "spec": {
		"clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9"], "type": "ClusterIP", "selector": {"app": "shop"},
		"ports": [{"name": "http", "port": 8080, "targetPort": "http", "protocol": "TCP"}]}},
	{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cache", "labels": {"app": "cache"}}, "spec": {
		"clusterIP": "10.43.0.8", "selector": {"app": "cache"},
		"ports": [{"name": "tcp", "port": 6379, "targetPort": 6379}]}},
	{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop", "uid": "u", "labels": {"app": "shop"},
		"annotations": {"deployment.kubernetes.io/revision": "3"}},
		"spec": {"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": {
			"metadata": {"labels": {"app": "shop"}, "annotations": {"prometheus.io/scrape": "true"}},
			"spec": {"serviceAccountName": "shop", "containers": [{"name": "shop", "image": "shop@sha256:aa",
				"resources": {"limits": {"cpu": "488m"}}}]}}},
		"status": {"readyReplicas": 2}},
	{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "database", "labels": {"app": "database"}},
		"spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": "database"}}, "spec": {}},
			"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}]}`

// The copy has everything of the stage but its place in the cluster and its sidecars.
func TestCopyOfAStage(t *testing.T) {
	text, err := Copy([]byte(aStage), Mesh{Stack: "stage4", Namespace: "shop-stage4", Hostname: "node-1", NodePort: 30080}.
		Unmeshed())
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"uid", "clusterIP", "status", "annotations", `"shop-stage4"`, "revision"} {
		if strings.Contains(string(text), left) {
			t.Errorf("%s is in the copy: %s", left, text)
		}
	}
	var made struct{ Items []map[string]any }
	if err := json.Unmarshal(text, &made); err != nil || len(made.Items) != 6 {
		t.Fatalf("%v: %s", err, text)
	}
	for i, want := range []string{
		`"data":{"DATABASE_URL":"c2VjcmV0"},"kind":"Secret"`,
		`"automountServiceAccountToken":false,"kind":"ServiceAccount"`,
		`"ports":[{"name":"http","nodePort":30081,"port":8080,"targetPort":"http"}],` +
			`"selector":{"app":"shop"},"type":"NodePort"`,
		`"ports":[{"name":"tcp","port":6379,"targetPort":6379}],"selector":{"app":"cache"}}`,
		`"labels":{"app":"shop","sidecar.istio.io/inject":"false"}`,
		`"volumeClaimTemplates":[{"metadata":{"name":"data"}}]`,
	} {
		one, _ := json.Marshal(made.Items[i])
		if !strings.Contains(string(one), want) || !strings.Contains(string(one), `"namespace":"shop-stage4-plain"`) {
			t.Errorf("want %s in %s", want, one)
		}
	}
	deployment, _ := json.Marshal(made.Items[4])
	for _, want := range []string{
		`"replicas":2`, `"limits":{"cpu":"488m"}`, `"nodeSelector":{"kubernetes.io/hostname":"node-1"}`,
		`"serviceAccountName":"shop"`,
	} {
		if !strings.Contains(string(deployment), want) {
			t.Errorf("want %s in %s", want, deployment)
		}
	}
}

// Of the two copies whose data are outside of the mesh the shop alone has sidecars, and only one goes past them.
func TestCopiesWithDataOutside(t *testing.T) {
	places := Mesh{Stack: "stage4", Namespace: "shop-stage4", NodePort: 30080}.DataOutside()
	for i, want := range []string{
		`{"annotations":{},"labels":{"app":"shop"}}`,
		`{"annotations":{"traffic.sidecar.istio.io/excludeOutboundPorts":"5432,6379"},"labels":{"app":"shop"}}`,
	} {
		stage := strings.Replace(aStage, `"resources": {`, `"resources": {"requests": {"cpu": "244m"}, `, 1)
		text, err := Copy([]byte(stage), places[i])
		if err != nil {
			t.Fatal(err)
		}
		if places[i].Labels["istio-injection"] != "enabled" || places[i].NodePort != 30081+i {
			t.Errorf("%+v", places[i])
		}
		for _, want := range []string{
			want, `"limits":{"cpu":"488m"},"requests":{"cpu":"100m"}`,
			`"labels":{"app":"database","sidecar.istio.io/inject":"false"}`,
			`"metadata":{"annotations":{"networking.istio.io/exportTo":"~"},"labels":{"app":"cache"},"name":"cache"`,
			`"spec":{"mtls":{"mode":"PERMISSIVE"}}`,
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("want %s in %s", want, text)
			}
		}
		if strings.Count(string(text), "exportTo") != 1 || strings.Count(string(text), `"sidecar.istio.io/inject"`) != 1 {
			t.Errorf("the shop's Service is hidden, or its sidecar is gone: %s", text)
		}
	}
}

func TestOnlyWhatIsKnownIsCopied(t *testing.T) {
	if _, err := Copy([]byte(`{"items": [{"kind": "Job", "metadata": {"name": "a"}}]}`), Place{}); err == nil {
		t.Error("a Job is copied")
	}
}
