// Package contract holds what the service promises to whoever runs it: ports, probe paths, the
// user it runs as, and the names of its environment variables. The service serves them, the
// platform wires them into probes, target groups and task definitions, and the lab dials them, so
// that the three cannot drift apart.
package contract

const (
	// Port is the TCP port of the public HTTP listener inside an image.
	Port = 8080
	// AdminPort is the TCP port of the admin listener (metrics, pprof). It is never public.
	AdminPort = 9090
	// LivePath answers 200 as long as the process runs.
	LivePath = "/livez"
	// ReadyPath answers 200 when the instance can serve, 503 while it starts, drains or lacks its
	// database.
	ReadyPath = "/readyz"
	// MetricsPath is served on the admin listener only, in Prometheus' text format.
	MetricsPath = "/metrics"
	// WebhooksPath takes Stripe's events.
	WebhooksPath = "/api/webhooks/stripe"
	// UID is the user and group id that the image runs as.
	UID = 65532
)

// Names of the environment variables that the service reads. `service --help` prints them with
// their defaults and meaning.
const (
	EnvAddr                   = "ADDR"
	EnvAdminAddr              = "ADMIN_ADDR"
	EnvDatabaseURL            = "DATABASE_URL"
	EnvDatabaseMaxConns       = "DATABASE_MAX_CONNS"
	EnvDatabaseAcquireTimeout = "DATABASE_ACQUIRE_TIMEOUT"
	EnvRedisURL               = "REDIS_URL"
	EnvSessionKey             = "SESSION_KEY"
	EnvStage                  = "STAGE"
	EnvTopology               = "TOPOLOGY"
	EnvInstance               = "INSTANCE"
	EnvPayments               = "PAYMENTS"
	EnvStripeSecretKey        = "STRIPE_SECRET_KEY"
	EnvStripePublishableKey   = "STRIPE_PUBLISHABLE_KEY"
	EnvStripeWebhookSecret    = "STRIPE_WEBHOOK_SECRET"
	EnvStripeAPIURL           = "STRIPE_API_URL"
	EnvRateLimit              = "RATE_LIMIT"
	EnvTrustedProxies         = "TRUSTED_PROXIES"
	EnvHTTPS                  = "HTTPS"
	EnvOrderHold              = "ORDER_HOLD"
	EnvOrderTTL               = "ORDER_TTL"
	EnvDrainDelay             = "DRAIN_DELAY"
	EnvHashConcurrency        = "HASH_CONCURRENCY"
	EnvLogLevel               = "LOG_LEVEL"
	EnvAccessLog              = "ACCESS_LOG"
	EnvParameters             = "PARAMETERS"
	EnvOriginSecret           = "ORIGIN_SECRET"
	EnvPublicURL              = "PUBLIC_URL"
)

// HeaderNoRetry is in each answer of 503 that is the service's own: a proxy is not to ask another instance. An instance
// that is still starting leaves it out, because another one can serve what it has not looked at. Envoy
// heeds it whatever its retry policy is ("x-envoy-ratelimited" in the documentation of its router filter), and tells by
// it the service's 503 from that of a proxy before a service that is gone.
const HeaderNoRetry = "X-Envoy-Ratelimited"

// PaymentAlarm is in each entry of the service's log that says that money is not where it should be;
// the platform has an alarm on it.
const PaymentAlarm = "payment alarm"

// BuildTags are the build tags of the deployed service. Without lambda.norpc aws/aws-lambda-go would bring net/rpc for
// runtimes that are gone, by whose use of reflection the linker keeps every exported method: 31 MB instead of 21.
const BuildTags = "lambda.norpc"

// OriginHeader is the request header by which CloudFront proves to an origin with a public address that it is
// this stage's distribution and not another customer's.
const OriginHeader = "X-Origin-Secret"

// BackgroundEvent is what has a Lambda function do a round of what runs in the background elsewhere.
// BackgroundWork is the value of its only field.
const (
	BackgroundWork  = "background"
	BackgroundEvent = `{"shoplab":"` + BackgroundWork + `"}`
)

// Env lists every name above, for tests that hold the platform against the service.
var Env = []string{
	EnvAddr, EnvAdminAddr, EnvDatabaseURL, EnvDatabaseMaxConns, EnvDatabaseAcquireTimeout,
	EnvRedisURL, EnvSessionKey, EnvStage, EnvTopology, EnvInstance, EnvPayments,
	EnvStripeSecretKey, EnvStripePublishableKey, EnvStripeWebhookSecret, EnvStripeAPIURL,
	EnvRateLimit, EnvTrustedProxies, EnvHTTPS, EnvOrderHold, EnvOrderTTL, EnvDrainDelay, EnvHashConcurrency,
	EnvLogLevel, EnvAccessLog, EnvParameters, EnvOriginSecret, EnvPublicURL,
}

// SecretEnv lists the names whose values are secrets: never in user data, never in plain
// environment where the platform offers a secret reference.
var SecretEnv = []string{
	EnvDatabaseURL, EnvRedisURL, EnvSessionKey, EnvStripeSecretKey, EnvStripeWebhookSecret, EnvOriginSecret,
}
