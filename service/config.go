package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"shoplab/contract"
)

// config is what the environment says, checked.
type config struct {
	addr, adminAddr                string
	databaseURL                    string
	databaseMaxConns               int
	databaseAcquireTimeout         time.Duration
	redisURL                       string
	sessionKeys                    [][]byte
	stage, topology, instance      string
	payments                       string // "stripe" or "simulated"
	stripeSecretKey                string
	stripePublishableKey           string
	stripeWebhookSecret            string
	stripeAPIURL                   string
	rateLimit, accessLog, httpsAll bool
	trustedProxies                 []netip.Prefix
	orderHold, orderTTL            time.Duration
	drainDelay                     time.Duration
	hashConcurrency                int
	logLevel                       slog.Level
	parameters                     string
	originSecret, publicURL        string
}

const minSessionKey = 32 // bytes, the length of an HMAC-SHA256 key that RFC 2104 recommends

// variable is an environment variable: its name, its default, what it means, and how to read it.
type variable struct {
	name, fallback, doc string
	secret              bool // may also be given as a file named by NAME_FILE
	read                func(value string) error
}

// variables is the one table of the environment. Reading a value puts it into c.
func (c *config) variables() []variable { //nolint:funlen // a table
	return []variable{
		{
			name: contract.EnvAddr, fallback: ":" + strconv.Itoa(contract.Port), doc: "address of the public listener",
			read: address(&c.addr),
		},
		{
			name: contract.EnvAdminAddr, fallback: "127.0.0.1:" + strconv.Itoa(contract.AdminPort),
			doc: "address of the admin listener: metrics and profiles; never public", read: address(&c.adminAddr),
		},
		{
			name: contract.EnvDatabaseURL, doc: "required: PostgreSQL, postgres://user:password@host:port/name?sslmode=...",
			secret: true, read: required(urlOf(&c.databaseURL, "postgres", "postgresql")),
		},
		{
			name: contract.EnvDatabaseMaxConns, fallback: "10", doc: "database connections of this instance",
			read: number(&c.databaseMaxConns, 1, 1000),
		},
		{
			name: contract.EnvDatabaseAcquireTimeout, fallback: "2s",
			doc:  "how long a request waits for a database connection, then 503",
			read: duration(&c.databaseAcquireTimeout, time.Millisecond, time.Minute),
		},
		{
			name: contract.EnvRedisURL, doc: "Redis, redis://... or rediss://...; without it each instance caches and limits " +
				"by itself", secret: true, read: urlOf(&c.redisURL, "redis", "rediss"),
		},
		{
			name: contract.EnvSessionKey, doc: "required: key of session tokens, at least 32 bytes, the same on all " +
				"instances; to rotate it, the new key, a comma and the old one", secret: true, read: required(keys(&c.sessionKeys)),
		},
		{name: contract.EnvStage, fallback: "local", doc: "name of the stage, shown in the shop", read: text(&c.stage)},
		{
			name: contract.EnvTopology, fallback: contract.Single, doc: "topology of the stage, shown in the shop",
			read: text(&c.topology),
		},
		{
			name: contract.EnvInstance, doc: "name of this instance, shown in the shop (default: the host's name)",
			read: text(&c.instance),
		},
		{
			name: contract.EnvPayments, doc: "stripe, or simulated: no money moves (default: stripe if its keys are set)",
			read: oneOf(&c.payments, "", contract.PaymentsStripe, contract.PaymentsSimulated),
		},
		{
			name: contract.EnvStripeSecretKey, doc: "Stripe's secret key, sk_... or rk_...", secret: true,
			read: text(&c.stripeSecretKey),
		},
		{
			name: contract.EnvStripePublishableKey, doc: "Stripe's publishable key, pk_...", read: text(&c.stripePublishableKey),
		},
		{
			name: contract.EnvStripeWebhookSecret, doc: "signing secret of Stripe's webhook, whsec_...; without it the shop " +
				"asks Stripe what became of payments", secret: true, read: text(&c.stripeWebhookSecret),
		},
		{
			name: contract.EnvStripeAPIURL, doc: "another address of Stripe's API, for tests", read: urlOf(&c.stripeAPIURL,
				"http", "https"),
		},
		{
			name: contract.EnvRateLimit, fallback: "on", doc: "on, or off for load tests: limits of rates, and of what unpaid " +
				"orders hold", read: onOff(&c.rateLimit),
		},
		{
			name: contract.EnvTrustedProxies, doc: "networks of proxies that are believed about client and protocol, such as " +
				"10.0.0.0/16,127.0.0.1", read: prefixes(&c.trustedProxies),
		},
		{
			name: contract.EnvHTTPS, fallback: "auto", doc: "auto: as a trusted proxy says; always: clients come by HTTPS only",
			read: choice(&c.httpsAll, "always", "auto"),
		},
		{
			name: contract.EnvOrderHold, fallback: "5m", doc: "how long an order holds its stock before its payment has begun",
			read: duration(&c.orderHold, time.Second, 24*time.Hour),
		},
		{
			name: contract.EnvOrderTTL, fallback: "15m", doc: "how long it does once the payment has begun, from its placing on",
			read: duration(&c.orderTTL, time.Second, 24*time.Hour),
		},
		{
			name: contract.EnvDrainDelay, fallback: "5s", doc: "on SIGTERM, how long to go on after /readyz begins to fail",
			read: duration(&c.drainDelay, 0, 5*time.Minute),
		},
		{
			name: contract.EnvHashConcurrency, fallback: strconv.Itoa(runtime.GOMAXPROCS(0)),
			doc:  "passwords hashed at once (default: the number of CPUs), 19 MiB each",
			read: number(&c.hashConcurrency, 1, 1000),
		},
		{name: contract.EnvLogLevel, fallback: "info", doc: "debug, info, warn or error", read: level(&c.logLevel)},
		{name: contract.EnvAccessLog, fallback: "on", doc: "on or off: a line for each request", read: onOff(&c.accessLog)},
		{
			name: contract.EnvParameters, doc: "parameters of AWS Parameter Store with secrets that are not set here, by " +
				"version, such as /shoplab/stage5/SESSION_KEY:2,/shoplab/stage5/REDIS_URL:1", read: text(&c.parameters),
		},
		{
			name: contract.EnvOriginSecret, doc: "on AWS Lambda: what CloudFront proves itself with; without it anybody is " +
				"served", secret: true, read: text(&c.originSecret),
		},
		{
			name: contract.EnvPublicURL, doc: "on AWS Lambda: what a shopper opens, if CloudFront stands before the function",
			read: urlOf(&c.publicURL, "https"),
		},
	}
}

