package platform

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"shoplab/contract"
)

// env is the part of the service's environment that is no secret. proxies are the networks of the last
// hop before the service, whose X-Forwarded-For it may believe.
func (c Config) env(edge *Edge, proxies ...string) map[string]string {
	env := map[string]string{
		contract.EnvStage:            c.Stack,
		contract.EnvTopology:         c.Topology,
		contract.EnvDatabaseMaxConns: strconv.Itoa(c.PoolPerInstance),
		contract.EnvPayments:         c.Payments,
		contract.EnvTrustedProxies:   strings.Join(proxies, ","),
	}
	if edge.Closed() {
		env[contract.EnvHTTPS] = "always"
	}
	if c.Payments == contract.PaymentsStripe {
		env[contract.EnvStripePublishableKey] = c.StripePublishableKey
	}
	if c.RateLimit != "" {
		env[contract.EnvRateLimit] = c.RateLimit
	}
	return env
}

// names returns the keys of a map in order.
func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
