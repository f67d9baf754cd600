package platform

import (
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// routes is the VirtualService of the gateway. Behind CloudFront a request that it did not send finds no route.
func (m *ServiceMesh) routes() pulumi.Input {
	spec := func(secret string) map[string]any {
		var all []any
		for _, r := range contract.MeshRoutes {
			all = append(all, m.route(r, secret))
		}
		return values{"hosts": list("*"), "gateways": list(shopName), "http": all}
	}
	if !m.proven() {
		return pulumi.ToMap(spec(""))
	}
	return m.args.Edge.Secret.ApplyT(spec).(pulumi.MapOutput)
}

// route asks for the origin secret unless that is empty.
func (m *ServiceMesh) route(r contract.MeshRoute, secret string) values {
	headers := values{"response": values{"remove": list(strings.ToLower(contract.HeaderNoRetry))}}
	if secret != "" {
		// Only what proved itself gets here, so the gateway knows the shopper: it tells that address alone.
		headers["request"] = values{"set": values{"x-forwarded-for": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}}
	}
	retries := values{"attempts": r.Attempts, "retryOn": r.RetryOn}
	if r.RetryStatus != 0 {
		retries["retryOn"] = r.RetryOn + "," + strconv.Itoa(r.RetryStatus) // Istio's way to say it
	}
	if r.PerTry > 0 {
		retries["perTryTimeout"] = r.PerTry.String()
	}
	return values{
		"name": r.Name, "match": matches(r, secret), "timeout": r.Timeout.String(), "retries": retries, "headers": headers,
		"route": list(values{"destination": values{"host": m.host(), "port": values{"number": contract.Port}}}),
	}
}

// matches are a route's, in Istio's words.
func matches(r contract.MeshRoute, secret string) []any {
	var all []any
	for _, one := range r.Matches {
		match, headers := values{"method": values{"regex": one.Methods}}, values{}
		if one.Header != "" {
			headers[one.Header] = values{"regex": ".+"}
		}
		all = append(all, proven(match, headers, secret))
	}
	if len(all) == 0 {
		all = list(proven(values{"uri": values{"prefix": "/"}}, values{}, secret))
	}
	return all
}

// proven adds to a match the headers that it asks for, the origin secret among them unless that is empty.
func proven(match, headers values, secret string) values {
	if secret != "" {
		headers[strings.ToLower(contract.OriginHeader)] = values{"exact": secret}
	}
	if len(headers) > 0 {
		match["headers"] = headers
	}
	return match
}
