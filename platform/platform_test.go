package platform

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

var update = flag.Bool("update", false, "write the golden files anew")

var stacks = []string{"stage1", "stage2", "stage3", "stage4", "stage5"}

// deploy runs the whole program against a recorder and a registry of its own, with a stand-in for
// the service, and returns what was registered and the names of the outputs.
func deploy(t *testing.T, stack string, change map[string]string) (*recorder, []string) {
	t.Helper()
	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(images.Close)
	r := &recorder{registry: strings.TrimPrefix(images.URL, "http://")}
	values := stackConfig(t, stack, operator(stack))
	maps.Copy(values, change)
	setConfig(t, values)
	t.Setenv(pulumi.EnvConfigSecretKeys, `["shoplab:stripeSecretKey","shoplab:stripeWebhookSecret","shoplab:kubeconfig"]`)
	root := standIn(t)
	var outputs []string
	if err := runProgram(t, stack, r, func(ctx *pulumi.Context) error {
		err := Deploy(ctx)
		outputs = slices.Sorted(maps.Keys(ctx.GetCurrentExportMap()))
		return err
	}, func(info *pulumi.RunInfo) { info.RootDirectory = root }); err != nil {
		t.Fatalf("%s: %v", stack, err)
	}
	return r, outputs
}

// standIn is a module whose programs compile in no time.
func standIn(t *testing.T) string {
	t.Helper()
	const empty = "package main\n\nfunc main() {}\n"
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module standin\n\ngo 1.26\n", "service/main.go": empty, "lab/expire/main.go": empty,
		"lab/generator/main.go": empty,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestInvariants holds every stage, in every HTTPS mode and with every option, against the rules.
func TestInvariants(t *testing.T) {
	for name, test := range map[string]struct {
		stack  string
		change map[string]string
	}{
		"stage1": {"stage1", nil}, "stage2": {"stage2", nil}, "stage3": {"stage3", nil}, "stage4": {"stage4", nil},
		"stage5":      {"stage5", nil},
		"stage1 open": {"stage1", map[string]string{"shoplab:https": contract.HTTPSOff}},
		"stage2 domain": {
			"stage2", map[string]string{
				"shoplab:https": contract.HTTPSDomain, "shoplab:domain": "shop.example.com", "shoplab:zone": "example.com",
			},
		},
		"stage3 open": {
			"stage3", map[string]string{
				"shoplab:https": contract.HTTPSOff, "shoplab:spotShare": "50", "shoplab:rateLimit": "off",
			},
		},
		"stage3 Stripe": {"stage3", map[string]string{
			"shoplab:payments": contract.PaymentsStripe, "shoplab:stripePublishableKey": "pk_test_1",
			"shoplab:stripeSecretKey": mockSecret + "sk", "shoplab:stripeWebhookSecret": mockSecret + "whsec",
			"shoplab:architecture": "amd64",
		}},
		"stage1 Stripe, no webhooks yet": {"stage1", map[string]string{
			"shoplab:payments": contract.PaymentsStripe, "shoplab:stripePublishableKey": "pk_test_1",
			"shoplab:stripeSecretKey": mockSecret + "sk",
		}},
		"stage5 open": {
			"stage5", map[string]string{"shoplab:https": contract.HTTPSOff, "shoplab:alertEmail": "a@example.com"},
		},
		"stage5 domain": {
			"stage5", map[string]string{
				"shoplab:https": contract.HTTPSDomain, "shoplab:domain": "shop.example.com", "shoplab:zone": "example.com",
			},
		},
		"stage5 Stripe": {"stage5", map[string]string{
			"shoplab:payments": contract.PaymentsStripe, "shoplab:stripePublishableKey": "pk_test_1",
			"shoplab:stripeSecretKey": mockSecret + "sk", "shoplab:stripeWebhookSecret": mockSecret + "whsec",
		}},
		"stage5 Stripe, open": {"stage5", map[string]string{
			"shoplab:payments": contract.PaymentsStripe, "shoplab:stripePublishableKey": "pk_test_1",
			"shoplab:stripeSecretKey": mockSecret + "sk", "shoplab:https": contract.HTTPSOff,
		}},
		"stage1 dumps":   {"stage1", map[string]string{"shoplab:dumpBucket": "my-dumps"}},
		"stage2 standby": {"stage2", map[string]string{"shoplab:databaseStandby": "true"}},
		"stage2 alerts":  {"stage2", map[string]string{"shoplab:alertEmail": "a@example.com"}},
		"stage1 expires": {
			"stage1", map[string]string{"shoplab:expires": "2099-12-31T18:00:00Z", "shoplab:alertEmail": "a@example.com"},
		},
		"stage4 Stripe": {"stage4", map[string]string{
			"shoplab:payments": contract.PaymentsStripe, "shoplab:stripePublishableKey": "pk_test_1",
			"shoplab:stripeSecretKey": mockSecret + "sk", "shoplab:stripeWebhookSecret": mockSecret + "whsec",
			"shoplab:meshery": "true",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r, outputs := deploy(t, test.stack, test.change)
			for _, violation := range violations(r.resources) {
				t.Error(violation)
			}
			want := []string{"capacity", "costTags", "dashboards", "image", "region", "stage", "topology", "url"}
			if test.stack == "stage4" {
				want = append(want, "kubeconfig")
			}
			if test.change["shoplab:payments"] == contract.PaymentsStripe {
				want = append(want, "webhooks")
			}
			slices.Sort(want)
			if !slices.Equal(outputs, want) {
				t.Errorf("outputs %v, want %v", outputs, want)
			}
			if expires := test.change["shoplab:expires"]; expires != "" {
				for _, res := range r.resources {
					if tags := res.Inputs["tags"]; tags.IsObject() && tags.ObjectValue()["expires"].StringValue() != expires {
						t.Errorf("%s has no tag expires", res.Name)
					}
				}
			}
		})
	}
}

// TestPaymentAlarm: where money moves, what the service's log says of it reaches an alarm, on every
// stage; where it is simulated, nothing is paid for watching it.
func TestPaymentAlarm(t *testing.T) {
	for _, stack := range stacks {
		for _, payments := range []string{contract.PaymentsStripe, contract.PaymentsSimulated} {
			t.Run(stack+" "+payments, func(t *testing.T) {
				r, _ := deploy(t, stack, map[string]string{
					"shoplab:payments": payments, "shoplab:stripePublishableKey": "pk_test_1", "shoplab:stripeSecretKey": mockSecret +
						"sk",
				})
				var counted, watched []string
				for _, res := range r.resources {
					switch res.Type {
					case "aws:cloudwatch/logMetricFilter:LogMetricFilter":
						if p := res.Inputs["pattern"].StringValue(); p != `"`+contract.PaymentAlarm+`"` {
							t.Errorf("the pattern is %s", p)
						}
						m := res.Inputs["metricTransformation"].ObjectValue()
						counted = append(counted, m["namespace"].StringValue()+" "+m["name"].StringValue())
					case "aws:cloudwatch/metricAlarm:MetricAlarm":
						if strings.HasPrefix(res.Inputs["namespace"].StringValue(), "shoplab/") {
							watched = append(watched, res.Inputs["namespace"].StringValue()+" "+res.Inputs["metricName"].StringValue())
						}
					}
				}
				want := 0
				if payments == contract.PaymentsStripe {
					want = 1
				}
				if len(counted) != want || !slices.Equal(counted, watched) {
					t.Errorf("counted are %q, watched %q, want %d", counted, watched, want)
				}
			})
		}
	}
}

// TestGolden makes a change of infrastructure visible in a diff.
func TestGolden(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack, func(t *testing.T) {
			r, _ := deploy(t, stack, nil)
			got := golden(t, r)
			path := filepath.Join("graphs", stack+".json")
			if *update {
				if err := os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s has changed; look at the difference after: go test ./platform -run Golden -update", path)
			}
		})
	}
}

