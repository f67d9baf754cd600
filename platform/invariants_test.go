package platform

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"shoplab/contract"
	"shoplab/platform/boot"
)

// graphOf is a recorded resource graph to ask.
type graphOf struct {
	all   []registered
	found []string
}

// violations are all breaches of the house's rules in a resource graph.
func violations(all []registered) []string {
	g := &graphOf{all: all}
	for _, rule := range []func(registered){
		g.named, g.tagged, g.closed, g.encrypted, g.secretive, g.serves, g.measured, g.destroyable, g.afterGateway,
		g.inCluster, g.granted, g.alerting,
		g.frontDoor, g.balanced, g.trusting, g.onDemand, g.rolledOut, g.lasting, g.settled, g.functions, g.invoked,
		g.outbound,
	} {
		for _, res := range all {
			rule(res)
		}
	}
	g.connections()
	return g.found
}

// onDemand: one task at least does not depend on spare capacity, which AWS takes back with two minutes' notice.
func (g *graphOf) onDemand(res registered) {
	if res.Type != "aws:ecs/service:Service" {
		return
	}
	if !slices.ContainsFunc(res.list("capacityProviderStrategies"), func(strategy map[string]any) bool {
		base, _ := strategy["base"].(float64)
		weight, _ := strategy["weight"].(float64)
		return strategy["capacityProvider"] == "FARGATE" && base >= 1 && weight >= 1
	}) {
		g.violate(res, "has no task on on-demand capacity")
	}
}

func (g *graphOf) violate(res registered, format string, args ...any) {
	g.found = append(g.found, res.Type+" "+res.Name+": "+fmt.Sprintf(format, args...))
}

func isComponent(kind string) bool { return strings.HasPrefix(kind, "shoplab:") }

// named: every resource belongs to a component and carries its name.
func (g *graphOf) named(res registered) {
	if res.Type == "pulumi:pulumi:Stack" || isComponent(res.Type) && strings.HasPrefix(res.Parent, "shoplab-") {
		return
	}
	i := slices.IndexFunc(g.all, func(p registered) bool { return p.Name == res.Parent && isComponent(p.Type) })
	if i < 0 {
		g.violate(res, "has no component as its parent but %q", res.Parent)
	}
	if !strings.HasPrefix(res.Name, res.Parent+"-") && !strings.HasPrefix(res.Parent, "shoplab-") {
		g.violate(res, "is not named after %s", res.Parent)
	}
}

// untaggable are the types of AWS that take no tags.
var untaggable = []string{
	"appautoscaling/policy:Policy", "autoscaling/policy:Policy", "acm/certificateValidation:CertificateValidation",
	"cloudwatch/dashboard:Dashboard", "cloudwatch/logMetricFilter:LogMetricFilter",
	"apigatewayv2/integration:Integration", "apigatewayv2/route:Route", "ecr/repositoryPolicy:RepositoryPolicy",
	"lambda/alias:Alias", "lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", "lambda/invocation:Invocation",
	"lambda/permission:Permission", "scheduler/schedule:Schedule",
	"ec2/route:Route", "ec2/routeTableAssociation:RouteTableAssociation",
	"ec2/eipAssociation:EipAssociation", "ecr/lifecyclePolicy:LifecyclePolicy",
	"ecs/clusterCapacityProviders:ClusterCapacityProviders",
	"iam/rolePolicy:RolePolicy", "iam/rolePolicyAttachment:RolePolicyAttachment", "route53/record:Record",
	"s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
	"sns/topicSubscription:TopicSubscription",
}

