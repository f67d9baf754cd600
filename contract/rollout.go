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

// MeshRoute is how the mesh's gateway treats a request.
type MeshRoute struct {
	Methods string // a regular expression; "" for all others
	// Attempts are retries, each bounded by PerTry (0: by Timeout alone), after the failures that RetryOn names in
	// Envoy's words.
	Attempts        int
	PerTry, Timeout time.Duration
	RetryOn         string
}

// MeshReads and MeshWrites are the two routes; docs/decisions/0075 says why they differ.
var (
	MeshReads  = MeshRoute{Methods: "GET|HEAD", Attempts: 2, PerTry: 5 * time.Second, Timeout: 15 * time.Second, RetryOn: "connect-failure,refused-stream,reset"}
	MeshWrites = MeshRoute{Attempts: 2, Timeout: 30 * time.Second, RetryOn: "connect-failure,refused-stream"}
)
