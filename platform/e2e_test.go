package platform

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"shoplab/platform/awstest"
)

// TestEndToEnd types what a user types, against an emulated AWS account with the real provider's
// logic: up, a preview that finds nothing to change, an update, destroy, and a look for leftovers.
func TestEndToEnd(t *testing.T) {
	awstest.TakesMinutes(t)
	account := newAccount(t)
	account.installKubernetes(t)
	sweep := buildLab(t)
	for _, test := range []struct {
		stack, key, value, output, want string
		config                          []string
	}{
		{
			stack: "stage3", key: "maxInstances", value: "6", output: "capacity", want: `"maxInstances":6`,
			config: []string{"wait", "false"},
		}, // no task ever runs in an emulated account
		{
			stack: "stage2", key: "maxInstances", value: "3", output: "capacity", want: `"maxInstances":3`,
			config: []string{"wait", "false", "alertEmail", "ada@example.com"},
		},
		{
			stack: "stage4", key: "maxInstances", value: "3", output: "capacity", want: `"maxInstances":3`,
			config: []string{"wait", "false", "operatorCidr", "203.0.113.7/32"},
		},
		{stack: "stage1", key: "https", value: HTTPSOff, output: "url", want: `"http://ec2-`, config: []string{"dumpBucket", "my-dumps"}},
	} {
		t.Run(test.stack, func(t *testing.T) {
			account.Reset(t) // should the one before have failed
			account.pulumi(t, "stack", "init", test.stack)
			account.pulumi(t, "config", "set", "-s", test.stack, "aws:maxRetries", "3")
			for pair := range slices.Chunk(test.config, 2) {
				account.pulumi(t, "config", "set", "-s", test.stack, pair[0], pair[1])
			}
			account.pulumi(t, "up", "-s", test.stack, "--yes", "--skip-preview")
			outputs := account.outputs(t, test.stack)
			if !strings.Contains(outputs["url"], `"https://`) || !strings.Contains(outputs["image"], ecrHost+"/") {
				t.Errorf("url %s, image %s", outputs["url"], outputs["image"])
			}
			account.sweeps(t, sweep, test.stack, false)
			account.pulumi(t, "preview", "-s", test.stack, "--diff", "--expect-no-changes")
			account.pulumi(t, "config", "set", "-s", test.stack, test.key, test.value)
			account.pulumi(t, "up", "-s", test.stack, "--yes", "--skip-preview")
			if got := account.outputs(t, test.stack)[test.output]; !strings.Contains(got, test.want) {
				t.Errorf("after %s = %s, output %s is %s, want %s", test.key, test.value, test.output, got, test.want)
			}
			account.pulumi(t, "destroy", "-s", test.stack, "--yes", "--skip-preview")
			account.Leftovers(t)
			account.sweeps(t, sweep, test.stack, true)
			account.pulumi(t, "stack", "rm", test.stack, "--yes", "--preserve-config")
			if _, err := os.Stat(filepath.Join(account.repository, "Pulumi."+test.stack+".yaml")); err != nil {
				t.Errorf("the stage's configuration went with its stack: %v", err)
			}
		})
	}
	if account.pushes.Load() == 0 {
		t.Error("no image was pushed")
	}
}

// account is an emulated AWS account and a copy of this repository to deploy from.
type account struct {
	*awstest.Emulator
	repository string
	env        []string
	pushes     *atomic.Int32
}

// ecrHost is the registry of the emulated account.
const ecrHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{Emulator: awstest.Emulate(t, ".."), repository: copyRepository(t), pushes: &atomic.Int32{}}
	a.env = slices.Concat(os.Environ(), a.Env, registryOfAccount(t, a.pushes))
	a.env = append(a.env, "AWS_ENDPOINT_URL="+mend(t, a.variable("AWS_ENDPOINT_URL")))
	return a
}

// variable is the last value of an environment variable.
func (a *account) variable(name string) (value string) {
	for _, v := range a.env {
		if text, ok := strings.CutPrefix(v, name+"="); ok {
			value = text
		}
	}
	return value
}

// gaps are what the emulator answers, and what AWS does. A replication group with a password has members
// that say they have none; an instance's CPU credits are said to be standard whatever was asked for. The
// provider would set both again and again.
var gaps = strings.NewReplacer(
	"<AuthTokenEnabled>false<", "<AuthTokenEnabled>true<",
	"<cpuCredits>standard<", "<cpuCredits>unlimited<",
)

