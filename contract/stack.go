package contract

// The topologies: how a stage is put together, in the words of the key shoplab:topology.
const (
	Single   = "single"   // everything on one server
	Balanced = "balanced" // a load balancer before servers, with RDS and ElastiCache
	Fargate  = "fargate"  // the same with ECS tasks on Fargate
	Mesh     = "mesh"     // Kubernetes with Istio
	Lambda   = "lambda"   // a Lambda function behind an HTTP API, with RDS and ElastiCache
)

// Topologies lists them all.
func Topologies() []string { return []string{Single, Balanced, Fargate, Mesh, Lambda} }

// How shoppers come by HTTPS, in the words of the key shoplab:https.
const (
	HTTPSCloudFront = "cloudfront"
	HTTPSDomain     = "domain"
	HTTPSOff        = "off"
)

// Payment modes, of the key shoplab:payments and of EnvPayments.
const (
	PaymentsSimulated = "simulated"
	PaymentsStripe    = "stripe"
)

// Where Istio comes from on a cluster that is there already, in the words of the key shoplab:istio.
const (
	IstioInstall  = "install"
	IstioExisting = "existing"
)

// Names of the stack outputs, the same on every stage.
const (
	OutputURL        = "url" // what a shopper opens
	OutputStage      = "stage"
	OutputTopology   = "topology"
	OutputRegion     = "region"
	OutputImage      = "image"      // by digest
	OutputCostTags   = "costTags"   // map of tag to value
	OutputDashboards = "dashboards" // map of name to URL, may be empty
	OutputCapacity   = "capacity"   // map of the Capacity names to numbers
	OutputDatabase   = "database"   // whether a cluster's own database has a volume; with kubeconfig only
	OutputKubeconfig = "kubeconfig" // secret, with topology mesh only
	OutputWebhooks   = "webhooks"   // the URL of the endpoint to add at Stripe; with payments stripe only
)

// Names in the stack output capacity.
const (
	CapacityInstances           = "instances"
	CapacityMaxInstances        = "maxInstances"
	CapacityPoolPerInstance     = "poolPerInstance"
	CapacityDatabaseConnections = "databaseConnections"
)

// PostgreSQL's own defaults, of a server whose configuration does not say otherwise. Source: PostgreSQL's
// documentation, "Connections and Authentication".
const (
	PostgresMaxConnections = 100 // max_connections
	// SuperuserReservedConnections of them are kept for superusers; the shop's role is none.
	SuperuserReservedConnections = 3
)
