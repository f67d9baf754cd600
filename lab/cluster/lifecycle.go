package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"shoplab/lab/watch"
)

// Unmeshed is where the stage's copy without mesh goes, reached at the port after the gateway's.
func (m Mesh) Unmeshed() Place { return m.place("plain", 1, "disabled") }

// place is where a copy goes: a namespace that lab sweep knows for the stack's, reached so many ports after the
// gateway.
func (m Mesh) place(name string, port int, injection string) Place {
	return Place{
		Namespace: m.Namespace + "-" + name,
		Labels:    map[string]string{"shoplab/stack": m.Stack, "istio-injection": injection},
		Hostname:  m.Hostname, Entry: Shop, NodePort: m.NodePort + port,
	}
}

const (
	// ExcludePorts is the annotation of a pod that leads connections to some ports past its sidecar. Source: Istio's
	// documentation, "Resource Annotations".
	ExcludePorts = "traffic.sidecar.istio.io/excludeOutboundPorts"
	// DataPorts are those of database and cache, as the shop's pods have them where these are RDS and ElastiCache
	// (platform/mesh_shop.go).
	DataPorts = "5432,6379"
)

// DataOutside is where two copies go whose database and cache are outside of the mesh: one whose shop reaches them
// through its sidecars, and one whose shop reaches them past its sidecars.
func (m Mesh) DataOutside() []Place {
	through, past := m.place("through", 1, "enabled"), m.place("past", 2, "enabled")
	through.Sidecar, past.Sidecar = map[string]string{}, map[string]string{ExcludePorts: DataPorts}
	return []Place{through, past}
}

// readyWithin is how long the copy's pods may take: their images are on the node.
const readyWithin = 2 * time.Minute

// answeredWithin is how long the API server may take to answer.
const answeredWithin = time.Minute

// Prepare makes the namespace of a copy, which the caller removes after it is made. It is not cut short: a namespace
// that was made while nobody waited for the answer would stay.
func (k Kubectl) Prepare(ctx context.Context, to Place) error {
	namespace, err := json.Marshal(object{
		"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": to.Namespace, "labels": to.Labels},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answeredWithin)
	defer cancel()
	if _, err := k.Run(ctx, namespace, "create", "-f", "-"); err != nil {
		return fmt.Errorf("%w; kubectl delete namespace %s removes what an earlier measurement left", err, to.Namespace)
	}
	return nil
}

// CopyMesh makes a copy of the stage in the namespace that Prepare made, and waits until its shop answers.
func (k Kubectl) CopyMesh(ctx context.Context, m Mesh, to Place) error {
	list, err := k.Run(ctx, nil, "get", "secrets,serviceaccounts,services,deployments,statefulsets", "-n", m.Namespace,
		"-l", fmt.Sprintf("app in (%s,%s,%s)", Shop, Database, Cache), "-o", "json")
	if err != nil {
		return err
	}
	objects, err := Copy(list, to)
	if err != nil {
		return err
	}
	if _, err := k.Run(ctx, objects, "create", "-f", "-"); err != nil {
		return fmt.Errorf("copy the shop to the namespace %s: %w", to.Namespace, err)
	}
	for _, what := range []string{"statefulset/" + Database, "deployment/" + Cache, "deployment/" + Shop} {
		if _, err := k.Run(ctx, nil, "rollout", "status", what, "-n", to.Namespace, "--timeout",
			readyWithin.String()); err != nil {
			return errors.Join(err, k.warnings(ctx, to.Namespace))
		}
	}
	return await(ctx, fmt.Sprintf("http://%s:%d/api/products?limit=1", m.Host, to.NodePort))
}

// warnings are what the cluster complains about in a namespace, such as pods that do not fit the node.
func (k Kubectl) warnings(ctx context.Context, namespace string) error {
	text, err := k.Run(ctx, nil, "get", "events", "-n", namespace, "--field-selector", "type=Warning", "-o",
		`jsonpath={range .items[*]}{.involvedObject.name}: {.message}{"\n"}{end}`)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		return nil
	}
	return errors.New(strings.TrimSpace(string(text)))
}

// await asks until the answer is 200: a port of a node works a moment after its pods are ready.
func await(ctx context.Context, url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	for end := time.Now().Add(readyWithin); ; {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		status := "no answer"
		if err == nil {
			status = answer.Status
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		if time.Now().After(end) {
			return errors.Join(fmt.Errorf("GET %s for %s: %s; is that port of the node reached from here?", url, readyWithin,
				status), err)
		}
		if err := watch.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// Remove deletes namespaces and waits until they are gone, unless ctx has ended; an error says what is left.
func (k Kubectl) Remove(ctx context.Context, namespaces ...string) error {
	if len(namespaces) == 0 {
		return nil
	}
	wait := fmt.Sprintf("--wait=%t", ctx.Err() == nil)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyWithin)
	defer cancel()
	args := append([]string{"delete", "namespace", "--ignore-not-found", wait}, namespaces...)
	if _, err := k.Run(ctx, nil, args...); err != nil {
		names := strings.Join(namespaces, " ")
		return fmt.Errorf("of %s something may be left; remove it with: kubectl delete namespace %s\n%w", names, names, err)
	}
	return nil
}
