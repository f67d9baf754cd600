package platform

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"shoplab/contract"
	"shoplab/lab/cost"
)

// functions: a function is bounded, private, logged where logs end, and knows no secret but where secrets are.
func (g *graphOf) functions(res registered) {
	switch res.Type {
	case "aws:lambda/function:Function":
		if res.text("packageType") != "Image" {
			return // it ends the stage
		}
		if !strings.Contains(res.text("imageUri"), "@sha256:") {
			g.violate(res, "image %s is not named by digest", res.text("imageUri"))
		}
		if res.number("reservedConcurrentExecutions") < 1 {
			g.violate(res, "does not reserve its concurrency")
		}
		for _, subnet := range texts(jsonable(res.at("vpcConfig.subnetIds"))) {
			if !strings.HasPrefix(subnet, "network-private-") {
				g.violate(res, "is not in the private subnets but in %s", subnet)
			}
		}
		if !res.has("vpcConfig.subnetIds") || !res.has("loggingConfig.logGroup") {
			g.violate(res, "is in no subnets, or has no log group with retention")
		}
		g.expect(res, "tracingConfig.mode", "PassThrough")
		g.expect(res, "publish", true)
		for _, other := range g.all {
			if other.Type == "aws:ssm/parameter:Parameter" && !slices.Contains(
				strings.Split(res.text("environment.variables."+contract.EnvParameters), ","), other.text("name")+":1") {
				g.violate(res, "does not name a version of %s: it would not learn of another", other.text("name"))
			}
		}
		for name := range res.at("environment.variables").ObjectValue() {
			if !slices.Contains(contract.Env, string(name)) {
				g.violate(res, "sets %s, which the service does not read", name)
			}
			if slices.Contains(contract.SecretEnv, string(name)) {
				g.violate(res, "sets %s in the clear", name)
			}
		}
		g.dependsOnTypes(res, "aws:cloudwatch/logGroup:LogGroup", "aws:ssm/parameter:Parameter",
			"aws:ecr/repositoryPolicy:RepositoryPolicy", "aws:ec2/egressOnlyInternetGateway")
		g.outlived(res)
		for _, other := range g.all {
			if other.Type == "aws:iam/rolePolicy:RolePolicy" && other.Parent == res.Parent &&
				!slices.Contains(res.DependsOn, other.Name) {
				g.violate(res, "does not depend on %s, which goes first then", other.Name)
			}
		}
	case "aws:lambda/alias:Alias":
		if res.text("functionVersion") == "$LATEST" {
			g.violate(res, "names $LATEST, which changes before it is known to work")
		}
		g.dependsOnTypes(res, "aws:lambda/invocation:Invocation")
		if !slices.Contains(res.DependsOn, "function-trial") {
			g.violate(res, "names a version that nobody has tried")
		}
	}
}

// outlived: the groups and subnets of a function go before the right of its role to delete network interfaces. Lambda
// deletes those after the function, with that right, and the groups and subnets wait for it.
func (g *graphOf) outlived(function registered) {
	role := function.text("role")
	role = role[strings.LastIndex(role, ":")+1:]
	var rights []string
	for _, res := range g.all {
		if res.Type == "aws:iam/rolePolicy:RolePolicy" && strings.HasPrefix(res.text("role"), role+"-") &&
			slices.ContainsFunc(g.statements(res), func(s statement) bool {
				return s.Effect == "Allow" && slices.Contains(texts(s.Action), "ec2:DeleteNetworkInterface")
			}) {
			rights = append(rights, res.Name)
		}
	}
	if len(rights) != 1 {
		g.violate(function, "may delete its network interfaces by %v, want one policy", rights)
		return
	}
	for _, path := range []string{"vpcConfig.securityGroupIds", "vpcConfig.subnetIds"} {
		for _, id := range texts(jsonable(function.at(path))) {
			if !slices.ContainsFunc(g.all, func(res registered) bool {
				return res.Name+"-id" == id && slices.Contains(res.DependsOn, rights[0])
			}) {
				g.violate(function, "its interfaces keep %s, which does not depend on %s", id, rights[0])
			}
		}
	}
}

