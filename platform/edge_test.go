package platform

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"shoplab/contract"
)

// has says whether the graph has a resource of a type.
func (g *graphOf) has(kind string) bool {
	return slices.ContainsFunc(g.all, func(res registered) bool { return res.Type == kind })
}

// publicSubnets are the ids of the subnets whose routes lead to an internet gateway.
func (g *graphOf) publicSubnets() (ids []string) {
	var tables []string
	for _, res := range g.all {
		if res.Type == "aws:ec2/route:Route" && res.has("gatewayId") {
			tables = append(tables, res.text("routeTableId"))
		}
	}
	for _, res := range g.all {
		if res.Type == "aws:ec2/routeTableAssociation:RouteTableAssociation" &&
			slices.Contains(tables, res.text("routeTableId")) {
			ids = append(ids, res.text("subnetId"))
		}
	}
	return ids
}

const (
	distributionType = "aws:cloudfront/distribution:Distribution"
	vpcOriginType    = "aws:cloudfront/vpcOrigin:VpcOrigin"
	balancerType     = "aws:lb/loadBalancer:LoadBalancer"
)

// frontDoor: behind CloudFront nothing is open to the world, a load balancer is reached inside the VPC alone,
// and a public origin asks for the secret.
func (g *graphOf) frontDoor(res registered) {
	switch res.Type {
	case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
		world := res.text("cidrIpv4") == "0.0.0.0/0" || res.text("cidrIpv6") == "::/0"
		if world && g.has(distributionType) {
			g.violate(res, "is a way in that does not pass CloudFront")
		}
		if (world || res.text("prefixListId") != "") && g.has(balancerType) &&
			strings.HasPrefix(res.text("securityGroupId"), "network-compute-group") {
			g.violate(res, "is a way to the shop that does not pass the load balancer")
		}
		if (world || res.text("prefixListId") != "") && !slices.Equal(res.ReplacedOn, []string{"cidrIpv4", "prefixListId"}) {
			g.violate(res, "is changed in place when the kind of its source changes, which EC2 refuses")
		}
	case distributionType:
		for _, code := range cachedErrors {
			if !slices.ContainsFunc(res.list("customErrorResponses"), func(of map[string]any) bool {
				return of["errorCode"] == float64(code) && of["errorCachingMinTtl"] == 0.0 && len(of) == 2
			}) {
				g.violate(res, "answers others with one shopper's error %d", code)
			}
		}
		for _, origin := range res.list("origins") {
			_, public := origin["customOriginConfig"]
			_, private := origin["vpcOriginConfig"]
			if public && g.has(balancerType) || public == private {
				g.violate(res, "reaches the load balancer over public addresses")
			}
			if public && origin["customHeaders"] == nil {
				g.violate(res, "proves nothing to its origin")
			}
		}
	case vpcOriginType:
		// CloudFront refuses every change while a distribution uses it.
		if !slices.Equal(res.ReplacedOn, []string{"vpcOriginEndpointConfig"}) || !slices.Contains(res.Ignored, "tags") {
			g.violate(res, "is changed in place, which CloudFront refuses")
		}
		for _, timeout := range []string{"timeouts.create", "timeouts.delete"} {
			g.expect(res, timeout, "30m")
		}
	}
}

// balanced: a load balancer is internal in private subnets if CloudFront stands before it, and public without.
// The header that names the shopper is CloudFront's then, and its own without.
func (g *graphOf) balanced(res registered) {
	if res.Type != balancerType {
		return
	}
	internal := g.has(distributionType)
	g.expect(res, "internal", internal)
	g.expect(res, "xffHeaderProcessingMode", map[bool]string{true: "preserve", false: "append"}[internal])
	subnets, _ := jsonable(res.at("subnets")).([]any)
	if len(subnets) != zonesNeeded {
		g.violate(res, "stands in %d subnets", len(subnets))
	}
	for _, subnet := range subnets {
		if id, _ := subnet.(string); slices.Contains(g.publicSubnets(), id) == internal {
			g.violate(res, "stands in %s, internal: %t", id, internal)
		}
	}
	for _, other := range g.all {
		if other.Type == "aws:lb/targetGroup:TargetGroup" && !slices.Contains(other.ReplacedWith, res.Name) {
			g.violate(other, "outlives its load balancer, and cannot serve the next one as well")
		}
	}
}