// tagged: every taggable resource carries its tags, and so does what AWS creates behind it.
func (g *graphOf) tagged(res registered) {
	short, aws := strings.CutPrefix(res.Type, "aws:")
	if !aws || slices.Contains(untaggable, short) {
		return
	}
	want := []string{"project", "stage", "component", "managed-by"}
	complete := func(v resource.PropertyValue, where string) {
		for _, key := range want {
			if !v.IsObject() || !v.ObjectValue()[resource.PropertyKey(key)].HasValue() {
				g.violate(res, "%s lacks the tag %s", where, key)
			}
		}
	}
	switch short {
	case "autoscaling/group:Group": // has a list of its own kind
		for _, tag := range res.list("tags") {
			if tag["propagateAtLaunch"] == true {
				want = slices.DeleteFunc(want, func(key string) bool { return key == tag["key"] })
			}
		}
		if len(want) > 0 {
			g.violate(res, "does not hand on the tags %v", want)
		}
		return
	case "ec2/instance:Instance":
		complete(res.at("rootBlockDevice.tags"), "root volume")
	case "ec2/launchTemplate:LaunchTemplate":
		for _, kind := range []string{"instance", "volume", "network-interface"} {
			i := slices.IndexFunc(res.list("tagSpecifications"), func(s map[string]any) bool {
				return s["resourceType"] == kind
			})
			if i < 0 {
				g.violate(res, "%s gets no tags", kind)
				continue
			}
			complete(res.at("tagSpecifications").ArrayValue()[i].ObjectValue()["tags"], kind)
		}
	case "ecs/service:Service":
		g.expect(res, "propagateTags", "SERVICE")
	case "rds/instance:Instance":
		g.expect(res, "copyTagsToSnapshot", true)
	}
	complete(res.Inputs["tags"], "it")
}

// closed: nothing but ports 80 and 443 is open to the world, and data to compute alone.
func (g *graphOf) closed(res registered) {
	switch res.Type {
	case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
		port, last := res.number("fromPort"), res.number("toPort")
		world := res.text("cidrIpv4") == "0.0.0.0/0" || res.text("cidrIpv6") == "::/0"
		public := port == last && (port == 80 || port == 443)
		if (world || res.text("prefixListId") != "") && !public {
			g.violate(res, "port %v to %v is open to %s%s", port, last, res.text("cidrIpv4"), res.text("prefixListId"))
		}
		for _, p := range []float64{22, postgresPort, redisPort} {
			if port <= p && p <= last && res.text("referencedSecurityGroupId") == "" || port <= 22 && 22 <= last {
				g.violate(res, "port %v is open to a network", p)
			}
		}
		if res.text("ipProtocol") != "tcp" {
			g.violate(res, "lets in %s", res.text("ipProtocol"))
		}
	case "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":
		if res.has("ingress") || res.has("egress") {
			g.violate(res, "has inline rules, which fight with those that are resources")
		}
	case "aws:ec2/securityGroupRule:SecurityGroupRule", "aws:ec2/keyPair:KeyPair", "aws:lambda/functionUrl:FunctionUrl":
		g.violate(res, "is not built here")
	case "aws:ec2/natGateway:NatGateway":
		// Only a function has no other way to Stripe.
		if !slices.ContainsFunc(g.all, func(other registered) bool {
			return other.Type == "aws:lambda/function:Function" &&
				slices.Contains(other.settings(contract.EnvPayments), contract.PaymentsStripe)
		}) {
			g.violate(res, "is not built here")
		}
	case "aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate":
		g.expectFor(res, "IMDSv2", "metadataOptions.httpTokens", "required")
		if hops := res.at("metadataOptions.httpPutResponseHopLimit"); !hops.IsNumber() || hops.NumberValue() > 2 {
			g.violate(res, "metadata may travel more than 2 hops")
		}
		if res.has("keyName") {
			g.violate(res, "has a key pair")
		}
	}
}

// encrypted: at rest and on the way.
func (g *graphOf) encrypted(res registered) {
	switch res.Type {
	case "aws:ec2/instance:Instance":
		g.expect(res, "rootBlockDevice.encrypted", true)
	case "aws:ec2/launchTemplate:LaunchTemplate":
		for _, device := range res.list("blockDeviceMappings") {
			if ebs, _ := device["ebs"].(map[string]any); ebs["encrypted"] != "true" {
				g.violate(res, "a volume is not encrypted")
			}
		}
	case "aws:rds/instance:Instance":
		g.expect(res, "storageEncrypted", true)
		g.expect(res, "publiclyAccessible", false)
		for _, pinned := range []string{"engineVersion", "caCertIdentifier"} {
			if res.text(pinned) == "" {
				g.violate(res, "has no %s", pinned)
			}
		}
		major, _, _ := strings.Cut(res.text("engineVersion"), ".")
		if n, err := strconv.Atoi(major); err != nil || n < 15 || res.text("parameterGroupName") != "default.postgres"+major {
			g.violate(res, "PostgreSQL %s with %s does not refuse plain connections", major, res.text("parameterGroupName"))
		}
	case "aws:elasticache/replicationGroup:ReplicationGroup":
		g.expect(res, "transitEncryptionEnabled", true)
		g.expect(res, "atRestEncryptionEnabled", true)
		if !res.has("authToken") || res.text("engineVersion") == "" {
			g.violate(res, "has no password or no version")
		}
	case "aws:ssm/parameter:Parameter":
		g.expect(res, "type", "SecureString")
	case "aws:ecr/repository:Repository":
		if !res.has("encryptionConfigurations") {
			g.violate(res, "does not say how it is encrypted")
		}
	case "aws:cloudfront/distribution:Distribution":
		g.expect(res, "defaultCacheBehavior.viewerProtocolPolicy", "redirect-to-https")
	}
}