// outbound: beyond the VPC a function asks servers on port 443 only.
func (g *graphOf) outbound(res registered) {
	if res.Type != "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule" || !slices.ContainsFunc(g.all,
		func(other registered) bool {
			return other.Type == "aws:lambda/function:Function" && other.text("packageType") == "Image"
		}) {
		return
	}
	world := res.text("cidrIpv4") == anyIPv4 || res.text("cidrIpv6") == "::/0"
	if world && (res.text("ipProtocol") != "tcp" || res.number("fromPort") != 443 || res.number("toPort") != 443) {
		g.violate(res, "lets the function out to more than port 443 of the world")
	}
}

// invoked: nobody invokes the function but the stage's API, with requests, and its schedule, with work.
func (g *graphOf) invoked(res registered) {
	switch res.Type {
	case "aws:lambda/permission:Permission":
		if res.text("principal") != "apigateway.amazonaws.com" ||
			!strings.HasPrefix(res.text("sourceArn"), "arn:aws:execute-api:") || !res.has("qualifier") {
			g.violate(res, "%s may invoke the function on behalf of %q", res.text("principal"), res.text("sourceArn"))
		}
	case "aws:apigatewayv2/integration:Integration":
		g.expect(res, "payloadFormatVersion", "2.0")
	case "aws:scheduler/schedule:Schedule":
		if res.Parent == "schedule" && res.text("target.input") != contract.BackgroundEvent {
			g.violate(res, "sends %s, which the service does not know", res.text("target.input"))
		}
	case "aws:iam/rolePolicy:RolePolicy":
		policy := res.text("policy")
		if strings.Contains(policy, "lambda:InvokeFunction") && strings.Contains(policy, `"Resource":"*"`) {
			g.violate(res, "may invoke any function")
		}
	}
}

// TestStripeCosts: what up says of the NAT gateway is what lab cost adds for it, and the budget has room for it.
func TestStripeCosts(t *testing.T) {
	prices, err := cost.Prices()
	if err != nil {
		t.Fatal(err)
	}
	r, _ := deploy(t, "stage5", map[string]string{
		"shoplab:payments": contract.PaymentsStripe, "shoplab:stripePublishableKey": "pk_test_1",
		"shoplab:stripeSecretKey": mockSecret + "sk",
	})
	graph, err := cost.ReadGraph(bytes.NewReader(golden(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	var month cost.Money
	estimate := prices.Of(graph, cost.DefaultUsage())
	for _, line := range estimate.Lines {
		if strings.HasPrefix(line.Resource, "network-nat") {
			month += line.USD
		}
	}
	for _, want := range []string{
		fmt.Sprintf(" %s USD a month", month), fmt.Sprintf(" %v USD a GB", prices.Prices["nat/gb"].USD), prices.Date,
	} {
		if !strings.Contains(translationPrice, want) {
			t.Errorf("up says %q, without %q", translationPrice, want)
		}
	}
	i := slices.IndexFunc(r.resources, func(res registered) bool { return res.Type == "aws:budgets/budget:Budget" })
	limit, err := strconv.ParseFloat(r.resources[i].text("limitAmount"), 64)
	if err != nil || estimate.Gross().Dollars() > 0.8*limit {
		t.Errorf("the stage costs %s USD a month, and its budget of %v (%v) warns at 80%%", estimate.Gross(), limit, err)
	}
}

func TestIPv6Subnet(t *testing.T) {
	for _, test := range []struct {
		block string
		i     int
		want  string
	}{
		{"2600:1f18:abcd:ef00::/56", 0, "2600:1f18:abcd:ef00::/64"},
		{"2600:1f18:abcd:ef00::/56", 1, "2600:1f18:abcd:ef01::/64"},
		{"", 1, ""}, // a preview does not know
	} {
		if got, err := ipv6Subnet(test.block, test.i); err != nil || got != test.want {
			t.Errorf("subnet %d of %q: %q (%v), want %q", test.i, test.block, got, err, test.want)
		}
	}
	for _, block := range []string{"10.0.0.0/16", "2600:1f18:abcd:ef00::/64", "x"} {
		if got, err := ipv6Subnet(block, 0); err == nil {
			t.Errorf("subnet of %q: %q", block, got)
		}
	}
}
