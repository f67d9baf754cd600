package platform

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// gaps are what the emulator answers, and what AWS does. A replication group with a password has members
// that say they have none, and the default group of a database's parameters has no version in its name; the provider
// would set both again and again. The ARN of a distribution lacks its empty region. DescribeTags calls a NAT gateway
// nat-gateway, which is natgateway in EC2's API (ResourceType).
var gaps = strings.NewReplacer(
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

// mend fills the gaps of the emulator that this program falls into.
func mend(t *testing.T, endpoint string, g *gate) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var known ranges
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		known.learn(body)
		body = stillAttached.ReplaceAll([]byte(gaps.Replace(string(body))), []byte("<Code>InvalidAttachmentID.NotFound<$1"))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	asked := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = []byte(toEmulator.Replace(string(known.ask(body))))
		r.URL.RawQuery = toEmulator.Replace(r.URL.RawQuery)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		proxy.ServeHTTP(w, r)
	})
	server := httptest.NewServer(g.through(asked))
	t.Cleanup(server.Close)
	return server.URL
}

// outsideOfAccount stands in for what the program reaches outside of AWS's API: the account's ECR registry,
// which asks for ECR's kind of login, and the checkip service. Both are reached over TLS through an HTTPS proxy;
// the program under test knows of none of this.
func outsideOfAccount(t *testing.T, pushes *atomic.Int32) (env []string) {
	t.Helper()
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == checkIPHost {
			fmt.Fprintln(w, operatorAddress)
			return
		}
		if user, password, ok := r.BasicAuth(); !ok || user != "AWS" || password == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="ecr"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			pushes.Add(1)
		}
		images.ServeHTTP(w, r)
	}))
	certificate, authority := selfSigned(t, ecrHost, checkIPHost)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || (r.Host != ecrHost+":443" && r.Host != checkIPHost+":443") {
			http.Error(w, "no way to "+r.Host, http.StatusForbidden)
			return
		}
		tunnel(w, server.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	return []string{
		"HTTPS_PROXY=" + proxy.URL, "https_proxy=" + proxy.URL, "SSL_CERT_FILE=" + authority, "GOFLAGS=-ldflags=-s",
		"GOPROXY=off",
	}
}

// tunnel joins a CONNECT request with an address.
func tunnel(w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	if _, err := here.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
		return
	}
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(there, buffered); done <- struct{}{} }()
	go func() { _, _ = io.Copy(here, there); done <- struct{}{} }()
	<-done
}

// selfSigned makes a certificate for hosts and writes it where a program may trust it.
func selfSigned(t *testing.T, hosts ...string) (certificate tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
