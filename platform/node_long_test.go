package platform

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"shoplab/contract"
)

// long skips what takes minutes, unless SHOPLAB_NODE is long.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("SHOPLAB_NODE") != "long" {
		t.Skip("takes minutes; run it with: make node-test SHOPLAB_NODE=long")
	}
}

// nodeStack is a stack on the node: its image, and pairs of keys and values on top.
func (n *node) stack(t *testing.T, a *account, name string, config ...string) {
	t.Helper()
	kubeconfig, err := os.ReadFile(n.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	a.stack(t, name, append([]string{"image", n.image, "architecture", "amd64", "rateLimit", "off"}, config...)...)
	secret := a.command(t, "config", "set", "-s", name, "--secret", "kubeconfig")
	secret.Stdin = bytes.NewReader(kubeconfig)
	if out, err := secret.CombinedOutput(); err != nil {
		t.Fatalf("set the kubeconfig: %v\n%s", err, out)
	}
}

// second deploys another stack to the cluster of the first: refused as long as they collide, then beside it, with the
// first one's Istio.
func (n *node) second(t *testing.T, a *account, first string) {
	n.stack(t, a, "second", "instances", "1", "cpu", "256", "storageClass", ephemeral)
	a.fails(t, "second", "istio existing", "the node port 30080 is that of "+nodeIngress+"/"+gatewayRelease)
	a.config(t, "second", "istio", contract.IstioExisting, "nodePort", "30081")
	a.up(t, "second")
	url := strings.Trim(a.outputs(t, "second")["url"], `"`)
	n.await(t, "the second shop answers", func() bool { return n.status(url+"/api/products") == http.StatusOK })
	customer := newShopper(url)
	t.Run("journey", customer.buys)
	a.pulumi(t, "destroy", "-s", "second", "--yes", "--skip-preview")
	if got := n.status(first + "/api/products"); got != http.StatusOK {
		t.Errorf("the first shop answers %d", got)
	}
}

// unpullable asks for an image that nobody has. The update ends with the pod's own reason, while the shop serves on;
// and when the image is taken back in the configuration, it is in the cluster too.
func (n *node) unpullable(t *testing.T, a *account, url string) {
	image := func() string {
		return string(n.must(t, nil, "-n", nodeShop, "get", "deployment", "shop", "-o", `jsonpath={..containers[?(@.name=="shop")].image}`))
	}
	a.config(t, "stage4", "image", anImage)
	a.fails(t, "stage4", "ErrImagePull")
	if got := n.status(url + "/api/products"); got != http.StatusOK || image() != anImage {
		t.Errorf("the shop answers %d; the Deployment has %s", got, image())
	}
	a.config(t, "stage4", "image", n.image)
	a.up(t, "stage4")
	if got := image(); got != n.image {
		t.Errorf("the Deployment has %s", got)
	}
}

// gone takes the cluster away and forgets the stack.
func (n *node) gone(t *testing.T, a *account) {
	a.up(t, "stage4")
	if out, err := exec.CommandContext(t.Context(), n.kit, "down", "--dir", n.dir).CombinedOutput(); err != nil {
		t.Fatalf("stop the node: %v\n%s", err, out)
	}
	if out, err := a.try(t, "destroy", "-s", "stage4", "--yes", "--skip-preview"); err == nil || !strings.Contains(out, "PULUMI_K8S_DELETE_UNREACHABLE") {
		t.Errorf("without its cluster destroy ends with %v:\n%s", err, out)
	}
	a.env = append(a.env, "PULUMI_K8S_DELETE_UNREACHABLE=true")
	a.pulumi(t, "destroy", "-s", "stage4", "--yes", "--skip-preview")
}