// loadConfig reads the environment. The error names all problems, and no secret.
func loadConfig(getenv func(string) string) (config, error) {
	var c config
	var problems []error
	for _, v := range c.variables() {
		value, err := v.value(getenv)
		if err == nil {
			err = v.read(value)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", v.name, err))
		}
	}
	problems = append(problems, c.checkPayments()...)
	if c.instance == "" {
		name, err := os.Hostname()
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: not set, and the host has no name: %w", contract.EnvInstance, err))
		}
		c.instance = name
	}
	if err := errors.Join(problems...); err != nil {
		return config{}, fmt.Errorf("configuration (see service --help):\n%w", err)
	}
	return c, nil
}

// value is what the environment gives the variable, or its file, or else its default.
func (v variable) value(getenv func(string) string) (string, error) {
	value := getenv(v.name)
	if name := getenv(v.name + "_FILE"); v.secret && name != "" {
		if value != "" {
			return "", fmt.Errorf("set it or %s_FILE, not both", v.name)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("read %s_FILE: %w", v.name, err)
		}
		value = strings.TrimRight(string(b), "\r\n")
	}
	if value == "" {
		return v.fallback, nil
	}
	return value, nil
}

// checkPayments decides between Stripe and the simulation. It never simulates unless told to.
func (c *config) checkPayments() (problems []error) {
	if c.payments == contract.PaymentsSimulated {
		if c.stripeWebhookSecret == "" && len(c.sessionKeys) > 0 {
			mac := hmac.New(sha256.New, c.sessionKeys[0])
			mac.Write([]byte("simulated webhooks"))
			c.stripeWebhookSecret = hex.EncodeToString(mac.Sum(nil))
		}
		return nil
	}
	if c.payments == "" && c.stripeSecretKey == "" {
		return []error{fmt.Errorf("%s: set %s and %s for real payments, or %[1]s=simulated", contract.EnvPayments,
			contract.EnvStripeSecretKey, contract.EnvStripePublishableKey)}
	}
	c.payments = contract.PaymentsStripe
	if v := c.stripeWebhookSecret; v != "" && !strings.HasPrefix(v, "whsec_") {
		problems = append(problems, fmt.Errorf("%s: begins with whsec_, or is left out", contract.EnvStripeWebhookSecret))
	}
	for _, k := range []struct{ name, value, begins, orBegins string }{
		{contract.EnvStripeSecretKey, c.stripeSecretKey, "sk_", "rk_"},
		{contract.EnvStripePublishableKey, c.stripePublishableKey, "pk_", "pk_"},
	} {
		if !strings.HasPrefix(k.value, k.begins) && !strings.HasPrefix(k.value, k.orBegins) {
			problems = append(problems, fmt.Errorf("%s: needed for payments by Stripe, and begins with %s", k.name, k.begins))
		}
	}
	return problems
}

const usage = `service runs the shop. It is configured by its environment.

Usage:
  service               serve until SIGTERM or SIGINT
  service healthcheck   exit 0 if the service on this host (ADDR) is ready, else 1
  service version       what was built: a tag, or else a commit
  service licenses      the licences of what is compiled into it
  service --help        print this

Example:
  DATABASE_URL='postgres://shop@localhost/shop?sslmode=disable' PAYMENTS=simulated \
    SESSION_KEY="$(openssl rand -base64 48)" service

Environment:
`

// printUsage writes the usage with the table of the environment.
func printUsage(w io.Writer) error {
	if _, err := io.WriteString(w, usage); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range new(config).variables() {
		name, doc := v.name, v.doc
		if v.secret {
			name += "[_FILE]"
		}
		if v.fallback != "" && !strings.Contains(doc, "(default") {
			doc += " (default " + v.fallback + ")"
		}
		if _, err := fmt.Fprintf(tw, "  %s\t%s\n", name, doc); err != nil {
			return err
		}
	}
	return tw.Flush()
}
