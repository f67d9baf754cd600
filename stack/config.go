// Package stack is the configuration of a stack: one row a key. The platform reads it through Pulumi, the
// laboratory from the stacks' files; it imports the SDK of neither.
package stack

import (
	"strings"

	"shoplab/contract"
)

// ConnectionReserve is how many database connections are left to migrations, the monitoring and a
// person with psql. RDS itself keeps 5 for its superusers.
const ConnectionReserve = 10

// Config is the whole configuration of a stack. Every field but the first two is one key in the
// namespace shoplab; rows says what each means.
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
	DatabaseStandby       bool
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
	Istio        string
	StorageClass string
	NodePort     int
	Meshery      bool
}

// row is one key: its name without the namespace, its type and default, what it means, and how its text is read
// into the Config and checked. That a key is secret is checked here: where Pulumi.yaml says so, Pulumi wants an
// encrypted value even of who needs none.
type row struct {
	name, kind, value, about string
	required, secret         bool
	read                     func(text string) error
}

func (r row) key() string { return Namespace + ":" + r.name }

// rows is the table of the keys, in the order of Pulumi.yaml, which is generated from it. Reading a value puts it into
// c. An empty or zero default of a key that byTopology fills means "what suits the topology". What one key asks of
// another is in check.go.
func (c *Config) rows() []row { //nolint:funlen // a table
	return []row{
		{
			name: "topology", kind: "string", required: true, about: "single, balanced, fargate, mesh or lambda",
			read: oneOf(&c.Topology, contract.Topologies()...),
		},
		{
			name: "instances", kind: "integer", required: true, about: "Instances, tasks or pods to start with; with lambda " +
				"1, though a function starts with the first request",
			read: number(&c.Instances, 1, 100),
		},
		{
			name: "maxInstances", kind: "integer", required: true, about: "Most instances that scaling may start; with lambda " +
				"the reserved concurrency",
			read: number(&c.MaxInstances, 1, 100),
		},
		{
			name: "cpu", kind: "integer", required: true,
			about: "CPU units of one instance, task or pod; 1024 = 1 vCPU; with lambda what the memory brings along",
			read:  number(&c.CPU, 1, 1<<20),
		},
		{
			name: "memory", kind: "integer", required: true, about: "Memory of one instance, task or pod in MiB",
			read: number(&c.Memory, 1, 1<<30),
		},
		{
			name: "poolPerInstance", kind: "integer", required: true,
			about: "Database connections of one instance of the service",
			read:  number(&c.PoolPerInstance, 1, 1000),
		},
		{
			name: "databaseConnections", kind: "integer", required: true,
			about: "Connections that the database really accepts",
			read:  number(&c.DatabaseConnections, 1, 1<<20),
		},
		{
			name: "architecture", kind: "string", value: "arm64",
			about: "arm64 (Graviton, about a fifth cheaper) or amd64",
			read:  oneOf(&c.Architecture, "arm64", "amd64"),
		},
		{
			name: "instanceType", kind: "string",
			about: "EC2 instance type; empty: t4g.small or t3.small, for mesh t4g.large or t3.large",
			read:  text(&c.InstanceType),
		},
		{
			name: "spotShare", kind: "integer", value: "0",
			about: "Percentage of Fargate tasks beyond the first that run on Spot capacity",
			read:  number(&c.SpotShare, 0, 100),
		},
		{
			name: "wait", kind: "boolean", value: "true",
			about: "Wait until instances (balanced) or tasks (fargate) serve, or the Kubernetes API answers (mesh); " +
				"false only where none ever will",
			read: boolean(&c.Wait),
		},
		{
			name: "databaseInstanceClass", kind: "string", value: "db.t4g.micro", about: "RDS instance class",
			read: text(&c.DatabaseInstanceClass),
		},
		{
			name: "databaseVersion", kind: "string", value: "17",
			about: "RDS PostgreSQL version; the minor version is RDS's default at creation and then stays",
			read:  postgres(&c.DatabaseVersion),
		},
		{
			name: "databaseStorage", kind: "integer", value: "20", about: "RDS gp3 storage in GiB; 20 is the least",
			read: number(&c.DatabaseStorage, 20, 65536),
		},
		{
			name: "databaseBackupDays", kind: "integer", value: "0",
			about: "Days of RDS backups; 0: none, which suits a laboratory",
			read:  number(&c.DatabaseBackupDays, 0, 35),
		},
		{
			name: "databaseStandby", kind: "boolean", value: "false",
			about: "A standby of the RDS database in another zone (Multi-AZ), which takes over when it or its zone fails",
			read:  boolean(&c.DatabaseStandby),
		},
		{
			name: "cacheNodeType", kind: "string", value: "cache.t4g.micro", about: "ElastiCache node type",
			read: text(&c.CacheNodeType),
		},
		{
			name: "cacheVersion", kind: "string", value: "8.0", about: "ElastiCache Valkey version",
			read: text(&c.CacheVersion),
		},
		{
			name: "healthCheckInterval", kind: "integer", value: "30", about: "Seconds between two health checks",
			read: number(&c.HealthCheckInterval, 5, 300),
		},
		{
			name: "https", kind: "string", value: contract.HTTPSCloudFront,
			about: "cloudfront (its own certificate), domain (your own name) or off (load tests against the origin)",
			read:  oneOf(&c.HTTPS, contract.HTTPSCloudFront, contract.HTTPSDomain, contract.HTTPSOff),
		},
		{
			name: "domain", kind: "string", about: "With https domain: the shop's name, such as shop.example.com",
			read: text(&c.Domain),
		},
		{
			name: "zone", kind: "string", about: "With https domain: the Route 53 hosted zone, such as example.com",
			read: text(&c.Zone),
		},
		{
			name: "rateLimit", kind: "string",
			about: "The service's rate limits: on, or off for load tests; empty: the service's default",
			read:  oneOf(&c.RateLimit, "on", "off"),
		},
		{
			name: "sessionKeyVersion", kind: "integer", value: "1",
			about: "Raise it to rotate the key of session tokens; the key before stays good until the next time",
			read:  number(&c.SessionKeyVersion, 1, 1_000_000),
		},
		{
			name: "image", kind: "string",
			about: "A prebuilt image by digest (registry/name@sha256:...); empty: build ./service and push it to ECR",
			read:  matching(&c.Image, imageByDigest, "registry/name@sha256:..."),
		},
		{
			name: "debian", kind: "string", value: "13/latest",
			about: "Debian release and build of the EC2 images; 13/latest: the newest at creation, then kept; " +
				"another build moves to it",
			read: text(&c.Debian),
		},
		{
			name: "payments", kind: "string", value: contract.PaymentsSimulated, about: "simulated or stripe",
			read: oneOf(&c.Payments, contract.PaymentsSimulated, contract.PaymentsStripe),
		},
		{
			name: "stripeSecretKey", kind: "string", secret: true, about: "With payments stripe: sk_...",
			read: text(&c.StripeSecretKey),
		},
		{
			name: "stripePublishableKey", kind: "string", about: "With payments stripe: pk_...",
			read: text(&c.StripePublishableKey),
		},
		{
			name: "stripeWebhookSecret", kind: "string", secret: true,
			about: "With payments stripe: whsec_..., once the endpoint is there; without it the shop asks Stripe",
			read:  text(&c.StripeWebhookSecret),
		},
		{
			name: "logRetentionDays", kind: "integer", value: "7", about: "Days that CloudWatch keeps logs",
			read: oneNumberOf(&c.LogRetentionDays, "CloudWatch", 1, 3, 5, 7, 14, 30, 60, 90, 180, 365),
		},
		{
			name: "expires", kind: "string",
			about: "Time (RFC 3339) at which the stack ends by itself, with all its data; a day before, alertEmail " +
				"is told; empty: never",
			read: moment(&c.Expires),
		},
		{
			name: "monthlyBudget", kind: "integer", value: "0",
			about: "Monthly AWS Budget in USD; 0: by topology 30, 100, 90, 120 or 50, 40 more for lambda's NAT gateway, " +
				"20 more for databaseStandby",
			read: number(&c.MonthlyBudget, 0, 1_000_000),
		},
		{
			name: "alertEmail", kind: "string", about: "Address that the budget and the alarms write to; empty: nobody",
			read: email(&c.AlertEmail),
		},
		{
			name: "dumpBucket", kind: "string",
			about: "With topology single: an S3 bucket of yours, as bucket or bucket/prefix, for dumps of the " +
				"database; empty: none",
			read: matching(&c.DumpBucket, dumpTarget,
				"bucket or bucket/prefix, where a bucket's name has 3 to 63 of a-z, 0-9 and -"),
		},
		{
			name: "dumpCalendar", kind: "string", value: "hourly",
			about: "When to dump (systemd.time); hourly: a server that dies without a shutdown loses an hour",
			read:  matching(&c.DumpCalendar, calendar, "a time such as hourly or *-*-* 03:00"),
		},
		{
			name: "operatorCidr", kind: "string",
			about: "With topology mesh: the only IPv4 network that may reach the Kubernetes API, such as " +
				"203.0.113.7/32; empty: the address from which pulumi runs",
			read: network(&c.OperatorCIDR),
		},
		{
			name: "kubeconfig", kind: "string", secret: true,
			about: "With topology mesh: use this cluster instead of building k3s",
			read:  text(&c.Kubeconfig),
		},
		{
			name: "istio", kind: "string", value: contract.IstioInstall,
			about: "With kubeconfig: install Istio and what watches it, or use the existing one of the cluster",
			read:  oneOf(&c.Istio, contract.IstioInstall, contract.IstioExisting),
		},
		{
			name: "storageClass", kind: "string",
			about: "With kubeconfig: StorageClass of the database's volume; empty: the cluster's default; " +
				"ephemeral: no volume, the data goes with its pod",
			read: text(&c.StorageClass),
		},
		{
			name: "nodePort", kind: "integer", value: "30080",
			about: "With kubeconfig: port of the nodes at which the shop's gateway listens",
			read:  number(&c.NodePort, 1, 65535),
		},
		{
			name: "meshery", kind: "boolean", value: "false", about: "With topology mesh: install Meshery too",
			read: boolean(&c.Meshery),
		},
	}
}