// secretive: no secret where anybody who may look at the stack can read it.
func (g *graphOf) secretive(res registered) {
	if res.Type != "random:index/randomPassword:RandomPassword" && leaks(resource.NewProperty(res.Inputs)) {
		g.violate(res, "has a secret in the clear")
	}
	for _, c := range res.containers() {
		for _, v := range c.Environment {
			if !slices.Contains(contract.Env, v.Name) {
				g.violate(res, "sets %s, which the service does not read", v.Name)
			}
			if slices.Contains(contract.SecretEnv, v.Name) {
				g.violate(res, "sets %s in the clear", v.Name)
			}
		}
		for _, v := range c.Secrets {
			if !slices.Contains(contract.SecretEnv, v.Name) {
				g.violate(res, "hands over %s, which the service does not read as a secret", v.Name)
			}
		}
	}
}

// leaks finds a generated secret in what is not marked as one; in user data it may not even be so.
func leaks(v resource.PropertyValue) bool {
	switch {
	case v.IsSecret() || v.IsOutput() && v.OutputValue().Secret:
		return false
	case v.IsOutput():
		return leaks(v.OutputValue().Element)
	case v.IsString():
		decoded, err := base64.StdEncoding.DecodeString(v.StringValue())
		return strings.Contains(v.StringValue(), mockSecret) || err == nil && strings.Contains(string(decoded), mockSecret)
	case v.IsArray():
		return slices.ContainsFunc(v.ArrayValue(), leaks)
	case v.IsObject():
		for _, value := range v.ObjectValue() {
			if leaks(value) {
				return true
			}
		}
	}
	return false
}

// serves: ports and probes are those of the service, images are named by digest.
func (g *graphOf) serves(res registered) {
	switch res.Type {
	case "aws:lb/targetGroup:TargetGroup":
		g.expect(res, "port", float64(contract.Port))
		g.expect(res, "healthCheck.path", contract.ReadyPath)
		g.expect(res, "loadBalancingAlgorithmType", "least_outstanding_requests") // as on the twins
	case "aws:ecs/service:Service":
		for _, b := range res.list("loadBalancers") {
			if b["containerPort"] != float64(contract.Port) {
				g.violate(res, "sends requests to port %v", b["containerPort"])
			}
		}
	}
	for _, c := range res.containers() {
		if !strings.Contains(c.Image, "@sha256:") {
			g.violate(res, "image %s is not named by digest", c.Image)
		}
		if len(c.PortMappings) != 1 || c.PortMappings[0].ContainerPort != contract.Port {
			g.violate(res, "container ports are %v, want %d", c.PortMappings, contract.Port)
		}
		if c.User != strconv.Itoa(contract.UID)+":"+strconv.Itoa(contract.UID) || !c.ReadonlyRootFilesystem {
			g.violate(res, "runs as %q on a writable root", c.User)
		}
	}
}

// suffix is what Pulumi adds to a name: "-" and seven hexadecimal digits.
const suffix = 8

