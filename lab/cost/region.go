package cost

import (
	"regexp"
	"strings"
)

// globalTypes have one price everywhere, whichever region their provider is in.
var globalTypes = []string{"aws:cloudfront/", "aws:route53/", "aws:iam/", "aws:globalaccelerator/", "aws:budgets/", "aws:organizations/"}

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

// locate finds out where each AWS resource is: by its own region, its ARN, its zone, or its provider's
// region. A stack with one AWS provider has all its resources there, and one without is where the
// configuration of its preview says: previews leave out the default provider.
func (g *Graph) locate(configured string) {
	providers, only, several := map[string]string{}, "", false
	for _, p := range g.ofType(awsProvider) {
		region, _ := p.at("region").raw.(string)
		providers[p.URN] = region
		several = several || (only != "" && region != only)
		only = region
	}
	switch {
	case several:
		only = ""
	case only == "":
		only = configured
	}
	for i := range g.Resources {
		r := &g.Resources[i]
		if !strings.HasPrefix(r.Type, "aws:") || global(r.Type) {
			continue
		}
		r.Region = r.ownRegion()
		if r.Region == "" {
			urn, _, _ := cutLast(r.Provider, "::")
			r.Region = providers[urn]
		}
		if r.Region == "" {
			r.Region = only
		}
	}
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
