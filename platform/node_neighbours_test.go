package platform

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// neighbourNamespaces are those of other people's pods: one in the mesh, one with nothing to do with it.
const neighbourNamespaces = `
apiVersion: v1
kind: Namespace
metadata: {name: meshed, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Namespace
metadata: {name: plain}
`

// neighbour is somebody's pod.
const neighbour = `
apiVersion: v1
kind: Pod
metadata: {name: neighbour, namespace: %s}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: neighbour, image: docker.io/shoplab/neighbour:1}]
`

// admitted lets everybody in the mesh to everything in the shop's namespace. It shows that what is refused is refused
// by the shop's own policies, and what passwords are for.
const admitted = `{"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
	"metadata": {"name": "everybody", "namespace": "` + nodeShop + `"},
	"spec": {"action": "ALLOW", "rules": [{}]}}`

// What a neighbour says. PostgreSQL answers the first eight bytes of a client that asks for TLS, with one letter.
const (
	askShop     = "GET /api/products?limit=1 HTTP/1.1\r\nHost: shop." + nodeShop + "\r\nConnection: close\r\n\r\n"
	askDatabase = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	askCache    = "PING\r\nQUIT\r\n"
)

// neighbours try to reach the shop, its database and its cache, past the gateway.
func (n *node) neighbours(t *testing.T) {
	n.loadNeighbour(t)
	n.must(t, []byte(neighbourNamespaces), "apply", "-f", "-")
	for _, namespace := range []string{"meshed", "plain"} {
		n.must(t, fmt.Appendf(nil, neighbour, namespace), "apply", "-f", "-")
		n.must(t, nil, "-n", namespace, "wait", "--for=condition=Ready", "pod/neighbour", "--timeout="+nodePatience.String())
	}
	if got := n.ask(t, "meshed", "shop:8080", askShop); !strings.HasPrefix(got, "HTTP/1.1 403") {
		t.Errorf("a pod of the mesh asks the shop: %q", got)
	}
	if got := n.ask(t, "plain", "shop:8080", askShop); got != "" {
		t.Errorf("a pod outside of the mesh asks the shop: %q", got)
	}
	for _, namespace := range []string{"meshed", "plain"} {
		for to, text := range map[string]string{"database:5432": askDatabase, "cache:6379": askCache} {
			if got := n.ask(t, namespace, to, text); got != "" {
				t.Errorf("a pod in %s reaches %s: %q", namespace, to, got)
			}
		}
	}

	n.must(t, []byte(admitted), "apply", "-f", "-")
	answer := func(what, to, text, want string) {
		n.await(t, what, func() bool { return strings.HasPrefix(n.ask(t, "meshed", to, text), want) })
	}
	answer("a neighbour who is let in reaches the database", "database:5432", askDatabase, "N")
	answer("and the shop", "shop:8080", askShop, "HTTP/1.1 200")
	answer("and the cache, which asks for a password", "cache:6379", askCache, "-NOAUTH")
	n.must(t, []byte(admitted), "delete", "-f", "-")
	n.await(t, "the database is shut again", func() bool { return n.ask(t, "meshed", "database:5432", askDatabase) == "" })
	n.must(t, nil, "delete", "namespace", "meshed", "plain", "--wait=false")
}

// loadNeighbour builds the neighbours' image.
func (n *node) loadNeighbour(t *testing.T) {
	t.Helper()
	program, file := filepath.Join(t.TempDir(), "neighbour"), filepath.Join(t.TempDir(), "neighbour.tar")
	n.sh(t, "env", "CGO_ENABLED=0", "go", "build", "-o", program, "./testdata/neighbour")
	n.sh(t, n.kit, "image", "--name", "docker.io/shoplab/neighbour:1", "-o", file, "--file", "/neighbour="+program,
		"--entrypoint", "/neighbour")
	n.sh(t, n.kit, "load", "--dir", n.dir, file)
}

// ask lets a neighbour say something to one of the shop's Services.
func (n *node) ask(t *testing.T, namespace, to, text string) string {
	t.Helper()
	service, port, _ := strings.Cut(to, ":")
	return string(n.must(t, nil, "-n", namespace, "exec", "neighbour", "-c", "neighbour", "--",
		"/neighbour", service+"."+nodeShop+":"+port, strconv.Quote(text)))
}
