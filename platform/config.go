package platform

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The four topologies of shoplab:topology.
const (
	Single   = "single"
	Balanced = "balanced"
	Fargate  = "fargate"
	Mesh     = "mesh"
)

// The HTTPS modes of shoplab:https.
const (
	HTTPSCloudFront = "cloudfront"
	HTTPSDomain     = "domain"
	HTTPSOff        = "off"
)

// Payment modes of shoplab:payments.
const (
	PaymentsSimulated = "simulated"
	PaymentsStripe    = "stripe"
)

// connectionReserve is how many database connections are left to migrations, the monitoring and a
// person with psql. RDS itself keeps 5 for its superusers.
const connectionReserve = 10

// Config is the whole configuration of a stack. Every field but the first two is one key in the
// namespace shoplab; keys() says what each means.
type Config struct {
	Stack  string
	Region string

	Topology     string
	Architecture string
	InstanceType string
	Instances    int
	MaxInstances int
	CPU          int
	Memory       int
	SpotShare    int
	Wait         bool

	PoolPerInstance       int
	DatabaseConnections   int
	DatabaseInstanceClass string
	DatabaseVersion       string
	DatabaseStorage       int
	DatabaseBackupDays    int
	CacheNodeType         string
	CacheVersion          string

	HealthCheckInterval int
	HTTPS               string
	Domain              string
	Zone                string
	RateLimit           string
	SessionKeyVersion   int
	Image               string
	Debian              string

	Payments             string
	StripeSecretKey      string
	StripePublishableKey string
	StripeWebhookSecret  string

	LogRetentionDays int
	Expires          string
	MonthlyBudget    int
	AlertEmail       string

	DumpBucket   string // with its prefix, as bucket/prefix; empty for none
	DumpCalendar string

	OperatorCIDR string
	Kubeconfig   string
	Meshery      bool
}

// key is one key of the namespace shoplab, as Pulumi.yaml declares it. That a key is secret is
// checked here: where Pulumi.yaml says so, Pulumi wants an encrypted value even of who needs none.
type key struct {
	name, kind, value, about string
	required, secret         bool
}

// keys is the table that config_test.go holds Pulumi.yaml against. An empty or zero default of a
// key that byTopology fills means "what suits the topology".
func keys() []key {
	return []key{
		{name: "topology", kind: "string", required: true, about: "single, balanced, fargate or mesh"},
		{name: "instances", kind: "integer", required: true, about: "Instances, tasks or pods to start with"},
		{name: "maxInstances", kind: "integer", required: true, about: "Most instances that scaling may start"},
		{name: "cpu", kind: "integer", required: true, about: "CPU units of one instance, task or pod; 1024 = 1 vCPU"},
		{name: "memory", kind: "integer", required: true, about: "Memory of one instance, task or pod in MiB"},
		{name: "poolPerInstance", kind: "integer", required: true, about: "Database connections of one instance of the service"},
		{name: "databaseConnections", kind: "integer", required: true, about: "Connections that the database really accepts"},
		{name: "architecture", kind: "string", value: "arm64", about: "arm64 (Graviton, about a fifth cheaper) or amd64"},
		{name: "instanceType", kind: "string", about: "EC2 instance type; empty: t4g.small or t3.small, for mesh t4g.large or t3.large"},
		{name: "spotShare", kind: "integer", value: "0", about: "Percentage of Fargate tasks beyond the first that run on Spot capacity"},
		{name: "wait", kind: "boolean", value: "true", about: "Wait until instances (balanced) or tasks (fargate) serve, or the Kubernetes API answers (mesh); false only where none ever will"},
		{name: "databaseInstanceClass", kind: "string", value: "db.t4g.micro", about: "RDS instance class"},
		{name: "databaseVersion", kind: "string", value: "17", about: "RDS PostgreSQL version; the minor version is RDS's default at creation and then stays"},
		{name: "databaseStorage", kind: "integer", value: "20", about: "RDS gp3 storage in GiB; 20 is the least"},
		{name: "databaseBackupDays", kind: "integer", value: "0", about: "Days of RDS backups; 0: none, which suits a laboratory"},
		{name: "cacheNodeType", kind: "string", value: "cache.t4g.micro", about: "ElastiCache node type"},
		{name: "cacheVersion", kind: "string", value: "8.0", about: "ElastiCache Valkey version"},
		{name: "healthCheckInterval", kind: "integer", value: "30", about: "Seconds between two health checks"},
		{name: "https", kind: "string", value: HTTPSCloudFront, about: "cloudfront (its own certificate), domain (your own name) or off (load tests against the origin)"},
		{name: "domain", kind: "string", about: "With https domain: the shop's name, such as shop.example.com"},
		{name: "zone", kind: "string", about: "With https domain: the Route 53 hosted zone, such as example.com"},
		{name: "rateLimit", kind: "string", about: "The service's rate limits: on, or off for load tests; empty: the service's default"},
		{name: "sessionKeyVersion", kind: "integer", value: "1", about: "Raise it to rotate the key of session tokens; the key before stays good until the next time"},
		{name: "image", kind: "string", about: "A prebuilt image by digest (registry/name@sha256:...); empty: build ./service and push it to ECR"},
		{name: "debian", kind: "string", value: "13/latest", about: "Debian release and build of the EC2 images; 13/latest: the newest at creation, then kept; another build moves to it"},
		{name: "payments", kind: "string", value: PaymentsSimulated, about: "simulated or stripe"},
		{name: "stripeSecretKey", kind: "string", secret: true, about: "With payments stripe: sk_..."},
		{name: "stripePublishableKey", kind: "string", about: "With payments stripe: pk_..."},
		{name: "stripeWebhookSecret", kind: "string", secret: true, about: "With payments stripe: whsec_..., once the endpoint is there; without it the shop asks Stripe"},
		{name: "logRetentionDays", kind: "integer", value: "7", about: "Days that CloudWatch keeps logs"},
		{name: "expires", kind: "string", about: "Time (RFC 3339) after which the stack counts as forgotten; tags everything"},
		{name: "monthlyBudget", kind: "integer", value: "0", about: "Monthly AWS Budget in USD; 0: 30, 100, 90 or 120 by topology"},
		{name: "alertEmail", kind: "string", about: "Address that the budget and the alarms write to; empty: nobody"},
		{name: "dumpBucket", kind: "string", about: "With topology single: an S3 bucket of yours, as bucket or bucket/prefix, for dumps of the database; empty: none"},
		{name: "dumpCalendar", kind: "string", value: "hourly", about: "When to dump (systemd.time); hourly: a server that dies without a shutdown loses an hour"},
		{name: "operatorCidr", kind: "string", about: "With topology mesh: the only IPv4 network that may reach the Kubernetes API, such as 203.0.113.7/32; empty: the address from which pulumi runs"},
		{name: "kubeconfig", kind: "string", secret: true, about: "With topology mesh: use this cluster instead of building k3s"},
		{name: "meshery", kind: "boolean", value: "false", about: "With topology mesh: install Meshery too"},
	}
}