// limits on physical names, in characters, from the services' API references.
var limits = map[string]int{
	"aws:lb/loadBalancer:LoadBalancer": 32, "aws:lb/targetGroup:TargetGroup": 32, "aws:iam/role:Role": 64,
	"aws:iam/instanceProfile:InstanceProfile": 128, "aws:elasticache/replicationGroup:ReplicationGroup": 40,
	"aws:rds/instance:Instance": 63, "aws:ecr/repository:Repository": 256, "aws:ecs/cluster:Cluster": 255,
	"aws:autoscaling/group:Group": 255, "aws:ec2/launchTemplate:LaunchTemplate": 128,
	"aws:ec2/securityGroup:SecurityGroup": 255,
}

// measured: names and user data stay within what AWS takes.
func (g *graphOf) measured(res registered) {
	if limit, ok := limits[res.Type]; ok && len(res.Name)+suffix > limit {
		g.violate(res, "its name gets longer than %d characters", limit)
	}
	data := res.text("userData")
	if decoded, err := base64.StdEncoding.DecodeString(data); err == nil &&
		res.Type == "aws:ec2/launchTemplate:LaunchTemplate" {
		data = string(decoded)
	}
	if len(data) > boot.MaxSize {
		g.violate(res, "%d bytes of user data, EC2 takes %d", len(data), boot.MaxSize)
	}
}

// destroyable: destroy takes everything and waits for nothing.
func (g *graphOf) destroyable(res registered) {
	switch res.Type {
	case "aws:ecr/repository:Repository", "aws:autoscaling/group:Group":
		g.expect(res, "forceDelete", true)
	case "aws:rds/instance:Instance":
		g.expect(res, "skipFinalSnapshot", true)
		g.expect(res, "deletionProtection", false)
		g.expect(res, "deleteAutomatedBackups", true)
		g.expect(res, "identifierPrefix", g.stack()+"-") // a snapshot of it tells nothing else of whose it is
	case "aws:elasticache/replicationGroup:ReplicationGroup":
		g.expect(res, "snapshotRetentionLimit", 0.0)
		g.expect(res, "replicationGroupId", g.stack())
	case "aws:lb/loadBalancer:LoadBalancer":
		g.expect(res, "enableDeletionProtection", false)
	case "aws:lb/targetGroup:TargetGroup":
		if delay := res.number("deregistrationDelay"); delay < 10 || delay > 30 {
			g.violate(res, "deregistrationDelay is %v seconds", delay)
		}
	case "aws:cloudwatch/logGroup:LogGroup":
		if !res.has("retentionInDays") || res.at("skipDestroy").IsBool() {
			g.violate(res, "has no retention or stays behind")
		}
	case "aws:ecs/cluster:Cluster":
		if !slices.ContainsFunc(res.list("settings"), func(s map[string]any) bool {
			return s["name"] == "containerInsights" && s["value"] == "disabled"
		}) {
			g.violate(res, "Container Insights would write a log group of its own")
		}
	case "aws:ecs/service:Service":
		g.expect(res, "forceDelete", true)
		g.dependsOnTypes(res, "aws:iam/rolePolicy:RolePolicy", "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
			"aws:lb/listener")
	case "aws:iam/role:Role":
		g.expect(res, "forceDetachPolicies", true)
	case "aws:ec2/securityGroup:SecurityGroup":
		g.expect(res, "revokeRulesOnDelete", true)
	case "aws:secretsmanager/secret:Secret":
		g.expect(res, "recoveryWindowInDays", 0.0)
	}
}

// afterGateway: what has a public address is made after the internet gateway and gone before it.
func (g *graphOf) afterGateway(res registered) {
	switch res.Type {
	case "aws:ec2/eip:Eip", "aws:ec2/instance:Instance", "aws:lb/loadBalancer:LoadBalancer", "aws:autoscaling/group:Group",
		"aws:ecs/service:Service":
		g.dependsOnTypes(res, "aws:ec2/internetGateway:InternetGateway")
	}
	switch res.Type {
	case "aws:ec2/instance:Instance", "aws:autoscaling/group:Group":
		g.dependsOnTypes(res, "aws:iam/rolePolicyAttachment:RolePolicyAttachment", "aws:ssm/parameter:Parameter")
		// What a server does at its shutdown needs its rights, and what it writes to outlives it.
		for _, other := range g.all {
			switch other.Type {
			case "aws:iam/rolePolicy:RolePolicy", "aws:cloudwatch/logGroup:LogGroup":
				if other.Parent == res.Parent && !slices.Contains(res.DependsOn, other.Name) {
					g.violate(res, "does not depend on %s, which goes first then", other.Name)
				}
			}
		}
	}
}

