package platform

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"shoplab/platform/awstest"
)

// aBuild is a build of Debian's images that somebody names.
const aBuild = "13/20261101-1"

// TestEndToEndServer replaces stage 1's server and follows what AWS is asked to do: the address stays with the
// server that shuts down, so that its last dump gets out. An image that Debian publishes meanwhile changes nothing.
func TestEndToEndServer(t *testing.T) {
	awstest.TakesMinutes(t)
	account := newAccount(t)
	newer := account.publishImages(t)
	account.pulumi(t, "stack", "init", "stage1")
	for _, set := range [][]string{{"aws:maxRetries", "3"}, {"dumpBucket", "my-dumps"}} {
		account.pulumi(t, "config", "set", "-s", "stage1", set[0], set[1])
	}
	account.pulumi(t, "up", "-s", "stage1", "--yes", "--skip-preview")
	before := account.outputs(t, "stage1")["url"]
	first := account.servers(t)
	newer.Store(true)
	account.pulumi(t, "preview", "-s", "stage1", "--refresh", "--diff", "--expect-no-changes")

	for _, change := range [][]string{{"dumpCalendar", "daily"}, {"debian", aBuild}} {
		account.pulumi(t, "config", "set", "-s", "stage1", change[0], change[1])
		account.pulumi(t, "up", "-s", "stage1", "--yes", "--skip-preview")
	}
	servers := account.servers(t)
	if len(servers) != 3 || servers[1].image != first[0].image || servers[2].image == first[0].image {
		t.Errorf("servers %+v, want three, the second from the first one's image, the third from the build that was named", servers)
	}
	for _, s := range servers {
		if s.networkInterface == "" || s.networkInterface != servers[0].networkInterface {
			t.Errorf("servers %+v, want all on one network interface", servers)
		}
	}
	if n := account.count(t, "DisassociateAddress"); n != 0 {
		t.Errorf("the address was taken from its interface %d times", n)
	}
	if after := account.outputs(t, "stage1")["url"]; after != before {
		t.Errorf("the shop moved from %s to %s", before, after)
	}

	account.pulumi(t, "destroy", "-s", "stage1", "--yes", "--skip-preview")
	last, loose := account.last(t, "TerminateInstances"), account.last(t, "DisassociateAddress")
	if last < 0 || loose < last || account.count(t, "DisassociateAddress") != 1 {
		t.Errorf("the last server was terminated by call %d, its address taken away by call %d", last, loose)
	}
	account.Leftovers(t)
}

// server is one that was started.
type server struct{ image, networkInterface string }

// servers are all that were started, in order.
func (a *account) servers(t *testing.T) (all []server) {
	t.Helper()
	for _, call := range a.Calls(t) {
		if call.Action == "RunInstances" && call.Status == http.StatusOK {
			image, _ := call.Params["ImageId"].(string)
			nic, _ := call.Params["NetworkInterface.1.NetworkInterfaceId"].(string)
			all = append(all, server{image, nic})
		}
	}
	return all
}

// count is how many calls of an action succeeded.
func (a *account) count(t *testing.T, action string) (n int) {
	t.Helper()
	for _, call := range a.Calls(t) {
		if call.Action == action && call.Status == http.StatusOK {
			n++
		}
	}
	return n
}

// last is the place in the log of the last successful call of an action, or -1.
func (a *account) last(t *testing.T, action string) int {
	t.Helper()
	place := -1
	for i, call := range a.Calls(t) {
		if call.Action == action && call.Status == http.StatusOK {
			place = i
		}
	}
	return place
}

// publishImages lets the account know the build aBuild, and change what its newest image is when the result is set.
// The emulated account has one image for each architecture: the other one's stands in for a newer one.
func (a *account) publishImages(t *testing.T) *atomic.Bool {
	t.Helper()
	target, err := url.Parse(a.variable("AWS_ENDPOINT_URL"))
	if err != nil {
		t.Fatal(err)
	}
	newer := &atomic.Bool{}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") == "AmazonSSM.GetParameter" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			text := strings.ReplaceAll(string(body), aBuild, "13/latest")
			if newer.Load() && strings.Contains(text, "/aws/service/debian/") {
				text = strings.ReplaceAll(text, "/arm64", "/amd64")
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader([]byte(text))), int64(len(text))
			r.Header.Set("Content-Length", strconv.Itoa(len(text)))
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	a.env = append(a.env, "AWS_ENDPOINT_URL="+proxy.URL)
	return newer
}