var aDigest = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// golden is the resource graph, sorted, without what differs from run to run.
func golden(t *testing.T, r *recorder) []byte {
	t.Helper()
	type node struct {
		Type   string `json:"type"`
		Name   string `json:"name"`
		ID     string `json:"id"`
		Parent string `json:"parent,omitempty"`
		Inputs any    `json:"inputs,omitempty"`
	}
	var graph []node
	for _, res := range r.resources {
		inputs := jsonable(resource.NewProperty(res.Inputs)).(map[string]any)
		for _, key := range []string{"userData", "userDataBase64"} {
			if _, ok := inputs[key]; ok {
				inputs[key] = "rendered by platform/boot, which has golden files of its own"
			}
		}
		delete(inputs, "tags") // checked by TestInvariants
		graph = append(graph, node{res.Type, res.Name, res.Name + "-id", res.Parent, inputs})
	}
	slices.SortFunc(graph, func(a, b node) int {
		return strings.Compare(a.Parent+"/"+a.Name+a.Type, b.Parent+"/"+b.Name+b.Type)
	})
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(graph); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(out.String(), r.registry, "<registry>")
	return []byte(aDigest.ReplaceAllString(text, "sha256:<digest>"))
}

// jsonable turns inputs into what JSON can hold. Secrets stay secret.
func jsonable(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return "[secret]"
	case v.IsOutput():
		if v.OutputValue().Secret {
			return "[secret]"
		}
		return jsonable(v.OutputValue().Element)
	case v.IsObject():
		all := map[string]any{}
		for key, value := range v.ObjectValue() {
			all[string(key)] = jsonable(value)
		}
		return all
	case v.IsArray():
		all := []any{}
		for _, value := range v.ArrayValue() {
			all = append(all, jsonable(value))
		}
		return all
	case v.IsResourceReference():
		return nameOf(string(v.ResourceReferenceValue().URN))
	case v.IsNull():
		return nil
	}
	return v.V
}