// loadConfig reads and checks the stack's configuration. The error lists every problem.
func loadConfig(ctx *pulumi.Context) (Config, error) {
	r := reader{values: map[string]string{}}
	for _, k := range keys() {
		value, set := ctx.GetConfig("shoplab:" + k.name)
		if k.required && !set {
			r.problem("shoplab:%s is required (%s)", k.name, k.about)
		}
		if k.secret && value != "" && !ctx.IsConfigSecret("shoplab:"+k.name) {
			r.problem("shoplab:%s would lie in the clear; set it with: pulumi config set --secret %s", k.name, k.name)
		}
		r.values[k.name] = cmp.Or(value, k.value)
	}
	r.unknown(os.Getenv(pulumi.EnvConfig))
	region, _ := ctx.GetConfig("aws:region")
	if region == "" {
		r.problem("aws:region is required")
	}
	c := r.config()
	c.Stack, c.Region = ctx.Stack(), region
	c.byTopology()
	r.check(c)
	if len(r.problems) > 0 {
		return Config{}, fmt.Errorf("the configuration of stack %s has %d problem(s):\n  - %s",
			c.Stack, len(r.problems), strings.Join(r.problems, "\n  - "))
	}
	return c, nil
}

// reader turns the text of configuration values into types and gathers what is wrong with them.
type reader struct {
	values   map[string]string
	problems []string
}

