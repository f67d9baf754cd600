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

// stack is a stack on the node: its image, and pairs of keys and values on top.
func (n *node) stack(t *testing.T, a *account, name string, config ...string) {
	t.Helper()
	kubeconfig, err := os.ReadFile(n.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	architecture := n.must(t, nil, "get", "nodes", "-o", "jsonpath={.items[0].status.nodeInfo.architecture}")
	a.stackLike(t, name, "stage4", append([]string{
		"image", n.image, "architecture", string(architecture), "rateLimit", "off",
	}, config...)...)
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

// shopImage is what the shop's Deployment asks for.
func (n *node) shopImage(t *testing.T) string {
	t.Helper()
	return string(n.must(t, nil, "-n", nodeShop, "get", "deployment", "shop", "-o",
		`jsonpath={..containers[?(@.name=="shop")].image}`))
}

// unpullable asks for an image that nobody has. The update ends with the pod's own reason, while the shop serves on.
func (n *node) unpullable(t *testing.T, a *account, url string) {
	a.config(t, "stage4", "image", anImage)
	a.fails(t, "stage4", "ErrImagePull")
	if got := n.status(url + "/api/products"); got != http.StatusOK || n.shopImage(t) != anImage {
		t.Errorf("the shop answers %d; the Deployment has %s", got, n.shopImage(t))
	}
	a.config(t, "stage4", "image", n.image)
	a.up(t, "stage4")
}

// interrupted kills an update in the middle and takes the change back in the configuration: the state never knew of
// it, and the cluster has it. The next update puts it right.
func (n *node) interrupted(t *testing.T, a *account) {
	a.config(t, "stage4", "image", anImage)
	cmd := a.command(t, "up", "-s", "stage4", "--yes", "--skip-preview")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.await(t, "the update is under way", func() bool { return n.shopImage(t) == anImage })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	a.pulumi(t, "cancel", "-s", "stage4", "--yes")
	a.config(t, "stage4", "image", n.image)
	a.up(t, "stage4")
	if got := n.shopImage(t); got != n.image {
		t.Errorf("the Deployment has %s", got)
	}
}

// gone takes the cluster away and forgets the stack.
func (n *node) gone(t *testing.T, a *account) {
	a.config(t, "stage4", "storageClass", ephemeral) // the volume went with the cleaning up
	a.up(t, "stage4")
	if out, err := exec.CommandContext(t.Context(), n.kit, "down", "--dir", n.dir).CombinedOutput(); err != nil {
		t.Fatalf("stop the node: %v\n%s", err, out)
	}
	if out, err := a.try(t, "destroy", "-s", "stage4", "--yes", "--skip-preview"); err == nil {
		t.Errorf("destroy without its cluster succeeds:\n%s", out)
	}
	a.env = append(a.env, "PULUMI_K8S_DELETE_UNREACHABLE=true")
	a.pulumi(t, "destroy", "-s", "stage4", "--yes", "--skip-preview")
}
