package cost

import (
	"slices"
	"strings"
)

// Resource is one node of a resource graph: what Pulumi was asked to make, and what came of it.
type Resource struct {
	URN    string         `json:"urn"`
	Type   string         `json:"type"` // "aws:ec2/instance:Instance"
	Name   string         `json:"name"`
	ID     string         `json:"id"`
	Inputs map[string]any `json:"inputs"`
	// Outputs have what AWS filled in, once the resource exists.
	Outputs map[string]any `json:"outputs"`
	// PropertyDependencies are the URNs that each input was computed from.
	PropertyDependencies map[string][]string `json:"propertyDependencies"`
	// Region is where the resource is, "" where the graph does not say.
	Region string `json:"-"`

	Custom   *bool  `json:"custom"` // false for a component, which is only a parent of others
	External bool   `json:"external"`
	Delete   bool   `json:"delete"`
	Provider string `json:"provider"` // "URN::ID" of the resource's provider
}

// Graph is the resources of one stack.
type Graph struct {
	Resources []Resource
	// Incomplete says why Resources are not the whole stack, one sentence each; empty when they are.
	Incomplete []string
}

func (g Graph) ofType(types ...string) []Resource {
	var out []Resource
	for _, r := range g.Resources {
		if slices.Contains(types, r.Type) {
			out = append(out, r)
		}
	}
	return out
}

// referred returns the resource of a type that an input of r points at by id, name, ARN or, while ids are
// unknown as in a first preview, by what the input was computed from. Where the graph says none of that,
// the only resource of the type is taken.
func (g Graph) referred(r Resource, typ string, path ...string) (Resource, bool) {
	all := g.ofType(typ)
	v := r.at(path...)
	ref, known := v.raw.(string)
	if known {
		for _, target := range all {
			if target.is(ref) {
				return target, true
			}
		}
	}
	for _, urn := range r.PropertyDependencies[path[0]] {
		for _, target := range all {
			if target.URN == urn {
				return target, true
			}
		}
	}
	if len(all) == 1 && (!known || looksMocked(ref)) {
		return all[0], true
	}
	return Resource{}, false
}

// looksMocked tells the ARNs that Pulumi's mocks make up, which name nothing.
func looksMocked(ref string) bool { return strings.HasPrefix(ref, "arn:aws:mock:") }

// is tells whether ref is the resource's id, name, ARN, or an ARN that ends in one of them.
func (r Resource) is(ref string) bool {
	if ref == "" {
		return false
	}
	names := []string{
		r.ID, r.Name, r.output("arn"), r.output("name"), r.output("family"), r.input("name"), r.input("family"),
	}
	if slices.Contains(names, ref) {
		return true
	}
	for part := range strings.FieldsFuncSeq(ref, func(c rune) bool { return c == ':' || c == '/' }) {
		if part != "" && part == r.ID || part == r.Name || part == r.input("family") {
			return part != ""
		}
	}
	return false
}

func (r Resource) input(key string) string {
	s, _ := r.Inputs[key].(string)
	return s
}

func (r Resource) output(key string) string {
	s, _ := r.Outputs[key].(string)
	return s
}
