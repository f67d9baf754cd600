package platform

import (
	"fmt"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// recorder is a mocked engine that remembers what was registered. Checks run on what it holds
// afterwards: an assertion inside ApplyT would be lost.
type recorder struct {
	registry string // host of the registry that stands in for ECR
	// answers are what AWS says to a question, by its token, instead of what Call says.
	answers map[string]map[string]any
	// before is the deployment before this one, of which ignored changes keep the inputs.
	before *recorder

	mu        sync.Mutex
	resources []registered
}

// registered is one resource with its inputs as the provider would get them.
type registered struct {
	Type, Name, Parent string
	Inputs             resource.PropertyMap
	DependsOn          []string
	Ignored            []string // changes of these inputs
	ReplacedOn         []string
	DeletedWith        string
	ReplacedWith       []string
	BeforeUpdate       []string // hooks, as OnError
	OnError            []string
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	rpc := args.RegisterRPC
	entry := registered{Type: args.TypeToken, Name: args.Name, Inputs: args.Inputs}
	if rpc != nil {
		r.ignore(args, rpc.GetIgnoreChanges())
		entry.Parent, entry.Ignored, entry.DeletedWith = nameOf(rpc.GetParent()), rpc.GetIgnoreChanges(),
			nameOf(rpc.GetDeletedWith())
		entry.ReplacedOn = rpc.GetReplaceOnChanges()
		entry.BeforeUpdate, entry.OnError = rpc.GetHooks().GetBeforeUpdate(), rpc.GetHooks().GetOnError()
		for _, urn := range rpc.GetDependencies() {
			entry.DependsOn = append(entry.DependsOn, nameOf(urn))
		}
	}
	for _, urn := range rpc.GetReplaceWith() {
		entry.ReplacedWith = append(entry.ReplacedWith, nameOf(urn))
	}
	r.mu.Lock()
	r.resources = append(r.resources, entry)
	r.mu.Unlock()
	return args.Name + "-id", r.outputs(args), nil
}

// ignore puts back the inputs whose changes the engine ignores.
func (r *recorder) ignore(args pulumi.MockResourceArgs, paths []string) {
	if r.before == nil {
		return
	}
	for _, old := range r.before.resources {
		if old.Type != args.TypeToken || old.Name != args.Name {
			continue
		}
		for _, path := range paths {
			key := resource.PropertyKey(path)
			if value, set := old.Inputs[key]; set {
				args.Inputs[key] = value
			}
		}
	}
}

// nameOf is the name at the end of a URN.
func nameOf(urn string) string {
	if i := strings.LastIndex(urn, "::"); i >= 0 {
		return urn[i+2:]
	}
	return urn
}

// outputs are the inputs and what AWS would add, as far as the program reads it.
func (r *recorder) outputs(args pulumi.MockResourceArgs) resource.PropertyMap {
	out := args.Inputs.Copy()
	text := func(key, value string) {
		if _, set := out[resource.PropertyKey(key)]; !set {
			out[resource.PropertyKey(key)] = resource.NewProperty(value)
		}
	}
	name := args.Name
	text("arn", "arn:aws:mock:us-east-1:123456789012:"+name)
	text("name", name+"-1a2b3c4")
	switch args.TypeToken {
	case "pulumi:index:Stash":
		out["output"] = args.Inputs["input"]
	case "aws:ssm/parameter:Parameter":
		out["arn"] = resource.NewProperty("arn:aws:ssm:us-east-1:123456789012:parameter" + args.Inputs["name"].StringValue())
		out["version"] = resource.NewProperty(1.0)
	case "tls:index/privateKey:PrivateKey":
		out["privateKeyPem"] = resource.MakeSecret(resource.NewProperty(mockSecret + name))
	case "tls:index/selfSignedCert:SelfSignedCert", "tls:index/locallySignedCert:LocallySignedCert":
		text("certPem", "certificate "+name)
	case "tls:index/certRequest:CertRequest":
		text("certRequestPem", "request "+name)
	case "random:index/randomPassword:RandomPassword":
		result := mockSecret + name // as long as was asked for: the service refuses a short key
		result += strings.Repeat("x", max(0, int(args.Inputs["length"].NumberValue())-len(result)))
		out["result"] = resource.MakeSecret(resource.NewProperty(result))
	case "aws:ecr/repository:Repository":
		text("repositoryUrl", r.registry+"/"+name)
		text("registryId", "123456789012")
	case "aws:ec2/eip:Eip":
		text("publicIp", "198.51.100.7")
		text("publicDns", "ec2-198-51-100-7.compute-1.amazonaws.com")
		text("allocationId", name+"-id")
	case "aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup":
		text("dnsName", name+".us-east-1.elb.amazonaws.com")
		text("arnSuffix", "app/"+name)
	case "aws:rds/instance:Instance":
		text("endpoint", name+".abc.us-east-1.rds.amazonaws.com:5432")
		text("address", name+".abc.us-east-1.rds.amazonaws.com")
		text("identifier", name+"-1a2b3c4")
	case "aws:elasticache/replicationGroup:ReplicationGroup":
		text("primaryEndpointAddress", name+".abc.use1.cache.amazonaws.com")
		text("replicationGroupId", name+"-1a2b3c4")
	case "aws:cloudfront/distribution:Distribution":
		text("domainName", "d111111abcdef8.cloudfront.net")
		text("hostedZoneId", "Z2FDTNDATAQYW2")
	case "aws:ec2/vpc:Vpc":
		text("ipv6CidrBlock", "2001:db8:1234:5600::/56")
	case "aws:apigatewayv2/api:Api":
		text("apiEndpoint", "https://abc123.execute-api.us-east-1.amazonaws.com")
		text("executionArn", "arn:aws:execute-api:us-east-1:123456789012:abc123")
	case "aws:lambda/function:Function":
		text("version", "1")
	case "aws:lambda/alias:Alias":
		text("invokeArn", "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"+name+"/invocations")
	case "aws:ec2/launchTemplate:LaunchTemplate":
		out["latestVersion"] = resource.NewProperty(1.0)
	case "aws:acm/certificate:Certificate":
		record := resource.NewProperty(resource.PropertyMap{
			"resourceRecordName":  resource.NewProperty("_x.shop.example.com"),
			"resourceRecordType":  resource.NewProperty("CNAME"),
			"resourceRecordValue": resource.NewProperty("_y.acm-validations.aws"),
		})
		out["domainValidationOptions"] = resource.NewProperty([]resource.PropertyValue{record})
	}
	return out
}

// mockSecret begins every generated password, so that a leak is seen wherever it is.
const mockSecret = "s3cret-"

func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if answer, ok := r.answers[args.Token]; ok {
		return resource.NewPropertyMapFromMap(answer), nil
	}
	switch args.Token {
	case "aws:index/getAvailabilityZones:getAvailabilityZones":
		return resource.NewPropertyMapFromMap(map[string]any{
			"names":   []any{"us-east-1a", "us-east-1b", "us-east-1c"},
			"zoneIds": []any{"use1-az1", "use1-az2", "use1-az4"},
		}), nil
	case "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings":
		return resource.NewPropertyMapFromMap(map[string]any{"locations": []any{"us-east-1c", "us-east-1b", "us-east-1a"}}),
			nil
	case "aws:ec2/getManagedPrefixList:getManagedPrefixList":
		return resource.NewPropertyMapFromMap(map[string]any{
			"id":      "pl-3b927c52",
			"entries": []any{map[string]any{"cidr": "120.52.22.96/27"}, map[string]any{"cidr": "205.251.249.0/24"}},
		}), nil
	case "aws:ec2/getInstanceType:getInstanceType":
		return resource.NewPropertyMapFromMap(map[string]any{"defaultVcpus": 2.0, "memorySize": 8192.0}), nil
	case "aws:servicequotas/getServiceQuota:getServiceQuota":
		return resource.NewPropertyMapFromMap(map[string]any{"value": 32.0}), nil
	case "aws:ssm/getParameter:getParameter":
		return resource.NewPropertyMapFromMap(map[string]any{"value": "ami-0123456789abcdef0"}), nil
	case "aws:ecr/getAuthorizationToken:getAuthorizationToken":
		return resource.NewPropertyMapFromMap(map[string]any{"userName": "AWS", "password": mockSecret + "token"}), nil
	case "aws:route53/getZone:getZone":
		return resource.NewPropertyMapFromMap(map[string]any{"zoneId": "Z0123456789"}), nil
	}
	return nil, fmt.Errorf("the program asked for %s, which the recorder does not know", args.Token)
}