func (r *reader) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// unknown finds keys that nothing reads: a mistyped key would otherwise be a silent default.
func (r *reader) unknown(environment string) {
	set := map[string]string{}
	if environment == "" {
		return
	}
	if err := json.Unmarshal([]byte(environment), &set); err != nil {
		r.problem("%s is not JSON: %v", pulumi.EnvConfig, err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		short, ours := strings.CutPrefix(name, "shoplab:")
		if _, known := r.values[short]; ours && !known {
			r.problem("%s is not a key of this program", name)
		}
	}
}

func (r *reader) integer(name string) int {
	text := r.values[name]
	if text == "" {
		return 0 // required and missing: reported already
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.problem("shoplab:%s is %q, not a whole number", name, text)
	}
	return n
}

func (r *reader) boolean(name string) bool {
	b, err := strconv.ParseBool(r.values[name])
	if err != nil {
		r.problem("shoplab:%s is %q, neither true nor false", name, r.values[name])
	}
	return b
}

func (r *reader) config() Config {
	v := r.values
	return Config{
		Topology: v["topology"], Architecture: v["architecture"], InstanceType: v["instanceType"],
		Instances: r.integer("instances"), MaxInstances: r.integer("maxInstances"),
		CPU: r.integer("cpu"), Memory: r.integer("memory"), SpotShare: r.integer("spotShare"), Wait: r.boolean("wait"),
		PoolPerInstance: r.integer("poolPerInstance"), DatabaseConnections: r.integer("databaseConnections"),
		DatabaseInstanceClass: v["databaseInstanceClass"], DatabaseVersion: v["databaseVersion"],
		DatabaseStorage: r.integer("databaseStorage"), DatabaseBackupDays: r.integer("databaseBackupDays"),
		CacheNodeType: v["cacheNodeType"], CacheVersion: v["cacheVersion"],
		HealthCheckInterval: r.integer("healthCheckInterval"),
		HTTPS:               v["https"], Domain: v["domain"], Zone: v["zone"],
		RateLimit: v["rateLimit"], SessionKeyVersion: r.integer("sessionKeyVersion"), Image: v["image"], Debian: v["debian"],
		Payments: v["payments"], StripeSecretKey: v["stripeSecretKey"],
		StripePublishableKey: v["stripePublishableKey"], StripeWebhookSecret: v["stripeWebhookSecret"],
		LogRetentionDays: r.integer("logRetentionDays"), Expires: v["expires"],
		MonthlyBudget: r.integer("monthlyBudget"), AlertEmail: v["alertEmail"],
		DumpBucket: v["dumpBucket"], DumpCalendar: v["dumpCalendar"],
		OperatorCIDR: v["operatorCidr"], Kubeconfig: v["kubeconfig"], Meshery: r.boolean("meshery"),
	}
}

// byTopology fills what was left to the topology and the stack.
func (c *Config) byTopology() {
	if c.DumpBucket != "" && !strings.Contains(c.DumpBucket, "/") {
		c.DumpBucket += "/shoplab/" + c.Stack // two stacks may share a bucket
	}
	if c.InstanceType == "" && c.Topology != Fargate {
		size := "small"
		if c.Topology == Mesh {
			size = "large"
		}
		family := "t4g."
		if c.Architecture == "amd64" {
			family = "t3."
		}
		c.InstanceType = family + size
	}
	if c.MonthlyBudget == 0 {
		c.MonthlyBudget = map[string]int{Single: 30, Balanced: 100, Fargate: 90, Mesh: 120}[c.Topology]
	}
}

// ConnectionsNeeded is how many database connections the stack may open at worst: during a rolling
// deploy every instance exists twice.
func (c Config) ConnectionsNeeded() int {
	return 2*c.MaxInstances*c.PoolPerInstance + connectionReserve
}

// graviton matches ARM instance families: t4g, m7gd, c8gn, im4gn, a1.
var graviton = regexp.MustCompile(`^([a-z]+[0-9]+g[a-z]*|a1)\.`)

// imageByDigest matches a container image reference by digest.
var imageByDigest = regexp.MustCompile(`^[a-z0-9][a-z0-9.:/_-]+@sha256:[0-9a-f]{64}$`)

// check finds what is wrong with values that are well typed. Those that are missing or ill typed are
// zero here and reported already.
func (r *reader) check(c Config) {
	r.oneOf("topology", c.Topology, Single, Balanced, Fargate, Mesh)
	r.oneOf("architecture", c.Architecture, "arm64", "amd64")
	r.oneOf("https", c.HTTPS, HTTPSCloudFront, HTTPSDomain, HTTPSOff)
	r.oneOf("payments", c.Payments, PaymentsSimulated, PaymentsStripe)
	r.oneOf("rateLimit", c.RateLimit, "on", "off")
	r.between("instances", c.Instances, 1, 100)
	r.between("maxInstances", c.MaxInstances, c.Instances, 100)
	r.between("poolPerInstance", c.PoolPerInstance, 1, 1000)
	r.between("healthCheckInterval", c.HealthCheckInterval, 5, 300)
	r.between("spotShare", c.SpotShare, 0, 100)
	r.between("databaseStorage", c.DatabaseStorage, 20, 65536)
	r.between("databaseBackupDays", c.DatabaseBackupDays, 0, 35)
	r.between("monthlyBudget", c.MonthlyBudget, 0, 1_000_000)
	if !slices.Contains([]int{1, 3, 5, 7, 14, 30, 60, 90, 180, 365}, c.LogRetentionDays) {
		r.problem("shoplab:logRetentionDays is %d; CloudWatch takes 1, 3, 5, 7, 14, 30, 60, 90, 180 or 365", c.LogRetentionDays)
	}
	if need := c.ConnectionsNeeded(); c.DatabaseConnections > 0 && need > c.DatabaseConnections {
		r.problem("2 x %d maxInstances x %d poolPerInstance + %d in reserve = %d connections, but the database accepts %d (shoplab:databaseConnections)",
			c.MaxInstances, c.PoolPerInstance, connectionReserve, need, c.DatabaseConnections)
	}
	if c.InstanceType != "" && graviton.MatchString(c.InstanceType) != (c.Architecture == "arm64") {
		r.problem("shoplab:instanceType %s does not run %s (shoplab:architecture)", c.InstanceType, c.Architecture)
	}
	if postgresMajor(c.DatabaseVersion) < leastPostgres {
		r.problem("shoplab:databaseVersion is %q; take %d or later, which refuses connections without TLS by itself", c.DatabaseVersion, leastPostgres)
	}
	if c.Image != "" && !imageByDigest.MatchString(c.Image) {
		r.problem("shoplab:image is %q, not registry/name@sha256:...", c.Image)
	}
	r.checkTopology(c)
	r.checkOptions(c)
}