// trusting: the service believes hops of its own network only. Others' addresses change without notice.
func (g *graphOf) trusting(res registered) {
	for _, text := range res.settings(contract.EnvTrustedProxies) {
		for one := range strings.SplitSeq(text, ",") {
			network, err := netip.ParsePrefix(one)
			if err != nil || !network.Addr().IsPrivate() && !network.Addr().IsLoopback() {
				g.violate(res, "believes %q about who asks (%v)", one, err)
			}
		}
	}
}

// TestEdgeInvariantsCanFail breaks the way in on purpose: each break must be seen.
func TestEdgeInvariantsCanFail(t *testing.T) {
	set := func(path string, value any) func(*registered) {
		return func(res *registered) { put(res.Inputs, strings.Split(path, "."), resource.NewPropertyValue(value)) }
	}
	origins := func(origin map[string]any) func(*registered) { return set("origins", []any{origin}) }
	public := map[string]any{"httpPort": 80.0, "originProtocolPolicy": "http-only"}
	for name, test := range map[string]struct {
		stack, https, resource string
		spoil                  func(*registered)
		want                   string
	}{
		"back door": {"stage2", "", "balancer-in", set("cidrIpv4", "0.0.0.0/0"), "does not pass CloudFront"},
		"back door, one server": {
			"stage1", "", "network-compute-in", set("cidrIpv4", "0.0.0.0/0"), "does not pass CloudFront",
		},
		"past the balancer": {
			"stage3", contract.HTTPSOff, "balancer-in", set("securityGroupId", "network-compute-group-id"),
			"does not pass the load balancer",
		},
		"source changed": {
			"stage3", contract.HTTPSOff, "balancer-in", func(r *registered) { r.ReplacedOn = nil }, "kind of its source",
		},
		"public balancer":   {"stage2", "", "balancer-alb", set("internal", false), "internal is false"},
		"internal balancer": {"stage3", contract.HTTPSOff, "balancer-alb", set("internal", true), "internal is true"},
		"in public subnets": {
			"stage2", "", "balancer-alb", set("subnets", []any{"network-public-0-id", "network-public-1-id"}),
			"stands in network-public-0-id",
		},
		"in private subnets": {
			"stage2", contract.HTTPSOff, "balancer-alb", set("subnets", []any{"network-private-0-id", "network-private-1-id"}),
			"stands in network-private-0-id",
		},
		"adds CloudFront": {"stage3", "", "balancer-alb", set("xffHeaderProcessingMode", "append"), "want preserve"},
		"believes the shopper": {
			"stage3", contract.HTTPSOff, "balancer-alb", set("xffHeaderProcessingMode", "preserve"), "want append",
		},
		"two balancers' targets": {
			"stage3", "", "balancer-targets", func(r *registered) { r.ReplacedWith = nil }, "outlives its load balancer",
		},
		"plain HTTP origin": {
			"stage2", "", "edge-distribution", origins(map[string]any{"customOriginConfig": public}), "over public addresses",
		},
		"no secret": {
			"stage4", "", "edge-distribution", origins(map[string]any{"customOriginConfig": public}), "proves nothing",
		},
		"VPC origin in place": {"stage2", "", "edge-vpc-origin", func(r *registered) { r.ReplacedOn = nil }, "in place"},
		"VPC origin retagged": {"stage2", "", "edge-vpc-origin", func(r *registered) { r.Ignored = nil }, "in place"},
		"impatient":           {"stage2", "", "edge-vpc-origin", set("timeouts.delete", "5m"), "want 30m"},
		"somebody else's " +
			"list": {"stage4", "", "mesh-deployment", set("spec.template.spec.containers", []any{map[string]any{"env": []any{
			map[string]any{"name": contract.EnvTrustedProxies, "value": "10.42.0.0/16,120.52.22.96/27"},
		}}}), "120.52.22.96/27"},
	} {
		t.Run(name, func(t *testing.T) {
			change := map[string]string{"shoplab:image": anImage}
			maps.Copy(change, operator(test.stack))
			if test.https != "" {
				change["shoplab:https"] = test.https
			}
			r := record(t, test.stack, "", "", change)
			r.seen(t, test.resource, test.spoil, test.want)
		})
	}
}

