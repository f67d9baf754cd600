package cluster

import (
	"encoding/json"
	"fmt"
)

// object is one of Kubernetes', as JSON has it.
type object = map[string]any

// Place is where a copy goes.
type Place struct {
	Namespace string
	Labels    map[string]string // the namespace's
	Hostname  string            // the node's label kubernetes.io/hostname
	Entry     string            // the Service that gets a port of the node
	NodePort  int
	// Sidecar are annotations of the entry's pods, which keep their sidecars; nil where no pod has one. Other pods have
	// none in any case, and with sidecars about, the mesh does not know their Services, as it knows nothing of RDS and
	// ElastiCache.
	Sidecar map[string]string
}

// Copy makes of a namespace's Secrets, ServiceAccounts, Services, Deployments and StatefulSets, a List as kubectl
// prints it, the same for another namespace, whose pods get no sidecar unless the place says so, all of them on one
// node. One Service is reached at a port of the node.
func Copy(list []byte, to Place) ([]byte, error) {
	var from struct{ Items []object }
	if err := json.Unmarshal(list, &from); err != nil {
		return nil, fmt.Errorf("objects to copy: %w", err)
	}
	var items []object
	for _, o := range from.Items {
		made, err := to.copied(o)
		if err != nil {
			return nil, err
		}
		items = append(items, made)
	}
	if to.Sidecar != nil {
		items = append(items, to.plainText())
	}
	return json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": items})
}

// copied is one object, without what the API server or a controller wrote into it.
func (to Place) copied(o object) (object, error) {
	metadata, spec := in(o, "metadata"), in(o, "spec")
	entry := metadata["name"] == to.Entry
	made := object{"apiVersion": o["apiVersion"], "kind": o["kind"], "metadata": object{
		"name": metadata["name"], "namespace": to.Namespace, "labels": metadata["labels"],
	}}
	switch o["kind"] {
	case "Secret":
		made["type"], made["data"] = o["type"], o["data"]
	case "ServiceAccount":
		made["automountServiceAccountToken"] = o["automountServiceAccountToken"]
	case "Service":
		made["spec"] = to.service(spec, entry)
		if to.Sidecar != nil && !entry {
			in(made, "metadata")["annotations"] = unknownToTheMesh
		}
	case "Deployment", "StatefulSet":
		template := in(spec, "template")
		labels, pod := in(in(template, "metadata"), "labels"), in(template, "spec")
		template["metadata"] = object{"labels": withoutSidecar(labels)}
		if to.Sidecar != nil && entry {
			template["metadata"] = object{"labels": labels, "annotations": to.Sidecar}
			promiseLess(pod)
		}
		pod["nodeSelector"] = object{"kubernetes.io/hostname": to.Hostname}
		made["spec"] = spec
	default:
		return nil, fmt.Errorf("an object to copy is a %v, which is not known here", o["kind"])
	}
	return made, nil
}

// service is a Service's spec, without the addresses that it has.
func (to Place) service(spec object, entry bool) object {
	var ports []object
	list, _ := spec["ports"].([]any)
	for _, p := range list {
		port, _ := p.(object)
		made := object{"name": port["name"], "port": port["port"], "targetPort": port["targetPort"]}
		if entry {
			made["nodePort"] = to.NodePort
		}
		ports = append(ports, made)
	}
	made := object{"selector": spec["selector"], "ports": ports}
	if entry {
		made["type"] = "NodePort"
	}
	return made
}

// withoutSidecar adds Istio's label to those of a pod, which counts whatever a cluster injects by default.
// Source: Istio's documentation, "Installing the Sidecar".
func withoutSidecar(labels object) object {
	all := object{"sidecar.istio.io/inject": "false"}
	for name, value := range labels {
		all[name] = value
	}
	return all
}

// unknownToTheMesh are a Service's annotations: exported to no namespace, no sidecar has it. What is sent to its
// address goes on as to any other outside of the mesh.
// Source: istio.io/istio, pkg/config/visibility (None) and pilot/pkg/model/push_context.go (initServiceRegistry).
var unknownToTheMesh = object{"networking.istio.io/exportTo": "~"}

// plainText lets the entry's sidecars take plain text, whatever the rest of the mesh does: no gateway is before them.
func (to Place) plainText() object {
	return object{
		"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
		"metadata": object{"name": "plain-text", "namespace": to.Namespace},
		"spec":     object{"mtls": object{"mode": "PERMISSIVE"}},
	}
}

// promised is the CPU that a container with a sidecar asks for in a copy, in place of its own: less, because the node
// has to hold the stage and two such copies. Its limit stays.
const promised = "100m"

func promiseLess(pod object) {
	containers, _ := pod["containers"].([]any)
	for _, c := range containers {
		container, _ := c.(object)
		in(in(container, "resources"), "requests")["cpu"] = promised
	}
}

// in is an object within another; an empty one where there is none.
func in(o object, key string) object {
	inner, ok := o[key].(object)
	if !ok {
		return object{}
	}
	return inner
}
