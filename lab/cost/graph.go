package cost

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Resource is one node of a resource graph: what Pulumi was asked to make.
type Resource struct {
	URN    string         `json:"urn"`
	Type   string         `json:"type"` // "aws:ec2/instance:Instance"
	Name   string         `json:"name"`
	ID     string         `json:"id"`
	Inputs map[string]any `json:"inputs"`
}

// Graph is the resources of one stack.
type Graph []Resource

// ReadGraph decodes the output of `pulumi preview --json`, of `pulumi stack export`, or a golden
// graph of platform/testdata, whichever it is.
func ReadGraph(r io.Reader) (Graph, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read resource graph: %w", err)
	}
	var doc struct {
		Steps *[]struct {
			Op       string   `json:"op"`
			NewState Resource `json:"newState"`
		} `json:"steps"`
		Deployment *struct {
			Resources Graph `json:"resources"`
		} `json:"deployment"`
		Resources *Graph `json:"resources"`
	}
	if strings.HasPrefix(strings.TrimSpace(string(b)), "[") {
		doc.Resources = &Graph{}
		err = json.Unmarshal(b, doc.Resources)
	} else {
		err = json.Unmarshal(b, &doc)
	}
	if err != nil {
		return nil, fmt.Errorf("decode resource graph: %w", err)
	}
	var g Graph
	switch {
	case doc.Steps != nil:
		for _, s := range *doc.Steps {
			if !strings.HasPrefix(s.Op, "delete") && s.Op != "discard" {
				g = append(g, s.NewState)
			}
		}
	case doc.Deployment != nil:
		g = doc.Deployment.Resources
	case doc.Resources != nil:
		g = *doc.Resources
	default:
		return nil, errors.New("no resources in it: expected the output of `pulumi preview --json`, " +
			"of `pulumi stack export`, or a golden graph")
	}
	for i := range g {
		if g[i].Name == "" {
			g[i].Name = g[i].URN[strings.LastIndex(g[i].URN, "::")+1:]
			g[i].Name = strings.TrimPrefix(g[i].Name, ":")
		}
	}
	return g, nil
}

func (g Graph) ofType(typ string) Graph {
	var out Graph
	for _, r := range g {
		if r.Type == typ {
			out = append(out, r)
		}
	}
	return out
}

// referred returns the resource of a type that ref (an id, ARN or name) points at. While ids are
// still unknown, as in a first preview, the only resource of that type is taken for it.
func (g Graph) referred(typ, ref string) (Resource, bool) {
	all := g.ofType(typ)
	for _, r := range all {
		if ref != "" && (r.ID == ref || r.Name == ref || (r.ID != "" && strings.Contains(ref, r.ID))) {
			return r, true
		}
	}
	if len(all) == 1 {
		return all[0], true
	}
	return Resource{}, false
}

// text returns the string at a path of nested objects; the first element of a list stands for it.
func (r Resource) text(path ...string) string {
	s, _ := r.at(path...).(string)
	return s
}

// number returns the number at a path, also from a string such as ECS' "256"; 0 if there is none.
func (r Resource) number(path ...string) float64 {
	switch v := r.at(path...).(type) {
	case float64:
		return v
	case string:
		var f float64
		if _, err := fmt.Sscanf(v, "%g", &f); err == nil {
			return f
		}
	}
	return 0
}

func (r Resource) truth(path ...string) bool {
	switch v := r.at(path...).(type) {
	case bool:
		return v
	case string:
		return v == "true"
	}
	return false
}

func (r Resource) at(path ...string) any {
	var v any = r.Inputs
	for _, key := range path {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func (r Resource) length(key string) int {
	list, _ := r.Inputs[key].([]any)
	return len(list)
}