// byTopology fills what was left to the topology and the stack.
func (c *Config) byTopology() {
	if c.DumpBucket != "" && !strings.Contains(c.DumpBucket, "/") {
		c.DumpBucket += "/shoplab/" + c.Stack // two stacks may share a bucket
	}
	if c.InstanceType == "" && c.Servers() {
		size := "small"
		if c.Topology == contract.Mesh {
			size = "large"
		}
		family := "t4g."
		if c.Architecture == "amd64" {
			family = "t3."
		}
		c.InstanceType = family + size
	}
	if c.MonthlyBudget == 0 {
		c.MonthlyBudget = map[string]int{
			contract.Single: 30, contract.Balanced: 100, contract.Fargate: 90, contract.Mesh: 120, contract.Lambda: 50,
		}[c.Topology]
		if c.Topology == contract.Lambda && c.Payments == contract.PaymentsStripe {
			c.MonthlyBudget += 40
		}
		if c.DatabaseStandby {
			c.MonthlyBudget += 20
		}
	}
}

// Servers says whether the stage has EC2 instances.
func (c Config) Servers() bool {
	return c.Topology != contract.Fargate && c.Topology != contract.Lambda
}

// ConnectionsNeeded is how many database connections the stack may open at worst: during a rolling
// deploy every instance exists twice.
func (c Config) ConnectionsNeeded() int {
	return 2*c.MaxInstances*c.PoolPerInstance + ConnectionReserve
}
