package awstest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// answers are what the emulator answers, and what AWS does. A replication group with a password has members that say
// they have none, and the default group of a database's parameters has no version in its name where the database's
// version is asked for without a minor one; a refresh believes both, and the update after it sets them again: the group
// in vain, for moto then misses it (DBParameterGroupNotFound). The ARN of a distribution lacks its empty region.
// DescribeTags calls a NAT gateway nat-gateway, which is natgateway in EC2's API (ResourceType).
var answers = strings.NewReplacer(
	"<AuthTokenEnabled>false<", "<AuthTokenEnabled>true<",
	"<DBParameterGroupName>default.postgres<", "<DBParameterGroupName>default.postgres17<",
	emulatedDistribution, "arn:aws:cloudfront::123456789012:distribution/", ">nat-gateway<", ">natgateway<",
	// The state of a subnet's IPv6 range, as Python prints it.
	"{'State': 'associated'}", "associated", "{&apos;State&apos;: &apos;associated&apos;}", "associated",
	"{&#39;State&#39;: &#39;associated&#39;}", "associated", "{&#x27;State&#x27;: &#x27;associated&#x27;}", "associated",
)

// stillAttached is what the emulator answers who detaches a terminated instance's interface. On AWS the attachment went
// with the instance.
var stillAttached = regexp.MustCompile(
	`<Code>OperationNotPermitted<(/Code>\s*<Message>The network interface at device index)`)

// emulatedDistribution is how the ARN of a distribution begins in the emulator, which knows it by no other name.
const emulatedDistribution = "arn:aws:cloudfront:123456789012:distribution/"

// toEmulator turns the ARN of a distribution into the emulator's, in a body or a query.
var toEmulator = strings.NewReplacer(
	"arn:aws:cloudfront::123456789012:distribution/", emulatedDistribution,
	url.QueryEscape("arn:aws:cloudfront::123456789012:distribution/"), url.QueryEscape(emulatedDistribution),
)

// ipv6Filter is a filter of DescribeSubnets that moto does not know: by the association with an IPv6 range.
var ipv6Filter = regexp.MustCompile(
	`Filter\.1\.Name=ipv6-cidr-block-association\.association-id&Filter\.1\.Value\.1=(subnet-cidr-assoc-[a-z0-9]+)`)

// subnetOrRange is a subnet, or one of its IPv6 ranges, in an answer of EC2.
var subnetOrRange = regexp.MustCompile(`<subnetId>(subnet-[0-9a-f]+)</subnetId>|>(subnet-cidr-assoc-[0-9a-f]+)<`)

// ranges remembers whose IPv6 ranges there are.
type ranges struct{ subnets sync.Map }

// learn looks for them in an answer.
func (r *ranges) learn(answer []byte) {
	var found []string // the ranges of the subnet whose id follows, in the order of EC2's own description of a subnet
	for _, one := range subnetOrRange.FindAllSubmatch(answer, -1) {
		if len(one[2]) > 0 {
			found = append(found, string(one[2]))
			continue
		}
		for _, id := range found {
			r.subnets.LoadOrStore(id, string(one[1]))
		}
		found = nil
	}
}

// ask puts the subnet's id for the filter.
func (r *ranges) ask(question []byte) []byte {
	return ipv6Filter.ReplaceAllFunc(question, func(filter []byte) []byte {
		if subnet, ok := r.subnets.Load(string(ipv6Filter.FindSubmatch(filter)[1])); ok {
			return []byte("SubnetId.1=" + subnet.(string))
		}
		return filter
	})
}

// likeAWS serves an account of the emulator's that answers as AWS does where a program falls into the difference, until
// the end of the test.
func likeAWS(t *testing.T, endpoint string) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var known ranges
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.Method == http.MethodHead { // its length is that of a body that does not come
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		known.learn(body)
		body = stillAttached.ReplaceAll([]byte(answers.Replace(string(body))),
			[]byte("<Code>InvalidAttachmentID.NotFound<$1"))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = []byte(toEmulator.Replace(string(known.ask(body))))
		r.URL.RawQuery = toEmulator.Replace(r.URL.RawQuery)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
