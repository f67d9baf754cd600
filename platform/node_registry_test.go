package platform

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	sigsyaml "sigs.k8s.io/yaml"

	"shoplab/platform/boot"
	"shoplab/platform/boot/boottest"
)

// ecrAPI is where the API of ECR answers; ecrHost is a registry of it.
const ecrRegion, ecrAPI = "us-east-1", "api.ecr.us-east-1.amazonaws.com"

// privateRegistry is a registry that serves those alone who bring the token that ECR gave.
type privateRegistry struct {
	http.Handler
	refused, served atomic.Int32 // requests without the token; blobs
}

// ServeHTTP implements http.Handler.
func (r *privateRegistry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if user, password, _ := q.BasicAuth(); user != "AWS" || password != boottest.RegistryPassword {
		r.refused.Add(1)
		w.Header().Set("WWW-Authenticate", `Basic realm="https://`+ecrHost+`/",service="ecr.amazonaws.com"`)
		http.Error(w, "Not Authorized", http.StatusUnauthorized)
		return
	}
	if strings.Contains(q.URL.Path, "/blobs/") {
		r.served.Add(1)
	}
	r.Handler.ServeHTTP(w, q)
}

// pulls updates the stage to an image that only a private registry has. The node's kubelet has the credential provider
// that our own server's user data brings, at k3s' place and with k3s' two flags, and asks what stands in for ECR.
func (n *node) pulls(t *testing.T, a *account, url string) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skipf("%v: apt-get install awscli", err)
	}
	content := &privateRegistry{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	image := n.push(t, content.Handler)
	n.ecr(t, filepath.Dir(cli), content)
	a.config(t, "stage4", "image", image)
	a.up(t, "stage4")
	if got := n.status(url + "/api/products"); got != http.StatusOK || n.shopImage(t) != image {
		t.Errorf("the shop answers %d; the Deployment has %s", got, n.shopImage(t))
	}
	if content.refused.Load() == 0 || content.served.Load() < 3 { // the configuration and two layers
		t.Errorf("the registry refused %d requests and served %d blobs", content.refused.Load(), content.served.Load())
	}
	a.config(t, "stage4", "image", n.image)
	a.up(t, "stage4")
}

// push puts the shop's image, in layers that the node does not have yet, into a registry, and returns its name there.
func (n *node) push(t *testing.T, content http.Handler) string {
	t.Helper()
	server := httptest.NewServer(content)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	n.sh(t, "tar", "-xf", n.archive, "-C", dir)
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	image = unknownLayers(t, image)
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	to, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/shoplab:test")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(to, image, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return ecrHost + "/shoplab@" + digest.String()
}

// unknownLayers are an image's one layer, compressed, above another one that nobody has: all of it has to be fetched.
func unknownLayers(t *testing.T, image v1.Image) v1.Image {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	upper, err := tarball.LayerFromOpener(layers[0].Uncompressed)
	if err != nil {
		t.Fatal(err)
	}
	lower, err := random.Layer(1024, types.DockerLayer)
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.RootFS.DiffIDs = nil
	made, err := mutate.ConfigFile(empty.Image, config)
	if err != nil {
		t.Fatal(err)
	}
	if made, err = mutate.AppendLayers(made, lower, upper); err != nil {
		t.Fatal(err)
	}
	return made
}

// withProvider starts the node's kubelet again, with a credential provider and the variables after the third argument.
const withProvider = `
set -e
own=/var/lib/rancher/credentialprovider
mkdir -p $own/bin
install -m 644 "$0/config.yaml" $own/
install -m 755 "$0/ecr-login" $own/bin/
cp /etc/hosts "$0/hosts"
echo "$1" >>"$0/hosts"
mount --bind "$0/hosts" /etc/hosts
process=$(pgrep -x kubelet)
mapfile -d '' -t kubelet <"/proc/$process/cmdline"
cd "$(readlink "/proc/$process/cwd")"
kill "$process"
while [ -e "/proc/$process" ]; do sleep 0.1; done
path=$2:$PATH
shift 2
setsid env -i "PATH=$path" HOME=/root "$@" "${kubelet[@]}" --image-credential-provider-config=$own/config.yaml \
	--image-credential-provider-bin-dir=$own/bin </dev/null >>kubelet.log 2>&1 &`

// ecr stands in for ECR and for the instance metadata, and lets the node's containerd and kubelet know. aws is the
// folder of AWS' command line, which the provider calls.
func (n *node) ecr(t *testing.T, aws string, content http.Handler) {
	t.Helper()
	authority, certificate := boottest.Certificates(t, []string{ecrHost, ecrAPI})
	account := &boottest.AWS{Region: ecrRegion}
	metadata, service := account.Handlers(t)
	n.serve(t, "443", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		func(w http.ResponseWriter, r *http.Request) {
			if r.Host == ecrHost {
				content.ServeHTTP(w, r)
				return
			}
			service(w, r)
		})
	instance := n.serve(t, "0", nil, metadata)

	dir := t.TempDir()
	write := func(file, text string) {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range providerFiles(t) {
		write(filepath.Join(dir, filepath.Base(file)), text)
	}
	write(filepath.Join(dir, "ca.crt"), authority)
	write(filepath.Join(n.dir, "run/registries", ecrHost, "hosts.toml"),
		"server = \"https://"+ecrHost+"\"\nca = \""+filepath.Join(dir, "ca.crt")+"\"\n")
	n.sh(t, n.kit, "exec", "--dir", n.dir, "--", "bash", "-c", withProvider, dir, n.host+" "+ecrHost+" "+ecrAPI, aws,
		"AWS_CA_BUNDLE="+filepath.Join(dir, "ca.crt"), "AWS_EC2_METADATA_SERVICE_ENDPOINT="+instance,
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	name := string(n.must(t, nil, "get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"))
	n.await(t, "the kubelet is back", func() bool {
		out, err := n.run(t, nil, "get", "--raw", "/api/v1/nodes/"+name+"/proxy/healthz")
		return err == nil && string(out) == "ok"
	})
}

// providerFiles are those of our own server's user data that the kubelet's credential provider is made of, by path.
func providerFiles(t *testing.T) map[string]string {
	t.Helper()
	userData, err := boot.K3s(boot.K3sArgs{
		Region: ecrRegion, Registry: ecrHost, Parameters: "/shoplab/stage4", CAFiles: []string{"server-ca.crt"},
		Version: "v1", Address: "192.0.2.1", LogGroup: "logs",
	})
	if err != nil {
		t.Fatal(err)
	}
	var cloud struct {
		Files []struct{ Path, Content string } `json:"write_files"`
	}
	if err := sigsyaml.Unmarshal([]byte(userData), &cloud); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range cloud.Files {
		if strings.HasPrefix(f.Path, "/var/lib/rancher/credentialprovider/") {
			all[f.Path] = f.Content
		}
	}
	if len(all) != 2 {
		t.Fatalf("of the credential provider there are %d files", len(all))
	}
	return all
}

// serve serves HTTP, or HTTPS, on a port of this machine's address that the node sees, and returns the URL.
func (n *node) serve(t *testing.T, port string, secure *tls.Config, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(n.host, port))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener, server.TLS = listener, secure
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure != nil {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.URL
}
