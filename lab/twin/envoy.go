package twin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"shoplab/contract"
	"shoplab/lab/process"
)

// startEnvoy starts Envoy as Istio configures it in what matters here: two worker threads, least
// requests, no circuit breaking, and mutual TLS between a gateway and a sidecar.
func startEnvoy(h hop, path string) (*started, error) {
	e := &envoy{hop: h}
	bootstrap := filepath.Join(h.dir, "envoy.yaml")
	if err := errors.Join(os.MkdirAll(h.dir, 0o700), e.use(h.hosts)); err != nil {
		return nil, fmt.Errorf("configure envoy: %w", err)
	}
	if err := writeTemplate(bootstrap, envoyConf, map[string]any{
		"Name": h.name, "Port": h.port, "Endpoints": e.file(), "Accepts": h.accepts, "Sends": h.sends,
		"Routes": contract.MeshRoutes, "Gateway": h.route,
	}); err != nil {
		return nil, fmt.Errorf("configure envoy: %w", err)
	}
	proc, err := process.Start(process.Spec{
		Name: h.name, Path: path, Log: h.log, Enter: h.enter,
		Args: []string{"-c", bootstrap, "--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"},
	})
	if err != nil {
		return nil, err
	}
	return &started{balancer: e, kind: "envoy", proc: proc}, nil
}

type envoy struct{ hop }

func (e *envoy) file() string { return filepath.Join(e.dir, "endpoints.yaml") }

// use moves a new list over the old one, which Envoy watches for.
func (e *envoy) use(hosts []string) error {
	type address struct{ Host, Port string }
	var addresses []address
	for _, h := range hosts {
		host, port, _ := strings.Cut(h, ":")
		addresses = append(addresses, address{host, port})
	}
	return writeTemplate(e.file(), envoyEndpoints, addresses)
}

var envoyConf = template.Must(template.New("envoy").Parse(`node: {id: "{{.Name}}", cluster: shoplab}
static_resources:
  listeners:
  - name: shop
    address: {socket_address: {address: 127.0.0.1, port_value: {{.Port}}}}
    filter_chains:
    -
{{- with .Accepts}}
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context: {{template "tls" .}}
{{- end}}
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: shop
          use_remote_address: true
          route_config:
            virtual_hosts:
            - name: shop
              domains: ["*"]
              routes:
{{- if .Gateway}}
{{- range $route := .Routes}}
{{- range .Matches}}
              - match: {prefix: "/", headers: [{name: ":method", string_match: {safe_regex: {regex: "{{.Methods}}"}}}
{{- with .Header}}, {name: "{{.}}", present_match: true}{{end}}]}
                route: {{template "route" $route}}
{{- else}}
              - match: {prefix: "/"}
                route: {{template "route" $route}}
{{- end}}
{{- end}}
{{- else}}
              - {match: {prefix: "/"}, route: {cluster: shop, timeout: 60s}}
{{- end}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: shop
    type: EDS
    lb_policy: LEAST_REQUEST
    connect_timeout: 2s
    circuit_breakers:
      thresholds: [{max_connections: 4294967295, max_pending_requests: 4294967295, max_requests: 4294967295}]
{{- with .Sends}}
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: {{.Peer}}
        common_tls_context: {{template "tls" .}}
{{- end}}
    eds_cluster_config: {eds_config: {resource_api_version: V3, path_config_source: {path: "{{.Endpoints}}"}}}
{{define "route"}}{cluster: shop, timeout: {{.Timeout.Seconds}}s, retry_policy: {
              retry_on: "{{.RetryOn}}{{with .RetryStatus}},retriable-status-codes{{end}}", num_retries: {{.Attempts}},
              retry_host_predicate: [{name: previous_hosts, typed_config: {
                "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}],
              host_selection_retry_max_attempts: 5
{{- with .RetryStatus}}, retriable_status_codes: [{{.}}]{{end}}
{{- with .PerTry.Seconds}}, per_try_timeout: {{.}}s{{end}}}}{{end}}
{{- define "tls"}}{
            tls_params: {tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3},
            tls_certificates: [{certificate_chain: {filename: "{{.CertificateFile}}"},
              private_key: {filename: "{{.KeyFile}}"}}],
            validation_context: {trusted_ca: {filename: "{{.CAFile}}"},
              match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: "{{.Peer}}"}}]}}{{end}}`))

var envoyEndpoints = template.Must(template.New("endpoints").Parse(`resources:
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: shop
  endpoints:
  - lb_endpoints:
{{- range .}}
    - endpoint: {address: {socket_address: {address: {{.Host}}, port_value: {{.Port}}}}}
{{- end}}
`))
