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
}

// Copy makes of a namespace's Secrets, ServiceAccounts, Services, Deployments and StatefulSets, a List as kubectl
// prints it, the same for another namespace, whose pods get no sidecar, all of them on one node. One Service is reached
// at a port of the node.
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
	return json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": items})
}

// copied is one object, without what the API server or a controller wrote into it.
func (to Place) copied(o object) (object, error) {
	metadata, spec := in(o, "metadata"), in(o, "spec")
	made := object{"apiVersion": o["apiVersion"], "kind": o["kind"], "metadata": object{
		"name": metadata["name"], "namespace": to.Namespace, "labels": metadata["labels"],
	}}
	switch o["kind"] {
	case "Secret":
		made["type"], made["data"] = o["type"], o["data"]
	case "ServiceAccount":
		made["automountServiceAccountToken"] = o["automountServiceAccountToken"]
	case "Service":
		made["spec"] = to.service(spec, metadata["name"] == to.Entry)
	case "Deployment", "StatefulSet":
		template := in(spec, "template")
		template["metadata"] = object{"labels": withoutSidecar(in(in(template, "metadata"), "labels"))}
		in(template, "spec")["nodeSelector"] = object{"kubernetes.io/hostname": to.Hostname}
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

// in is an object within another; an empty one where there is none.
func in(o object, key string) object {
	inner, ok := o[key].(object)
	if !ok {
		return object{}
	}
	return inner
}
