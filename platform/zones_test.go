package platform

import (
	"slices"
	"strings"
	"testing"

	"shoplab/contract"
	"shoplab/stack"
)

func TestPickZones(t *testing.T) {
	good := func(name string) zone { return zone{name, true, true} }
	bare := func(name string) zone { return zone{name, false, true} }
	apart := func(name string) zone { return zone{name, true, false} }
	for name, test := range map[string]struct {
		topology, https string
		zones           []zone
		want            []string
		problem         string
	}{
		"the first by name":       {contract.Balanced, "", []zone{good("c"), good("a"), good("b")}, []string{"a", "b"}, ""},
		"one lacks the type":      {contract.Balanced, "", []zone{bare("a"), good("b"), good("c")}, []string{"b", "c"}, ""},
		"one has no VPC origins":  {contract.Fargate, "", []zone{apart("a"), good("b"), good("c")}, []string{"b", "c"}, ""},
		"one server, one zone":    {contract.Single, "", []zone{bare("a"), good("b")}, []string{"b", "a"}, ""},
		"one server needs no VPC": {contract.Mesh, "", []zone{apart("a"), apart("b")}, []string{"a", "b"}, ""},
		"a fleet needs two": {
			contract.Balanced, "", []zone{bare("a"), good("b")}, nil, "EC2 offers t4g.small in b, and topology balanced needs " +
				"2 zone(s)",
		},
		"no zone offers": {contract.Single, "", []zone{bare("a"), bare("b")}, nil, "offers t4g.small in none of its zones"},
		"no two VPC origins": {
			contract.Fargate, "", []zone{apart("a"), good("b")}, nil, "VPC origins in b, and topology fargate needs 2 such " +
				"zones",
		},
		"which https off does not need": {
			contract.Fargate, contract.HTTPSOff, []zone{apart("a"), good("b")}, []string{"b", "a"}, "",
		},
		"one zone": {contract.Single, "", []zone{good("a")}, nil, "has 1 zone(s)"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{stack.Config{Topology: test.topology, HTTPS: test.https, InstanceType: "t4g.small", Region: "us-east-1"}}
			if c.HTTPS == "" {
				c.HTTPS = contract.HTTPSCloudFront
			}
			got, err := c.pickZones(test.zones)
			if !slices.Equal(got, test.want) || (err == nil) != (test.problem == "") || err != nil &&
				!strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, %v; want %v, %q", got, err, test.want, test.problem)
			}
		})
	}
}

// TestZonesBeforeResources: a region where nothing can run is said before anything is made.
func TestZonesBeforeResources(t *testing.T) {
	setConfig(t, stackConfig(t, "stage2", map[string]string{"shoplab:image": anImage}))
	r := &recorder{answers: map[string]map[string]any{
		"aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": {"locations": []any{"us-east-1b"}},
	}}
	err := runProgram(t, "stage2", r, Deploy)
	if err == nil || !strings.Contains(err.Error(), "choose another shoplab:instanceType or aws:region") {
		t.Errorf("got %v", err)
	}
	for _, res := range r.resources {
		if res.Type != "pulumi:pulumi:Stack" {
			t.Errorf("%s %s was registered before", res.Type, res.Name)
		}
	}
}
