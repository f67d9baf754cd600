package boottest

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Where EC2 serves instance metadata.
const (
	MetadataAddress  = "169.254.169.254"
	MetadataAddress6 = "fd00:ec2::254"
)

// RegistryPassword is what ECR gives the machine.
const RegistryPassword = "test-ecr-password"

const metadataToken, accessKey, sessionToken = "test-imds-token", "AKIDOFTHEBED", "test-session-token"

// AWS stands in for AWS in a network of its own, joined to the machine's by a wire: IMDSv2 on its
// two addresses, and SSM and S3 by name, with certificates that the machine trusts. It asks for what AWS
// asks for: a metadata token, and requests signed with the role's credentials. It does not check the
// signature itself.
type AWS struct {
	Region string
	// Parameters are the SSM parameters by full name.
	Parameters map[string]string
	// Bucket is the S3 bucket's name.
	Bucket string
	// Files are what other hosts serve, by "host/path".
	Files map[string][]byte

	beside   map[int]string // a port of the world outside the machine -> an address of this process's world
	mu       sync.Mutex
	objects  map[string][]byte
	problems []string
}

// Objects are the keys of what was put into the bucket, with its size in bytes.
func (a *AWS) Objects() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	sizes := map[string]int{}
	for key, body := range a.objects {
		sizes[key] = len(body)
	}
	return sizes
}

// Beside puts a server that this process reaches beside the machine, at a port, and returns its URL as
// the machine has to write it.
func (a *AWS) Beside(t *testing.T, address string, port int) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if a.beside == nil {
		a.beside = map[int]string{}
	}
	a.beside[port] = u.Host
	u.Host = net.JoinHostPort(outsideAddress, strconv.Itoa(port))
	return u.String()
}

// serve answers in the machine's network until the test ends. The machine boots meanwhile: as on
// EC2, nothing promises that the services answer when the first unit asks.
func (a *AWS) serve(t *testing.T, m *Machine, stopped <-chan struct{}) {
	t.Helper()
	a.mu.Lock()
	if a.objects == nil { // a second machine finds what the first one left
		a.objects = map[string][]byte{}
	}
	a.mu.Unlock()
	metadata, service := a.Handlers(t)
	namespace := "shoplab-" + m.name
	if !await(t.Context(), stopped, func() bool { return exists("/run/netns/" + namespace) }) {
		return
	}
	names := []string{
		"ssm." + a.Region + ".amazonaws.com", "s3." + a.Region + ".amazonaws.com", "api.ecr." + a.Region + ".amazonaws.com",
	}
	for file := range a.Files {
		host, _, _ := strings.Cut(file, "/")
		names = append(names, host)
	}
	if a.Bucket != "" {
		names = append(names, a.Bucket+".s3."+a.Region+".amazonaws.com")
	}
	authority, certificate := Certificates(t, names)
	if err := wire(t, namespace); err != nil {
		t.Error(err)
		return
	}
	for _, address := range []string{MetadataAddress, MetadataAddress6} {
		start(t, namespace+outside, net.JoinHostPort(address, "80"), nil, metadata)
	}
	start(t, namespace+outside, outsideAddress+":443", &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
	}, service)
	for port, target := range a.beside {
		forward(t, namespace+outside, net.JoinHostPort(outsideAddress, strconv.Itoa(port)), target)
	}
	script := "cat >/usr/local/share/ca-certificates/bed.crt && update-ca-certificates && echo " + outsideAddress + " " +
		strings.Join(names, " ") + " >>/etc/hosts"
	var out string
	var err error
	if !await(t.Context(), stopped, func() bool {
		out, err = m.try(t.Context(), authority, "sh", "-ec", script)
		return err == nil
	}) {
		t.Errorf("make the machine trust the bed: %v\n%s", err, out)
	}
}

// Handlers are the instance metadata service and all else. The test fails if either refuses anything.
func (a *AWS) Handlers(t *testing.T) (metadata, service http.HandlerFunc) {
	t.Cleanup(func() {
		for _, problem := range a.problems {
			t.Errorf("the machine asked AWS for what AWS refuses: %s", problem)
		}
	})
	return a.metadata, a.service
}

