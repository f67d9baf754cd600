package twin

import (
	"bytes"
	"testing"
	"text/template"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"
)

// TestEnvoyConfiguration holds what Envoy is given against Envoy's own definitions: every field exists,
// is of its type and keeps its rules. That a request passes is tested only where Envoy is installed.
func TestEnvoyConfiguration(t *testing.T) {
	var conf bootstrap.Bootstrap
	decodeEnvoy(t, envoyConf, map[string]any{"Name": "gateway", "Port": 8080, "Endpoints": "/tmp/endpoints.yaml"}, &conf)
	if err := conf.ValidateAll(); err != nil {
		t.Errorf("bootstrap: %v", err)
	}
	clusters, listeners := conf.GetStaticResources().GetClusters(), conf.GetStaticResources().GetListeners()
	if len(clusters) != 1 || len(listeners) != 1 {
		t.Fatalf("%d clusters and %d listeners, want one of each", len(clusters), len(listeners))
	}

	var endpoints discovery.DiscoveryResponse
	decodeEnvoy(t, envoyEndpoints, []struct{ Host, Port string }{{"127.0.0.1", "18001"}, {"127.0.0.1", "18002"}}, &endpoints)
	if len(endpoints.GetResources()) != 1 {
		t.Fatalf("endpoints: %v", &endpoints)
	}
	validate(t, "listener's filter", listeners[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig())
	validate(t, "endpoints", endpoints.GetResources()[0])
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