// TestUnchangedUp gives the program other answers of AWS's, as it gives them from one day to the next: what it
// registers is the same, but for inputs whose changes it ignores.
func TestUnchangedUp(t *testing.T) {
	for name, later := range map[string]map[string]map[string]any{
		"another prefix list": {"aws:ec2/getManagedPrefixList:getManagedPrefixList": {"id": "pl-3b927c52", "entries": []any{
			map[string]any{"cidr": "120.52.22.96/27"},
			map[string]any{"cidr": "15.158.0.0/16"},
			map[string]any{"cidr": "3.172.0.0/18"},
		}}},
		"other zones": {
			"aws:index/getAvailabilityZones:getAvailabilityZones": {
				"names": []any{"us-east-1c", "us-east-1f"}, "zoneIds": []any{"use1-az4", "use1-az5"},
			},
			"aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": {"locations": []any{"us-east-1c", "us-east-1f"}},
		},
	} {
		for _, stack := range stacks {
			t.Run(name+" "+stack, func(t *testing.T) {
				change := map[string]string{"shoplab:image": anImage}
				maps.Copy(change, operator(stack))
				before, after := &recorder{}, &recorder{answers: later}
				deployTo(t, stack, "", before, change)
				deployTo(t, stack, "", after, change)
				is := after.graph(t)
				for resource, want := range before.graph(t) {
					if got := is[resource]; got != want {
						t.Errorf("%s was\n%s\nand is\n%s", resource, want, got)
					}
				}
			})
		}
	}
}

// graph is each resource's inputs as JSON by its name, without those whose changes are ignored.
func (r *recorder) graph(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, res := range r.resources {
		inputs := maps.Clone(revealed(resource.NewProperty(res.Inputs)).(map[string]any))
		for _, ignored := range res.Ignored {
			delete(inputs, ignored)
		}
		text, err := json.Marshal(inputs)
		if err != nil {
			t.Fatal(err)
		}
		all[res.Type+" "+res.Name] = string(text)
	}
	return all
}

// TestGatewayNamesTheShopper: where CloudFront proves itself, the mesh's gateway counts it as a proxy and tells
// the shop the shopper's address alone; elsewhere it adds its peer's.
func TestGatewayNamesTheShopper(t *testing.T) {
	const shopper = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
	for _, https := range []string{contract.HTTPSCloudFront, contract.HTTPSOff} {
		change := map[string]string{"shoplab:image": anImage, "shoplab:https": https}
		maps.Copy(change, operator("stage4"))
		behind := https == contract.HTTPSCloudFront
		for _, res := range record(t, "stage4", "", "", change).resources {
			text, err := json.Marshal(revealed(resource.NewProperty(res.Inputs)))
			if err != nil {
				t.Fatal(err)
			}
			switch res.Name {
			case "mesh-" + gatewayRelease:
				if counts := strings.Contains(string(text), `\"numTrustedProxies\":1`); counts != behind {
					t.Errorf("https %s: the gateway counts CloudFront: %t", https, counts)
				}
			case "mesh-routes":
				secrets := strings.Count(string(text), strings.ToLower(contract.OriginHeader))
				names := strings.Count(string(text), `{"x-forwarded-for":"`+shopper+`"}`)
				matches, routes := 4, 3
				if !behind {
					matches, routes = 0, 0
				}
				if secrets != matches || names != routes {
					t.Errorf("https %s: %d matches ask for the secret, want %d; %d routes name the shopper, want %d", https, secrets,
						matches, names, routes)
				}
			}
		}
	}
}
