package platform

import (
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"

	"shoplab/platform/awstest"
)

// ownCluster is a cluster of the tester's, such as one of kind or k3d with port 30080 of its node published: the file
// in SHOPLAB_KUBECONFIG. What a test does to the bed's node itself, such as loading an image from a file, is skipped.
func ownCluster(t *testing.T, file string) *node {
	t.Helper()
	image := os.Getenv("SHOPLAB_IMAGE")
	if image == "" {
		t.Skip("SHOPLAB_KUBECONFIG needs SHOPLAB_IMAGE: the shop's image by digest, in a registry from which the nodes " +
			"pull (go run ./platform/release REPOSITORY TAG pushes one)")
	}
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("no kubectl: https://kubernetes.io/docs/tasks/tools/")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("SHOPLAB_KUBECONFIG: %v", err)
	}
	host, err := serverHost(string(text))
	if err != nil {
		t.Fatalf("SHOPLAB_KUBECONFIG: %v", err)
	}
	return &node{apiServer: apiServer{kubectl: kubectl, kubeconfig: file}, address: host, image: image}
}

// account is what deploys to the node: to the bed's the emulated account, with a Kubernetes plugin; to the tester's
// own cluster the Pulumi CLI alone, since nothing is made in AWS.
func (n *node) account(t *testing.T) *account {
	t.Helper()
	if n.kit != "" {
		a := emulated(t)
		n.installKubernetes(t, a)
		return a
	}
	a := &account{Emulator: awstest.Plain(t, ".."), pushes: &atomic.Int32{}, gate: &gate{}}
	a.repository = repositoryCopy(t)
	a.env = slices.Concat(os.Environ(), a.Env)
	return a
}

// bedOnly skips what only the bed's node can do.
func (n *node) bedOnly(t *testing.T) {
	t.Helper()
	if n.kit == "" {
		t.Skip("needs a node whose images come from files: the test bed's")
	}
}
