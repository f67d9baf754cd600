package boot_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"shoplab/contract"

	"shoplab/exectest"
)

// TestForwardedFor runs nginx with stage 1's own configuration: whom it names to the shop as the client,
// with CloudFront before it and without.
func TestForwardedFor(t *testing.T) {
	const forged, shopper, secret = "198.51.100.66", "203.0.113.9", "s3cret"
	for _, test := range []struct {
		name, document, path string
		header               http.Header
		status               int
		want                 string // the last entry, which is the one that the shop believes
	}{
		{"from CloudFront", "single-full", "/", http.Header{
			"X-Origin-Secret": {secret}, "X-Forwarded-For": {forged + ", " + shopper},
		}, 200, shopper},
		{"from CloudFront, header twice", "single-full", "/", http.Header{
			"X-Origin-Secret": {secret}, "X-Forwarded-For": {forged, shopper},
		}, 200, shopper},
		{"past CloudFront", "single-full", "/", http.Header{"X-Forwarded-For": {forged}}, 403, ""},
		{"past CloudFront with another secret", "single-full", "/", http.Header{
			"X-Origin-Secret": {"guessed"}, "X-Forwarded-For": {forged},
		}, 403, ""},
		{"probe", "single-full", contract.ReadyPath, http.Header{"X-Forwarded-For": {forged}}, 200, "127.0.0.1"},
		{"without CloudFront", "single", "/", http.Header{"X-Forwarded-For": {forged}}, 200, "127.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got string
			shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				entries := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
				got = strings.TrimSpace(entries[len(entries)-1])
			}))
			defer shop.Close()
			url := startNginx(t, documents(t)[test.document], strings.TrimPrefix(shop.URL, "http://"), secret)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header = test.header
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != test.status || got != test.want {
				t.Errorf("answered %d, the shop was told %q; want %d and %q", response.StatusCode, got, test.status, test.want)
			}
		})
	}
}

// startNginx runs nginx as a document of user data configures it, on ports and in folders of the test.
func startNginx(t *testing.T, document, upstream, secret string) (url string) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			t.Skip("no nginx: apt install nginx-light")
		}
	}
	var cloud cloudConfig
	if err := yaml.Unmarshal([]byte(document), &cloud); err != nil {
		t.Fatal(err)
	}
	dir, address := t.TempDir(), exectest.FreeAddress(t)
	if err := os.WriteFile(filepath.Join(dir, "map"),
		fmt.Appendf(nil, "map $http_x_origin_secret $from_edge { default 0; \"%s\" 1; }\n", secret), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range cloud.WriteFiles {
		if file.Path != "/etc/nginx/nginx.conf" {
			continue
		}
		config := strings.NewReplacer(
			"user www-data;", "daemon off;", "/run/nginx.pid", filepath.Join(dir, "pid"), "/run/shop-origin/map",
			filepath.Join(dir, "map"),
			fmt.Sprintf("server 127.0.0.1:%d;", contract.Port), "server "+upstream+";", "listen 80 ", "listen "+address+" ",
			"worker_processes auto;", "worker_processes 1;", "worker_connections 8192;", "worker_connections 64;",
		).Replace(file.Content)
		if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // its master ends the workers
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the end of the test's context has interrupted it
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not listen: %v\n%s", err, log.String())
		}
	}
}
