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
)

// aBuild is a build of Debian's images that somebody names.
const aBuild = "13/20261101-1"

// TestEndToEndServer replaces stage 1's server and follows what AWS is asked to do: the address stays with the
// server that shuts down, so that its last dump gets out. An image that Debian publishes meanwhile changes nothing.
func TestEndToEndServer(t *testing.T) {
	account := newAccount(t)
	newer := account.publishImages(t)
	account.stack(t, "stage1", "image", anImage, "dumpBucket", "my-dumps") // nothing to build
	account.up(t, "stage1")
	before := account.outputs(t, "stage1")["url"]
	newer.Store(true)
	account.pulumi(t, "preview", "-s", "stage1", "--refresh", "--diff", "--expect-no-changes")
	account.config(t, "stage1", "dumpCalendar", "daily")
	account.up(t, "stage1")
	account.config(t, "stage1", "debian", aBuild)
	account.up(t, "stage1")

	servers := account.servers(t)
	if len(servers) != 3 || servers[1].image != servers[0].image || servers[2].image == servers[0].image {
		t.Fatalf("servers %+v, want three, the second from the first one's image, the third from the build that was named",
			servers)
	}
	for _, s := range servers {
		if s.networkInterface == "" || s.networkInterface != servers[0].networkInterface {
			t.Errorf("servers %+v, want all on one network interface", servers)
		}
	}
	if after := account.outputs(t, "stage1")["url"]; after != before {
		t.Errorf("the shop moved from %s to %s", before, after)
	}

	account.down(t, "stage1")
	terminated, loose := account.places(t, "TerminateInstances"), account.places(t, "DisassociateAddress")
	if len(terminated) != 3 || len(loose) != 1 || loose[0] < terminated[2] {
		t.Errorf("servers were terminated by the calls %v, the address taken away by %v; want it once, after the last server",
			terminated, loose)
	}
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

// places are where in the log an action's successful calls are.
func (a *account) places(t *testing.T, action string) (places []int) {
	t.Helper()
	for i, call := range a.Calls(t) {
		if call.Action == action && call.Status == http.StatusOK {
			places = append(places, i)
		}
	}
	return places
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
