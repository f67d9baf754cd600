package platform

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// gate stands between who calls AWS and the emulated account. It counts the calls that change something, and may end
// the caller at one of them: after AWS has done it, and before the caller hears of that.
type gate struct {
	mu      sync.Mutex
	names   []string // of the calls that changed something
	at      func(n int, name string) bool
	kill    func()
	origins []string     // ids of VPC origins that were made, which the emulator does not list
	cut     atomic.Int32 // answers of the emulator that broke off

	refused int    // deletions of a VPC
	stuck   func() // called at the third and fourth of them
}

// watch has stuck called when the account refuses to delete a VPC again and again.
func (g *gate) watch(stuck func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused, g.stuck = 0, stuck
}

func (g *gate) refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused++; g.stuck != nil && (g.refused == 3 || g.refused == 4) {
		g.stuck()
	}
}

// inherit takes over what another gate has seen of the account, of which this gate's is a copy.
func (g *gate) inherit(from *gate) {
	from.mu.Lock()
	defer from.mu.Unlock()
	g.origins = slices.Clone(from.origins)
}

// arm forgets what was counted and has kill called once, at the first call for which at says so.
func (g *gate) arm(at func(n int, name string) bool, kill func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.names, g.at, g.kill = nil, at, kill
}

// counted are the names of the calls since arm.
func (g *gate) counted() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string{}, g.names...)
}

// passed counts a call, and tells whether its caller was ended.
func (g *gate) passed(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.names = append(g.names, name)
	if g.at == nil || !g.at(len(g.names), name) {
		return false
	}
	g.kill()
	g.at = nil
	return true
}

var reading = regexp.MustCompile(`^(Describe|Get|List|Lookup|Batch|Assume|GET |HEAD )`)

// callName is the action of a call, or its method and path where the protocol is REST.
func callName(r *http.Request, body []byte) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndex(target, ".")+1:]
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
		return form.Get("Action")
	}
	return r.Method + " " + r.URL.Path
}

// before stands before the account with this address until the end of the test, and returns its own.
func (g *gate) before(t *testing.T, account string) string {
	t.Helper()
	target, err := url.Parse(account)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g.through(httputil.NewSingleHostReverseProxy(target)))
	t.Cleanup(server.Close)
	return server.URL
}

// through is the account behind the gate.
func (g *gate) through(account http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		name := callName(r, body)
		if name == "GET /2020-05-31/vpc-origin" {
			g.listOrigins(w, account)
			return
		}
		answer := httptest.NewRecorder()
		account.ServeHTTP(answer, r)
		for range 4 { // as many route tables as an endpoint may have here
			if name != "DeleteVpcEndpoints" || !loosened(account, r, string(body), answer.Body.String()) {
				break
			}
			again := r.Clone(r.Context())
			again.Body, answer = io.NopCloser(bytes.NewReader(body)), httptest.NewRecorder()
			account.ServeHTTP(answer, again)
		}
		if strings.HasPrefix(name, "POST /2020-05-31/vpc-origin") {
			g.remember(answer.Body.String())
		}
		if answer.Code == http.StatusBadGateway && r.Context().Err() == nil { // who asked still waits for the answer
			g.cut.Add(1)
		}
		if name == "DeleteVpc" && answer.Code >= 400 {
			g.refuse()
		}
		if answer.Code < 300 && !reading.MatchString(name) && g.passed(name) {
			panic(http.ErrAbortHandler)
		}
		for key, values := range answer.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

var missingTable = regexp.MustCompile(`(?s)InvalidRouteTableID\.NotFound.*?(rtb-[0-9a-f]+)`)

// loosened takes a route table that is gone off a gateway endpoint: the emulator refuses to delete the endpoint of a
// route table that was deleted before it, as pulumi destroy does when it does not know the endpoint.
func loosened(account http.Handler, r *http.Request, body, answer string) bool {
	table := missingTable.FindStringSubmatch(answer)
	form, err := url.ParseQuery(body)
	if table == nil || err != nil {
		return false
	}
	modify := url.Values{
		"Action": {"ModifyVpcEndpoint"}, "Version": {form.Get("Version")}, "RemoveRouteTableId.1": {table[1]},
		"VpcEndpointId": {form.Get("VpcEndpointId.1")},
	}.Encode()
	request := r.Clone(r.Context())
	request.Body, request.ContentLength = io.NopCloser(strings.NewReader(modify)), int64(len(modify))
	request.Header.Set("Content-Length", strconv.Itoa(len(modify)))
	done := httptest.NewRecorder()
	account.ServeHTTP(done, request)
	return done.Code < 300
}

var originID = regexp.MustCompile(`<Id>(vo_[^<]+)</Id>`)

func (g *gate) remember(answer string) {
	if made := originID.FindStringSubmatch(answer); made != nil {
		g.mu.Lock()
		g.origins = append(g.origins, made[1])
		g.mu.Unlock()
	}
}

// listOrigins answers ListVpcOrigins, which the emulator does not.
func (g *gate) listOrigins(w http.ResponseWriter, account http.Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var items strings.Builder
	n := 0
	for _, id := range g.origins {
		answer := httptest.NewRecorder()
		request := httptest.NewRequest(http.MethodGet, "/2020-05-31/vpc-origin/"+id, nil)
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/cloudfront/aws4_request, "+
			"SignedHeaders=host, Signature=0")
		account.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK {
			continue
		}
		n++
		fmt.Fprintf(&items, "<VpcOriginSummary><Id>%s</Id><Arn>arn:aws:cloudfront::123456789012:vpcorigin/%s</Arn>"+
			"<Status>Deployed</Status></VpcOriginSummary>", id, id)
	}
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, "<VpcOriginList><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems><Quantity>%d</Quantity>"+
		"<Items>%s</Items></VpcOriginList>", n, items.String())
}

// killed runs the CLI and ends it as a power cut does, with everything that it started, at the first call for which at
// says so. It returns the calls until then, whether it came to that, and the CLI's error if it did not.
func (a *account) killed(
	t *testing.T, at func(n int, name string) bool, args ...string,
) (calls []string, killed bool, err error) {
	t.Helper()
	began := time.Now()
	cmd := a.command(t, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	started, last := make(chan struct{}), 0
	a.gate.arm(at, func() {
		<-started
		killed, last = true, len(a.gate.names) // AWS goes on with what else it was asked
		for _, pid := range family(cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have gone by itself
		}
	})
	defer a.gate.arm(nil, nil)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	err = cmd.Wait()
	calls = a.gate.counted()
	t.Logf("pulumi %s: %d calls, %.0f s", strings.Join(args, " "), len(calls), time.Since(began).Seconds())
	if killed {
		return calls[:last], true, nil
	}
	if err != nil {
		err = fmt.Errorf("pulumi %s: %w\n%s", strings.Join(args, " "), err, out.Bytes())
	}
	return calls, false, err
}

// family is a process and everything that it started, and that that started.
func family(pid int) []int {
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // gone
		}
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])) // state, parent, ...
		child, err1 := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		parent, err2 := strconv.Atoi(fields[1])
		if err1 == nil && err2 == nil {
			parents[child] = parent
		}
	}
	all := []int{pid}
	for child := range parents {
		for p := parents[child]; p > 1; p = parents[p] {
			if p == pid {
				all = append(all, child)
				break
			}
		}
	}
	return all
}
