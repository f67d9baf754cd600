package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"shoplab/lab/cluster"
)

// errClusterNotEmpty makes the exit status tell a script that something is left.
var errClusterNotEmpty = errors.New("the cluster is not empty: destroy the stacks above, or delete what they left")

// stackLabel is the label of a namespace that a stack has made; istioNamespace is where Istio's charts are installed.
const stackLabel, istioNamespace = "shoplab/stack", "istio-system"

// clusterSweep looks for what stacks have left in a cluster, with kubectl.
type clusterSweep struct {
	kubeconfig string
	found      []clusterLeftover
}

// clusterLeftover is an object that is there, or all of a kind, and how to remove it.
type clusterLeftover struct {
	What   string `json:"what"`
	Remove string `json:"remove"`
}

// sweepCluster prints what is left in a cluster. It changes nothing.
func sweepCluster(ctx context.Context, kubeconfig string, asJSON bool, out io.Writer) error {
	s := clusterSweep{kubeconfig: kubeconfig, found: []clusterLeftover{}}
	if err := s.take(ctx); err != nil {
		return err
	}
	if asJSON {
		if err := printJSON(out, s.found); err != nil {
			return err
		}
	} else {
		for _, l := range s.found {
			_, _ = fmt.Fprintf(out, "%s\n    remove it with: %s\n", l.What, l.Remove) // a terminal that is gone
		}
	}
	if len(s.found) > 0 {
		return errClusterNotEmpty
	}
	_, err := fmt.Fprintln(out, "Nothing of this project is in the cluster.")
	return err
}

// take asks for everything. Istio's own things are leftovers only where no Istio runs.
func (s *clusterSweep) take(ctx context.Context) error {
	var namespaces, volumes struct {
		Items []struct {
			Metadata struct {
				Name   string
				Labels map[string]string
			}
			Spec   struct{ ClaimRef struct{ Namespace string } }
			Status struct{ Phase string }
		}
	}
	if err := s.list(ctx, &namespaces, "namespaces"); err != nil {
		return err
	}
	istio := false
	for _, n := range namespaces.Items {
		istio = istio || n.Metadata.Name == istioNamespace
		if stack := n.Metadata.Labels[stackLabel]; stack != "" {
			s.add("the namespace "+n.Metadata.Name+" of stack "+stack, "pulumi destroy -s %s, or kubectl delete namespace %s",
				stack, n.Metadata.Name)
		}
	}
	if err := s.list(ctx, &volumes, "persistentvolumes"); err != nil {
		return err
	}
	for _, v := range volumes.Items {
		if strings.HasPrefix(v.Spec.ClaimRef.Namespace, "shop-") && v.Status.Phase == "Released" {
			s.add("the volume "+v.Metadata.Name+" that "+v.Spec.ClaimRef.Namespace+" had", "kubectl delete persistentvolume %s",
				v.Metadata.Name)
		}
	}
	if istio {
		return nil
	}
	return s.takeIstio(ctx)
}

// takeIstio looks for what is left of an Istio: the definitions that its charts keep, and what istiod put into every
// namespace.
func (s *clusterSweep) takeIstio(ctx context.Context) error {
	names, err := s.kubectl(ctx, "get", "customresourcedefinitions", "-o", "name")
	if err != nil {
		return err
	}
	for name := range strings.Lines(string(names)) {
		_, kind, _ := strings.Cut(strings.TrimSpace(name), "/")
		if !strings.HasSuffix(kind, ".istio.io") {
			continue
		}
		objects, err := s.kubectl(ctx, "get", kind, "-A", "-o", "name")
		if err != nil {
			return err
		}
		if n := bytes.Count(objects, []byte("\n")); n > 0 {
			s.add(fmt.Sprintf("the definition %s, with %d objects that go with it", kind, n), "kubectl delete crd %s", kind)
		} else {
			s.add("the definition "+kind, "kubectl delete crd %s", kind)
		}
	}
	const certificates = "istio-ca-root-cert"
	maps, err := s.kubectl(ctx, "get", "configmaps", "-A", "--field-selector", "metadata.name="+certificates, "-o", "name")
	if n := bytes.Count(maps, []byte("\n")); n > 0 {
		s.add(fmt.Sprintf("%d config maps %s", n, certificates),
			"kubectl delete configmaps -A --field-selector metadata.name=%s", certificates)
	}
	return err
}

func (s *clusterSweep) add(what, remove string, args ...any) {
	s.found = append(s.found, clusterLeftover{what, fmt.Sprintf(remove, args...)})
}

func (s *clusterSweep) list(ctx context.Context, into any, kind string) error {
	text, err := s.kubectl(ctx, "get", kind, "-o", "json")
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func (s *clusterSweep) kubectl(ctx context.Context, args ...string) ([]byte, error) {
	return cluster.Kubectl{Kubeconfig: s.kubeconfig}.Run(ctx, nil, append(args, "--request-timeout", "30s")...)
}
