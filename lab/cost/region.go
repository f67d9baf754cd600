package cost

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// globalTypes have one price everywhere, whichever region their provider is in.
var globalTypes = []string{
	"aws:cloudfront/", "aws:route53/", "aws:iam/", "aws:globalaccelerator/", "aws:budgets/", "aws:organizations/",
}

func global(typ string) bool {
	for _, p := range globalTypes {
		if strings.HasPrefix(typ, p) {
			return true
		}
	}
	return false
}

var (
	arnRegion  = regexp.MustCompile(`^arn:aws[a-z-]*:[a-z0-9-]+:([a-z]{2}(?:-[a-z]+)+-\d):`)
	zoneRegion = regexp.MustCompile(`^([a-z]{2}(?:-[a-z]+)+-\d)[a-z]$`)
)

const awsProvider = "pulumi:providers:aws"

// locate finds out where each AWS resource is: by its own region, its ARN or its zone, else where its
// provider is. A provider that takes its region from the environment has none in the graph; it is then where
// its other resources are. What no resource tells is configured, in a preview, which leaves out the
// default provider.
func (g *Graph) locate(configured string) {
	declared, seen, all := map[string]string{}, map[string]places{}, places{}
	for _, p := range g.ofType(awsProvider) {
		declared[p.URN], _ = p.at("region").raw.(string)
		all.add(declared[p.URN])
	}
	for i := range g.Resources {
		r := &g.Resources[i]
		if !r.regional() {
			continue
		}
		r.Region = r.ownRegion()
		all.add(r.Region)
		if seen[r.providerURN()] == nil {
			seen[r.providerURN()] = places{}
		}
		seen[r.providerURN()].add(r.Region)
	}
	for i := range g.Resources {
		if r := &g.Resources[i]; r.regional() {
			r.Region = cmp.Or(r.Region, declared[r.providerURN()], seen[r.providerURN()].only(), all.only(), configured)
		}
	}
}

// places are regions.
type places map[string]bool

func (p places) add(region string) {
	if region != "" {
		p[region] = true
	}
}

// only is the region when there is one alone.
func (p places) only() string {
	if len(p) != 1 {
		return ""
	}
	return slices.Collect(maps.Keys(p))[0]
}

func (r Resource) regional() bool { return strings.HasPrefix(r.Type, "aws:") && !global(r.Type) }

func (r Resource) providerURN() string {
	urn, _, _ := cutLast(r.Provider, "::")
	return urn
}

func (r Resource) ownRegion() string {
	if region, ok := r.at("region").raw.(string); ok {
		return region
	}
	for _, text := range []string{r.output("arn"), r.ID} {
		if m := arnRegion.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	zone, _ := r.at("availabilityZone").raw.(string)
	if m := zoneRegion.FindStringSubmatch(zone); m != nil {
		return m[1]
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
