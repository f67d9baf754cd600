package boottest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// metadataAddress is where EC2 serves instance metadata.
const metadataAddress = "169.254.169.254"

// The two ends of the wire between a machine and the world outside it.
const outsideAddress, insideAddress = "10.255.0.1", "10.255.0.2"

const metadataToken, accessKey, sessionToken = "test-imds-token", "AKIDOFTHEBED", "test-session-token"

// AWS stands in for AWS in a network of its own, joined to the machine's by a wire: IMDSv2 on its
// link-local address, and SSM and S3 by name, with certificates that the machine trusts. It asks for what AWS
// asks for: a metadata token, and requests signed with the role's credentials. It does not check the
// signature itself.
type AWS struct {
	Region string
	// Parameters are the SSM parameters by full name.
	Parameters map[string]string
	// Bucket is the S3 bucket's name.
	Bucket string

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

// forward joins what connects to an address of a network namespace to an address of this one.
func forward(t *testing.T, namespace, address, target string) {
	t.Helper()
	listener, err := listen(namespace, address)
	if err != nil {
		t.Error(err)
		return
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { join(t.Context(), in, target) })
		}
	})
}

// join copies both ways until one side ends, or the test.
func join(ctx context.Context, in net.Conn, target string) {
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	if err != nil {
		_ = in.Close()
		return
	}
	closeBoth := func() { _, _ = in.Close(), out.Close() }
	defer context.AfterFunc(ctx, closeBoth)()
	var copying sync.WaitGroup
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		copying.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			closeBoth()
		})
	}
	copying.Wait()
}

// serve answers in the machine's network until the test ends. The machine boots meanwhile: as on
// EC2, nothing promises that the services answer when the first unit asks.
func (a *AWS) serve(t *testing.T, m *Machine, stopped <-chan struct{}) {
	t.Helper()
	a.objects = map[string][]byte{}
	t.Cleanup(func() {
		for _, problem := range a.problems {
			t.Errorf("the machine asked AWS for what AWS refuses: %s", problem)
		}
	})
	namespace := "shoplab-" + m.name
	if !await(t.Context(), stopped, func() bool { return exists("/run/netns/" + namespace) }) {
		return
	}
	names := []string{"ssm." + a.Region + ".amazonaws.com", "s3." + a.Region + ".amazonaws.com"}
	if a.Bucket != "" {
		names = append(names, a.Bucket+".s3."+a.Region+".amazonaws.com")
	}
	authority, certificate := certificates(t, names)
	if err := wire(t, namespace); err != nil {
		t.Error(err)
		return
	}
	start(t, namespace+outside, metadataAddress+":80", nil, a.metadata)
	start(t, namespace+outside, outsideAddress+":443", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, a.service)
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

// outside is what a namespace's name ends with that is the world outside a machine.
const outside = "-outside"

// wire joins a machine's network namespace to a new one, by a pair of interfaces.
func wire(t *testing.T, machine string) error {
	t.Helper()
	world := machine + outside
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", world).Run() }) //nolint:gosec // the kit's name
	for _, command := range []string{
		"netns add " + world,
		"-n " + machine + " link add veth-outside type veth peer name veth-machine netns " + world,
		"-n " + world + " addr add " + outsideAddress + "/30 dev veth-machine",
		"-n " + world + " addr add " + metadataAddress + "/32 dev veth-machine",
		"-n " + world + " link set veth-machine up",
		"-n " + machine + " addr add " + insideAddress + "/30 dev veth-outside",
		"-n " + machine + " link set veth-outside up",
		"-n " + machine + " route add " + metadataAddress + "/32 dev veth-outside",
	} {
		if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(command)...).CombinedOutput(); err != nil { //nolint:gosec // the kit's name
			return fmt.Errorf("ip %s: %w: %s", command, err, out)
		}
	}
	return nil
}

// await polls until the condition holds; false if the machine's boot ended before.
func await(ctx context.Context, stopped <-chan struct{}, condition func() bool) bool {
	for !condition() {
		select {
		case <-ctx.Done():
			return false
		case <-stopped:
			return condition()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return true
}

// start serves HTTP, or HTTPS, on an address of a network namespace.
func start(t *testing.T, namespace, address string, secure *tls.Config, handler http.HandlerFunc) {
	t.Helper()
	listener, err := listen(namespace, address)
	if err != nil {
		t.Error(err)
		return
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
}

// listen opens a listener in another network namespace. A socket stays in the namespace in which it
// was made; the thread that made it is thrown away.
func listen(namespace, address string) (net.Listener, error) {
	type result struct {
		listener net.Listener
		err      error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with this goroutine
		var r result
		file, err := os.Open("/run/netns/" + namespace) //nolint:gosec // the kit's name
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET) //nolint:gosec // a descriptor fits
			_ = file.Close()
		}
		if err == nil {
			r.listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
		}
		if err != nil {
			r.err = fmt.Errorf("listen on %s in %s: %w", address, namespace, err)
		}
		done <- r
	}()
	r := <-done
	return r.listener, r.err
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

// service is SSM and S3, by the name that was called.
func (a *AWS) service(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(r.Host, ".")
	if a.Bucket != "" && name == a.Bucket {
		name = "s3"
	}
	scope := "/" + a.Region + "/" + name + "/aws4_request"
	if h := r.Header.Get("Authorization"); !strings.Contains(h, "Credential="+accessKey+"/") || !strings.Contains(h, scope) ||
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
	case name == "s3" && r.Method == http.MethodPut:
		a.mu.Lock()
		defer a.mu.Unlock()
		a.objects[strings.TrimPrefix(r.URL.Path, "/")] = body
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
