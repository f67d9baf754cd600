package cost

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// document is any of the JSON documents that ReadGraph takes.
type document struct {
	// Of `pulumi preview --json`.
	Config        map[string]any `json:"config"`
	Steps         *[]step        `json:"steps"`
	ChangeSummary map[string]int `json:"changeSummary"`
	Diagnostics   []struct {
		Message  string `json:"message"`
		Severity string `json:"severity"`
	} `json:"diagnostics"`
	MaybeCorrupt bool `json:"maybeCorrupt"`
	// Of `pulumi stack export`.
	Deployment *struct {
		Resources []Resource  `json:"resources"`
		Pending   []operation `json:"pending_operations"`
	} `json:"deployment"`
	// A declared graph as an object.
	Resources *[]Resource `json:"resources"`
}

type step struct {
	Op       string    `json:"op"`
	URN      string    `json:"urn"`
	NewState *Resource `json:"newState"`
}

type operation struct {
	Resource Resource `json:"resource"`
	Type     string   `json:"type"`
}

// UTF8 turns UTF-16 with a byte-order mark, which PowerShell's redirection writes, into UTF-8, and takes a mark away.
func UTF8(r io.Reader) io.Reader {
	return transform.NewReader(r, unicode.BOMOverride(transform.Nop))
}

// ReadGraph decodes the output of `pulumi preview --json`, of `pulumi stack export`, or the
// graph of a stage in platform/graphs, whichever it is. A document that admits to be a part only gives a Graph
// that says so.
func ReadGraph(r io.Reader) (Graph, error) {
	b, err := io.ReadAll(UTF8(r))
	if err != nil {
		return Graph{}, fmt.Errorf("read resource graph: %w", err)
	}
	doc, err := decode(strings.TrimSpace(string(b)))
	if err != nil {
		return Graph{}, err
	}
	var g Graph
	switch {
	case doc.Steps != nil:
		g.addSteps(doc)
	case doc.Deployment != nil:
		for _, r := range doc.Deployment.Resources {
			g.add(r)
		}
		g.addPending(doc.Deployment.Pending)
	case doc.Resources != nil:
		for _, r := range *doc.Resources {
			g.add(r)
		}
	default:
		return Graph{}, errors.New("no resources in it: expected the output of `pulumi preview --json`, " +
			"of `pulumi stack export`, or the graph of a stage")
	}
	region, _ := doc.Config["aws:region"].(string)
	g.locate(region)
	g.Resources = slices.DeleteFunc(g.Resources, Resource.isComponent)
	return g, nil
}

func decode(text string) (document, error) {
	var doc document
	var err error
	switch {
	case text == "":
		return doc, errors.New("decode resource graph: it is empty; did the command that was to write it fail?")
	case strings.HasPrefix(text, "["):
		doc.Resources = &[]Resource{}
		err = json.Unmarshal([]byte(text), doc.Resources)
	case strings.HasPrefix(text, "{"):
		err = json.Unmarshal([]byte(text), &doc)
	default:
		return doc, fmt.Errorf("decode resource graph: no JSON, it begins with %s", short(text))
	}
	if err != nil {
		return doc, fmt.Errorf("decode resource graph: %w", err)
	}
	return doc, nil
}

// add takes a resource in, unless it is on its way out or belongs to somebody else. A URN that is there
// already is a second state of the same resource: the later one counts.
func (g *Graph) add(r Resource) {
	if r.Delete || r.External {
		return
	}
	if r.Name == "" {
		r.Name = strings.TrimPrefix(r.URN[strings.LastIndex(r.URN, "::")+1:], ":")
	}
	if r.URN != "" {
		if i := slices.IndexFunc(g.Resources, func(other Resource) bool { return other.URN == r.URN }); i >= 0 {
			g.Resources[i] = r
			return
		}
	}
	g.Resources = append(g.Resources, r)
}

// isComponent tells a resource that only groups others; what it is made of is in the graph by itself.
func (r Resource) isComponent() bool { return r.Custom != nil && !*r.Custom }

// leaving are the steps that leave nothing of the stack's behind: deletions, and reads of what others own.
var leaving = []string{
	"delete", "delete-replaced", "discard", "discard-replaced", "read", "read-replacement", "read-discard",
	"remove-pending-replace",
}

func (g *Graph) addSteps(doc document) {
	shown := map[string]int{}
	for _, s := range *doc.Steps {
		shown[s.Op]++
		if s.NewState != nil && !slices.Contains(leaving, s.Op) {
			g.add(*s.NewState)
		}
	}
	if hidden := doc.ChangeSummary["same"] - shown["same"]; hidden > 0 {
		g.partial("the preview hides %d resources that do not change: ask for them with `pulumi preview --json "+
			"--show-sames`, or give what `pulumi stack export` prints", hidden)
	}
	for _, op := range []string{"create", "update", "replace", "import", "refresh"} {
		if missing := doc.ChangeSummary[op] - shown[op] - shown[op+"-replacement"]; missing > 0 {
			g.partial("the preview counts %d more resources to %s than it lists", missing, op)
		}
	}
	for _, d := range doc.Diagnostics {
		if d.Severity == "error" {
			message, _, _ := strings.Cut(strings.TrimSpace(d.Message), "\n")
			g.partial("the preview failed: %s", message)
			return
		}
	}
	switch {
	case doc.MaybeCorrupt:
		g.partial("the preview says of itself that it may be corrupt")
	case doc.ChangeSummary == nil:
		g.partial("the preview did not come to its end: its summary is missing")
	}
}

// addPending notes operations that were not finished when the stack was exported.
func (g *Graph) addPending(pending []operation) {
	for _, op := range pending {
		g.partial("an update is under way or was interrupted: %s is %s", op.Resource.URN, op.Type)
	}
}

func (g *Graph) partial(format string, args ...any) {
	g.Incomplete = append(g.Incomplete, fmt.Sprintf(format, args...))
}