// seen breaks a resource of a graph that is clean, and wants a violation that says so.
func (r *recorder) seen(t *testing.T, resource string, spoil func(*registered), want string) {
	t.Helper()
	if before := violations(r.resources); len(before) > 0 {
		t.Fatalf("not clean to begin with: %v", before)
	}
	i := slices.IndexFunc(r.resources, func(res registered) bool { return res.Name == resource })
	if i < 0 {
		t.Fatalf("no resource %s", resource)
	}
	spoil(&r.resources[i])
	got := violations(r.resources)
	if !slices.ContainsFunc(got, func(v string) bool { return strings.Contains(v, want) }) {
		t.Errorf("got %q, want a violation with %q", got, want)
	}
}

// TestInvariantsCanFail breaks graphs on purpose: each break must be seen.
func TestInvariantsCanFail(t *testing.T) {
	set := func(path string, value any) func(*registered) {
		return func(res *registered) { put(res.Inputs, strings.Split(path, "."), resource.NewPropertyValue(value)) }
	}
	without := func(name string) func(*registered) {
		return func(res *registered) {
			res.DependsOn = slices.DeleteFunc(res.DependsOn, func(other string) bool { return other == name })
		}
	}
	for name, test := range map[string]struct {
		stack, resource string
		spoil           func(*registered)
		want            string
	}{
		"orphan": {
			"stage3", "database-instance", func(r *registered) { r.Parent = "shoplab-stage3" }, "no component",
		},
		"stranger":              {"stage3", "database-instance", func(r *registered) { r.Name = "mydb" }, "not named after"},
		"untagged":              {"stage3", "database-instance", func(r *registered) { delete(r.Inputs, "tags") }, "tag"},
		"volume untagged":       {"stage1", "server-instance", set("rootBlockDevice.tags", nil), "root volume"},
		"interface untagged":    {"stage2", "fleet-template", set("tagSpecifications", nil), "network-interface"},
		"SSH":                   {"stage1", "network-compute-in", set("fromPort", 22.0), "port 22"},
		"database to the world": {"stage3", "database-from-compute", set("cidrIpv4", "0.0.0.0/0"), "open to 0.0.0.0/0"},
		"IMDSv1":                {"stage1", "server-instance", set("metadataOptions.httpTokens", "optional"), "IMDSv2"},
		"key pair":              {"stage1", "server-instance", set("keyName", "mine"), "key pair"},
		"plain disk":            {"stage1", "server-instance", set("rootBlockDevice.encrypted", false), "encrypted"},
		"plain database":        {"stage3", "database-instance", set("storageEncrypted", false), "storageEncrypted"},
		"public database":       {"stage3", "database-instance", set("publiclyAccessible", true), "publiclyAccessible"},
		"plain cache": {
			"stage3", "cache-nodes", set("transitEncryptionEnabled", false), "transitEncryptionEnabled",
		},
		"secret in user data": {"stage1", "server-instance", set("userData", "x "+mockSecret+" y"), "secret in the clear"},
		"plain parameter":     {"stage2", "secrets-DATABASE_URL", set("type", "String"), "SecureString"},
		"nobody's database":   {"stage3", "database-instance", set("identifierPrefix", nil), "identifierPrefix"},
		"nobody's cache":      {"stage3", "cache-nodes", set("replicationGroupId", "mine"), "replicationGroupId"},
		"final snapshot":      {"stage3", "database-instance", set("skipFinalSnapshot", false), "skipFinalSnapshot"},
		"all on Spot": {
			"stage3", "tasks-service",
			set("capacityProviderStrategies", []any{map[string]any{"capacityProvider": "FARGATE_SPOT", "weight": 100.0}}),
			"on-demand",
		},
		"images stay":         {"stage3", "image-repository", set("forceDelete", false), "forceDelete"},
		"eternal logs":        {"stage3", "tasks-logs", set("retentionInDays", nil), "retention"},
		"slow deregistration": {"stage3", "balancer-targets", set("deregistrationDelay", 300.0), "deregistrationDelay"},
		"other probe":         {"stage3", "balancer-targets", set("healthCheck.path", "/health"), "/readyz"},
		"other port":          {"stage3", "balancer-targets", set("port", 3000.0), "port"},
		"service first":       {"stage3", "tasks-service", func(r *registered) { r.DependsOn = nil }, "depend"},
		"address first":       {"stage1", "server-address", func(r *registered) { r.DependsOn = nil }, "depend"},
		"huge user data": {
			"stage1", "server-instance", set("userData", strings.Repeat("x", 17<<10)), "bytes of user data",
		},
		"long name": {
			"stage3", "balancer-alb", func(r *registered) { r.Name = "balancer-" + strings.Repeat("x", 30) }, "longer than",
		},
		"image by tag": {
			"stage3", "tasks-task", set("containerDefinitions", `[{"image":"shop:latest","portMappings":[]}]`), "digest",
		},
		"unknown variable": {
			"stage3", "tasks-task", set("containerDefinitions",
				`[{"image":"x@sha256:y","environment":[{"name":"DEBUG","value":"1"}]}]`), "DEBUG",
		},
		"secret variable": {
			"stage3", "tasks-task", set("containerDefinitions",
				`[{"image":"x@sha256:y","environment":[{"name":"SESSION_KEY","value":"1"}]}]`), "SESSION_KEY",
		},
		"too many connections": {"stage3", "tasks-scaling", set("maxCapacity", 20.0), "connections"},
		"function's secret":    {"stage5", "function-shop", set("environment.variables.SESSION_KEY", "1"), "SESSION_KEY"},
		"function's variable":  {"stage5", "function-shop", set("environment.variables.DEBUG", "1"), "DEBUG"},
		"function unbounded":   {"stage5", "function-shop", set("reservedConcurrentExecutions", -1.0), "reserve"},
		"function outside": {
			"stage5", "function-shop", set("vpcConfig.subnetIds", []any{"network-public-0-id"}), "private subnets",
		},
		"function traced":    {"stage5", "function-shop", set("tracingConfig.mode", "Active"), "PassThrough"},
		"function's own log": {"stage5", "function-shop", set("loggingConfig.logGroup", nil), "log group"},
		"function by tag":    {"stage5", "function-shop", set("imageUri", "shop:latest"), "digest"},
		"function first": {
			"stage5", "function-shop", without("function-parameters"), "function-parameters, which goes first",
		},
		"function's group last": {
			"stage5", "network-compute-group", without("network-attach"), "keep network-compute-group-id",
		},
		"function's subnet last": {
			"stage5", "network-private-1", without("network-attach"), "keep network-private-1-id",
		},
		"function's code in EC2": {
			"stage5", "network-attach",
			set("policy", `{"Statement":[{"Effect":"Allow","Action":["ec2:CreateNetworkInterface"],"Resource":"*"}]}`),
			"ec2:CreateNetworkInterface on all",
		},
		"anybody invokes":       {"stage5", "gateway-permission", set("principal", "*"), "may invoke"},
		"any API invokes":       {"stage5", "gateway-permission", set("sourceArn", nil), "may invoke"},
		"newest version serves": {"stage5", "function-live", set("functionVersion", "$LATEST"), "$LATEST"},
		"untried version":       {"stage5", "function-live", without("function-trial"), "tried"},
		"other event":           {"stage5", "schedule-background", set("target.input", "{}"), "does not know"},
		"older payload": {
			"stage5", "gateway-integration", set("payloadFormatVersion", "1.0"), "payloadFormatVersion",
		},
		"schedule of any": {
			"stage5", "schedule-invoke", set("policy", `{"Statement":[{"Action":"lambda:InvokeFunction","Resource":"*"}]}`),
			"any function",
		},
		"API without a proof": {
			"stage5", "edge-distribution",
			set("origins", []any{map[string]any{"customOriginConfig": map[string]any{"originProtocolPolicy": "https-only"}}}),
			"proves nothing",
		},
		"inline rule":        {"stage3", "network-compute-group", set("ingress", []any{}), "inline"},
		"logs first":         {"stage1", "server-instance", without("server-logs"), "server-logs, which goes first"},
		"fleet's logs first": {"stage2", "fleet-group", without("fleet-logs"), "fleet-logs, which goes first"},
		"no right to dump":   {"stage1", "server-instance", without("server-dumps"), "server-dumps, which goes first"},
		"logs come back": {
			"stage1", "server-write-logs", set("policy", `{"Statement":[{"Action":["logs:CreateLogGroup"]}]}`),
			"logs:CreateLogGroup",
		},
		"agent's own policy": {
			"stage1", "server-pull", set("policyArn", "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"),
			"logs:CreateLogGroup",
		},
		"all parameters": {
			"stage1", "server-pull", set("policyArn", "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"),
			"ssm:GetParameters on all",
		},
		"unknown policy": {
			"stage3", "tasks-execution-pull", set("policyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
			"nobody has looked at",
		},
		"namesake policy": {
			"stage3", "tasks-execution-pull", set("policyArn", "arn:aws:iam::1:policy/AmazonECSTaskExecutionRolePolicy"),
			"nobody has looked at",
		},
		"anybody's parameters": {
			"stage4", "cluster-server-parameters", set("policy", `{"Statement":[{"Action":"ssm:GetParameter","Resource":"*"}]}`),
			"ssm:GetParameter on all",
		},
		"other parameters": {
			"stage1", "server-parameters",
			set("policy", `{"Statement":[{"Action":"ssm:GetParameter",
				"Resource":"arn:aws:ssm:r:1:parameter/shoplab/stage12/*"}]}`), "beyond the stage's own",
		},
		"any key": {
			"stage1", "server-session-manager", set("policy", `{"Statement":[{"Action":["kms:Decrypt"],"Resource":["*"]}]}`),
			"kms:Decrypt on all",
		},
		"address of instance": {"stage1", "server-address-link", set("networkInterfaceId", nil), "loses it before"},
		"interface goes too": {
			"stage1", "server-instance",
			set("networkInterfaces", []any{map[string]any{"deviceIndex": 0.0, "deleteOnTermination": true}}), "outlives it",
		},
		"default group": {"stage4", "cluster-server-interface", set("securityGroups", nil), "in no security group"},
		"address goes first": {
			"stage4", "cluster-server-instance", without("cluster-server-address-link"), "EipAssociation",
		},
		"S3 goes first":         {"stage1", "server-instance", without("network-s3"), "VpcEndpoint"},
		"newest image":          {"stage1", "server-instance", set("ami", "ami-newer"), "published last"},
		"newest image of fleet": {"stage2", "fleet-template", set("imageId", "ami-newer"), "published last"},
		"image not kept": {
			"stage2", "fleet-debian-13-latest-arm64", func(r *registered) { r.Ignored = nil }, "published last",
		},
		"plain connections": {"stage3", "database-instance", set("engineVersion", "14"), "does not refuse plain"},
		"default parameter": {"stage3", "database-subnets", func(r *registered) {
			r.Type = "aws:rds/parameterGroup:ParameterGroup"
			set("parameters", []any{map[string]any{"name": "rds.force_ssl", "value": "1"}})(r)
		}, "the engine's default"},
		"own parameter group": {"stage3", "database-instance", set("parameterGroupName", "mine"), "does not refuse plain"},
		"whole bucket": {
			"stage1", "server-dumps", set("policy",
				`{"Statement":[{"Action":"s3:GetObject","Resource":"arn:aws:s3:::my-dumps"}]}`), "on all of",
		},
		"every key": {
			"stage1", "server-dumps", set("policy",
				`{"Statement":[{"Action":"s3:ListBucket","Resource":"arn:aws:s3:::my-dumps"}]}`), "on all of",
		},
		"bucket of the stack": {
			"stage1", "server-profile", func(r *registered) { r.Type = "aws:s3/bucketV2:BucketV2" }, "belongs to the user",
		},
		"silent alarm": {"stage1", "observe-status", set("alarmActions", nil), "writes to nobody"},
		"deaf topic":   {"stage1", "observe-alerts", set("kmsMasterKeyId", "alias/aws/sns"), "CloudWatch may not use"},
		"widow object": {"stage4", "mesh-deployment", func(r *registered) { r.DeletedWith = "" }, "deleted with"},
		"blind update": {
			"stage2", "fleet-group", func(r *registered) { r.BeforeUpdate = nil }, "before the new version works",
		},
		"provider's refresh": {
			"stage2", "fleet-group", set("instanceRefresh", map[string]any{"strategy": "Rolling"}), "lets the provider refresh",
		},
		"blind deployment": {
			"stage3", "tasks-service", func(r *registered) { r.BeforeUpdate = nil }, "before the new version works",
		},
		"no explanation": {"stage3", "edge-distribution", func(r *registered) { r.OnError = nil }, "does not explain errors"},
	} {
		t.Run(name, func(t *testing.T) {
			change := map[string]string{"shoplab:alertEmail": "a@example.com"}
			if !strings.HasPrefix(test.resource, "image-") { // nothing to build
				change["shoplab:image"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop@sha256:" + strings.Repeat("a", 64)
			}
			if test.stack == "stage1" {
				change["shoplab:dumpBucket"] = "my-dumps"
			}
			r, _ := deploy(t, test.stack, change)
			r.seen(t, test.resource, test.spoil, test.want)
		})
	}
}

// put sets a value deep inside inputs; a nil value takes it away.
func put(m resource.PropertyMap, path []string, value resource.PropertyValue) {
	key := resource.PropertyKey(path[0])
	switch {
	case len(path) > 1:
		put(m[key].ObjectValue(), path[1:], value)
	case value.IsNull():
		delete(m, key)
	default:
		m[key] = value
	}
}

// TestDeploysByDigest: what the tasks run is what was pushed.
func TestDeploysByDigest(t *testing.T) {
	r, _ := deploy(t, "stage3", nil)
	i := slices.IndexFunc(r.resources, func(res registered) bool { return res.Name == "tasks-task" })
	definition := fmt.Sprint(jsonable(r.resources[i].Inputs["containerDefinitions"]))
	if want := r.registry + "/image-repository@sha256:"; !strings.Contains(definition, want) {
		t.Errorf("no %s in %s", want, definition)
	}
}