// mend fills the gaps of the emulator that this program falls into.
func mend(t *testing.T, endpoint string) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = []byte(gaps.Replace(string(body)))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// pulumi runs the CLI in the copied repository.
func (a *account) pulumi(t *testing.T, args ...string) []byte {
	t.Helper()
	// The emulator's own, which this process's PATH does not lead to.
	first, _, _ := strings.Cut(a.variable("PATH"), string(os.PathListSeparator))
	start := time.Now()
	cmd := exec.CommandContext(t.Context(), filepath.Join(first, "pulumi"), append(args, "--non-interactive", "--color=never")...)
	cmd.Dir, cmd.Env = a.repository, a.env
	out, err := cmd.CombinedOutput()
	t.Logf("pulumi %s: %.0f s", strings.Join(args, " "), time.Since(start).Seconds())
	if err != nil {
		t.Fatalf("pulumi %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// buildLab compiles the laboratory, whose sweep proves a teardown.
func buildLab(t *testing.T) string {
	t.Helper()
	lab := filepath.Join(t.TempDir(), "lab")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", lab, "./lab")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the laboratory: %v\n%s", err, out)
	}
	return lab
}

// sweeps takes the inventory as a user does. Of a stage that is up it has to see a resource of every
// service that the tagging API does not list.
func (a *account) sweeps(t *testing.T, lab, stack string, clean bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), lab, "sweep", "--stage", stack, "--json")
	cmd.Dir, cmd.Env = a.repository, a.env
	out, err := cmd.Output()
	if (err == nil) != clean {
		t.Errorf("lab sweep: %v\n%s", err, out)
	}
	for _, service := range []string{"ec2", "iam", "budgets", "cloudwatch", "logs"} {
		if !clean && !bytes.Contains(out, []byte(`"service": "`+service+`"`)) {
			t.Errorf("lab sweep sees nothing of %s:\n%s", service, out)
		}
	}
}

// outputs are the stack's outputs as compact JSON by name.
func (a *account) outputs(t *testing.T, stack string) map[string]string {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(a.pulumi(t, "stack", "output", "-s", stack, "--json"), &raw); err != nil {
		t.Fatalf("read the outputs: %v", err)
	}
	texts := map[string]string{}
	for name, value := range raw {
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			t.Fatal(err)
		}
		texts[name] = compact.String()
	}
	return texts
}

// copyRepository copies what git knows or could know: stacks write into the configuration files.
func copyRepository(t *testing.T) string {
	t.Helper()
	list, err := exec.CommandContext(t.Context(), "git", "-C", "..", "ls-files", "-co", "--exclude-standard").Output()
	if err != nil {
		t.Skipf("list the repository's files: %v", err)
	}
	to := filepath.Join(t.TempDir(), "shoplab")
	for name := range strings.Lines(string(list)) {
		name = strings.TrimSpace(name)
		data, err := os.ReadFile(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue // deleted, not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// registryOfAccount stands in for the account's ECR endpoint: a registry over TLS that asks for ECR's kind of
// login, reached through an HTTPS proxy. The program under test knows of none of this.
func registryOfAccount(t *testing.T, pushes *atomic.Int32) (env []string) {
	t.Helper()
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "AWS" || password == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="ecr"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			pushes.Add(1)
		}
		images.ServeHTTP(w, r)
	}))
	certificate, authority := selfSigned(t, ecrHost)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != ecrHost+":443" {
			http.Error(w, "no way to "+r.Host, http.StatusForbidden)
			return
		}
		tunnel(w, server.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	return []string{"HTTPS_PROXY=" + proxy.URL, "https_proxy=" + proxy.URL, "SSL_CERT_FILE=" + authority, "GOFLAGS=-ldflags=-s", "GOPROXY=off"}
}

// tunnel joins a CONNECT request with an address.
func tunnel(w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	if _, err := here.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
		return
	}
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(there, buffered); done <- struct{}{} }()
	go func() { _, _ = io.Copy(here, there); done <- struct{}{} }()
	<-done
}

// selfSigned makes a certificate for a host and writes it where a program may trust it.
func selfSigned(t *testing.T, host string) (certificate tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
