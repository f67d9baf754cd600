package platform

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"gopkg.in/yaml.v3"
)

// access is an administrator's access to an API server; all but the URL are PEM.
type access struct {
	server, authority, certificate, key string
}

// kubeconfig is the access as JSON, which is YAML.
func (a access) kubeconfig() (string, error) {
	encode := func(pem string) string { return base64.StdEncoding.EncodeToString([]byte(pem)) }
	text, err := json.MarshalIndent(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "shoplab",
		"clusters": []any{map[string]any{"name": "shoplab", "cluster": map[string]string{
			"server": a.server, "certificate-authority-data": encode(a.authority),
		}}},
		"users": []any{map[string]any{"name": "admin", "user": map[string]string{
			"client-certificate-data": encode(a.certificate), "client-key-data": encode(a.key),
		}}},
		"contexts": []any{
			map[string]any{"name": "shoplab", "context": map[string]string{"cluster": "shoplab", "user": "admin"}},
		},
	}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the kubeconfig: %w", err)
	}
	return string(text) + "\n", nil
}

// await waits until the API server says that it is ready.
func (a access) await(ctx context.Context, atMost time.Duration) error {
	pair, err := tls.X509KeyPair([]byte(a.certificate), []byte(a.key))
	if err != nil {
		return fmt.Errorf("read the administrator's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(a.authority)) {
		return errors.New("read the cluster's authority: no certificate in it")
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	for {
		err := ready(ctx, client, a.server+"/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the Kubernetes API at %s does not answer; shoplab:operatorCidr has to include this machine's "+
				"address, and the server's log is at Session Manager: journalctl -u k3s: %w", a.server, err)
		case <-time.After(3 * time.Second):
		}
	}
}

func ready(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, response.Status)
	}
	return nil
}

// serverHost is the host name in a kubeconfig's current cluster.
func serverHost(kubeconfig string) (string, error) {
	var config struct {
		Current  string `yaml:"current-context"`
		Contexts []struct {
			Name    string
			Context struct{ Cluster string }
		}
		Clusters []struct {
			Name    string
			Cluster struct{ Server string }
		}
	}
	if err := yaml.Unmarshal([]byte(kubeconfig), &config); err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	for _, c := range config.Contexts {
		for _, cluster := range config.Clusters {
			if c.Name != config.Current || cluster.Name != c.Context.Cluster {
				continue
			}
			server, err := url.Parse(cluster.Cluster.Server)
			if err != nil || server.Hostname() == "" {
				return "", fmt.Errorf("the kubeconfig's server is %q, not a URL", cluster.Cluster.Server)
			}
			return server.Hostname(), nil
		}
	}
	return "", fmt.Errorf("the kubeconfig has no cluster for its current context %q", config.Current)
}