func (a *AWS) refuse(w http.ResponseWriter, status int, format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problems = append(a.problems, fmt.Sprintf(format, args...))
	http.Error(w, "refused", status)
}

// metadata is IMDSv2.
func (a *AWS) metadata(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" {
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		_, _ = io.WriteString(w, metadataToken)
		return
	}
	if r.Header.Get("X-Aws-Ec2-Metadata-Token") != metadataToken {
		a.refuse(w, http.StatusUnauthorized, "%s without an IMDSv2 token", r.URL.Path)
		return
	}
	switch strings.TrimPrefix(r.URL.Path, "/latest/meta-data/") {
	case "iam/security-credentials/":
		_, _ = io.WriteString(w, "server")
	case "iam/security-credentials/server":
		_ = json.NewEncoder(w).Encode(map[string]string{
			"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": accessKey, "SecretAccessKey": "secret",
			"Token": sessionToken, "LastUpdated": time.Now().UTC().Format(time.RFC3339),
			"Expiration": time.Now().Add(6 * time.Hour).UTC().Format(time.RFC3339),
		})
	case "placement/region":
		_, _ = io.WriteString(w, a.Region)
	default:
		http.NotFound(w, r)
	}
}

// service is SSM, ECR, S3 and the other hosts, by the name that was called.
func (a *AWS) service(w http.ResponseWriter, r *http.Request) {
	if file, ok := a.Files[r.Host+r.URL.Path]; ok {
		_, _ = w.Write(file)
		return
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(r.Host, "api."), ".")
	if a.Bucket != "" && name == a.Bucket {
		name = "s3"
	}
	scope := "/" + a.Region + "/" + name + "/aws4_request"
	if h := r.Header.Get("Authorization"); !strings.Contains(h, "Credential="+accessKey+"/") ||
		!strings.Contains(h, scope) ||
		r.Header.Get("X-Amz-Security-Token") != sessionToken {
		a.refuse(w, http.StatusForbidden, "%s %s%s: not signed by the role: %q", r.Method, r.Host, r.URL.Path, h)
		return
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		a.refuse(w, http.StatusBadRequest, "%s: %v", r.URL.Path, err)
	case r.Header.Get("X-Amz-Target") == "AmazonSSM.GetParametersByPath":
		a.parametersByPath(w, body)
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetAuthorizationToken"):
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(map[string]any{"authorizationData": []any{map[string]any{
			"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + RegistryPassword)),
			"expiresAt":          time.Now().Add(12 * time.Hour).Unix(),
		}}})
	case name == "s3":
		a.bucket(w, r, body)
	default:
		a.refuse(w, http.StatusBadRequest, "%s %s%s", r.Method, r.Host, r.URL.Path)
	}
}

// parametersByPath answers in pages of at most 10, as SSM does.
func (a *AWS) parametersByPath(w http.ResponseWriter, body []byte) {
	var in struct {
		Path, NextToken           string
		Recursive, WithDecryption bool
	}
	if err := json.Unmarshal(body, &in); err != nil || !in.WithDecryption {
		a.refuse(w, http.StatusBadRequest, "GetParametersByPath %s: encrypted values asked for, %v", body, err)
		return
	}
	type parameter struct{ Name, Type, Value string }
	var found []parameter
	for name, value := range a.Parameters {
		rest, below := strings.CutPrefix(name, strings.TrimSuffix(in.Path, "/")+"/")
		if below && (in.Recursive || !strings.Contains(rest, "/")) {
			found = append(found, parameter{name, "SecureString", value})
		}
	}
	slices.SortFunc(found, func(a, b parameter) int { return strings.Compare(a.Name, b.Name) })
	first, _ := strconv.Atoi(in.NextToken)
	last := min(first+10, len(found))
	out := map[string]any{"Parameters": found[min(first, last):last]}
	if last < len(found) {
		out["NextToken"] = strconv.Itoa(last)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(out)
}
