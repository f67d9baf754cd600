package contract

import "time"

// How the platform has what is broken or out of date replaced, where no resource of a stage's graph says so. The
// laboratory's twins do the same.
const (
	// RestartDelay is how long systemd waits before it starts the shop or nginx again, on stages with servers.
	RestartDelay = time.Second
	// RefreshLeast is how many servers stay in service during an instance refresh, in percent of those wanted.
	RefreshLeast = 100
	// RefreshMost is how many there are at most meanwhile, in percent of those wanted; it is one more at least.
	RefreshMost = 110
	// RefreshWarmup is how long a new server is in service before the next is replaced.
	RefreshWarmup = 60 * time.Second
)

// MeshRoute is how the mesh's gateway treats a kind of request.
type MeshRoute struct {
	Name    string
	Matches []MeshMatch // any of them; none: all others
	// Attempts are retries on another instance, each bounded by PerTry (0: by Timeout alone), after the failures that
	// RetryOn names in Envoy's words, and after the status RetryStatus (0: none) unless HeaderNoRetry is with it.
	Attempts        int
	PerTry, Timeout time.Duration
	RetryOn         string
	RetryStatus     int
}

// MeshMatch is what a request has.
type MeshMatch struct {
	Methods string // a regular expression
	Header  string // in lower case, with any value; "" for none
}

// What the gateway sends again (docs/decisions/0075). Istio would otherwise repeat an order on any 503.
const (
	meshUnsent = "connect-failure,refused-stream,reset-before-request" // never reached the shop
	meshBroken = "connect-failure,refused-stream,reset"                // may have reached it, but no answer came
)

// MeshRoutes are the gateway's, the first one that matches being taken. What may be done twice is sent again when it
// broke, or when a proxy answered whose shop is gone: reads, what HTTP defines as idempotent (RFC 9110, 9.2.2), and
// what has an idempotency key.
var MeshRoutes = []MeshRoute{
	{
		Name: "read", Matches: []MeshMatch{{Methods: "GET|HEAD"}},
		Attempts: 2, PerTry: 3 * time.Second, Timeout: 15 * time.Second, RetryOn: meshBroken, RetryStatus: 503,
	},
	{
		Name: "repeat", Matches: []MeshMatch{{Methods: "PUT|DELETE"}, {Methods: "POST", Header: "idempotency-key"}},
		Attempts: 2, Timeout: 30 * time.Second, RetryOn: meshBroken, RetryStatus: 503,
	},
	{Name: "write", Attempts: 2, Timeout: 30 * time.Second, RetryOn: meshUnsent},
}