// alerting: where there is a topic, every alarm writes to it, and CloudWatch may.
func (g *graphOf) alerting(res registered) {
	switch res.Type {
	case "aws:sns/topic:Topic":
		if res.has("kmsMasterKeyId") {
			g.violate(res, "is encrypted by a key that CloudWatch may not use")
		}
	case "aws:cloudwatch/metricAlarm:MetricAlarm":
		topic := slices.ContainsFunc(g.all, func(other registered) bool { return other.Type == "aws:sns/topic:Topic" })
		if topic && !res.has("alarmActions") {
			g.violate(res, "writes to nobody")
		}
	}
}

// rolledOut: what takes a new version before it is known to work is rolled out first, and every error of AWS is
// explained where the program can.
func (g *graphOf) rolledOut(res registered) {
	switch res.Type {
	case "aws:autoscaling/group:Group":
		if res.has("instanceRefresh") {
			g.violate(res, "lets the provider refresh, which saves a version that may not work")
		}
		fallthrough
	case "aws:ecs/service:Service":
		if len(res.BeforeUpdate) == 0 {
			g.violate(res, "is updated before the new version works")
		}
	}
	if strings.HasPrefix(res.Type, "aws:") && !slices.Contains(res.OnError, "explain") {
		g.violate(res, "does not explain errors")
	}
}

// inCluster: objects of our own cluster go with its server, so that destroy never asks a dead API.
func (g *graphOf) inCluster(res registered) {
	if !strings.HasPrefix(res.Type, "kubernetes:") {
		return
	}
	i := slices.IndexFunc(g.all, func(other registered) bool { return other.Type == "aws:ec2/instance:Instance" })
	if i >= 0 && (res.DeletedWith != g.all[i].Name || !slices.Contains(res.ReplacedWith, g.all[i].Name)) {
		g.violate(res, "is not deleted with and replaced with the server")
	}
}

// dependsOnTypes asks for a dependency on at least one resource of each type.
func (g *graphOf) dependsOnTypes(res registered, types ...string) {
	for _, kind := range types {
		exists := false
		met := slices.ContainsFunc(g.all, func(other registered) bool {
			ours := strings.HasPrefix(other.Type, kind)
			exists = exists || ours
			return ours && slices.Contains(res.DependsOn, other.Name)
		})
		if exists && !met {
			g.violate(res, "does not depend on any %s", kind)
		}
	}
}

func (g *graphOf) expect(res registered, path string, want any) { g.expectFor(res, path, path, want) }

func (g *graphOf) expectFor(res registered, what, path string, want any) {
	if got := jsonable(res.at(path)); got != want {
		g.violate(res, "%s is %v, want %v", what, got, want)
	}
}

// at is the input at a dotted path, or null.
func (res registered) at(path string) resource.PropertyValue {
	v := resource.NewProperty(res.Inputs)
	for _, key := range strings.Split(path, ".") {
		if !v.IsObject() {
			return resource.NewNullProperty()
		}
		v = v.ObjectValue()[resource.PropertyKey(key)]
	}
	if v.IsOutput() && !v.OutputValue().Secret {
		v = v.OutputValue().Element
	}
	return v
}

func (res registered) has(path string) bool { return res.at(path).HasValue() }

func (res registered) text(path string) string {
	text, _ := jsonable(res.at(path)).(string)
	return text
}

func (res registered) number(path string) float64 {
	n, _ := jsonable(res.at(path)).(float64)
	return n
}

func (res registered) list(path string) (all []map[string]any) {
	items, _ := jsonable(res.at(path)).([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

// containerOf is a container of a task definition.
type containerOf struct {
	Image, User            string
	ReadonlyRootFilesystem bool
	PortMappings           []struct{ ContainerPort int }
	Environment            []struct{ Name, Value string }
	Secrets                []struct{ Name, ValueFrom string }
}

func (res registered) containers() (all []containerOf) {
	if text := res.text("containerDefinitions"); text != "" {
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			panic(err)
		}
	}
	return all
}
