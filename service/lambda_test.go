package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shoplab/contract"
	"shoplab/exectest"
	"shoplab/lab/lambda"
)

// asService in the environment makes the test's own binary the program.
const asService = "SHOPLAB_TEST_AS_SERVICE"

// host runs the program as a function of an emulated Lambda behind an HTTP API: several processes, each with one
// database connection and frozen between requests. They are stopped at the end of the test.
func host(t testing.TB, more map[string]string) (*program, *exectest.Output) {
	t.Helper()
	env := environment(t, more)
	env[contract.EnvDatabaseMaxConns], env[asService], env[contract.EnvTrustedProxies] = "1", "1", "127.0.0.1/32"
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	out := &exectest.Output{}
	f := lambda.New(lambda.Options{
		Name: "shop", Path: os.Args[0], Env: list, Concurrency: 32, Log: func(int) io.Writer { return out },
		Timeout: time.Minute, // on a busy machine
	})
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		server.Close()
		if err := f.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		// SIGTERM has reached each process, and it has closed its connection: RDS would keep it for minutes.
		await(t, "end of the database's connections", func() bool {
			return connections(t, env[contract.EnvDatabaseURL]) == 0
		})
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return &program{url: server.URL, database: env[contract.EnvDatabaseURL], function: f}, out
}

// connections is how many the database has, but for the one that asks; also while a test is cleaned up.
func connections(t testing.TB, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend'
		AND pid <> pg_backend_pid()`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// background has a function do what a server does by itself.
func (p *program) background(t testing.TB) {
	t.Helper()
	if p.function == nil {
		return
	}
	if _, err := p.function.Invoke(t.Context(), []byte(contract.BackgroundEvent)); err != nil {
		t.Error(err)
	}
}

// TestLambda: what holds for a server holds for a function.
func TestLambda(t *testing.T) {
	t.Run("shopping", func(t *testing.T) {
		p, _ := host(t, nil)
		shopping(t, p)
	})
	t.Run("webhooks", func(t *testing.T) {
		p, _ := host(t, nil)
		webhooks(t, p)
	})
	t.Run("requests", func(t *testing.T) {
		p, out := host(t, map[string]string{contract.EnvAccessLog: "on"})
		requests(t, p, out)
	})
}

// requests looks at what an event could lose of a request, and of its answer.
func requests(t *testing.T, p *program, out *exectest.Output) {
	t.Helper()
	s := &shopper{url: p.url}
	list := from127002(t, p.url+"/api/products?limit=24", "X-Request-Id", "mine-1", "X-Forwarded-For", "203.0.113.9",
		"Accept-Encoding", "gzip")
	if got := list.Header.Get("X-Request-Id"); got != "mine-1" {
		t.Errorf("request id %q, want mine-1", got)
	}
	if unpacked, err := gzip.NewReader(list.Body); err != nil || list.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a compressed answer: %v, %q", err, list.Header)
	} else if body, err := io.ReadAll(unpacked); err != nil || !json.Valid(body) {
		t.Errorf("a compressed answer: %v, %.100s", err, body)
	}
	// The client that has connected is this test, whatever it says of itself.
	await(t, "line in the log", func() bool { return strings.Contains(out.String(), `"request_id":"mine-1"`) })
	if text := out.String(); !strings.Contains(text, `"client":"127.0.0.2"`) || strings.Contains(text, "203.0.113.9") {
		t.Errorf("the client is logged as %s", text)
	}
	given := s.do(t, 200, "GET", "/api/info", nil)
	if id := given.header.Get("X-Request-Id"); len(id) != 36 {
		t.Errorf("without an id of its own a request is %q, want Lambda's UUID", id)
	}
	if got := s.do(t, 413, "POST", "/api/cart/items", strings.Repeat("x", 200<<10)); got.Code == "" {
		t.Errorf("a body beyond the limit: %s", got.body)
	}
	s.do(t, 404, "GET", "/api/products/%2e%2e", nil)
	s.do(t, 501, "BREW", "/api/info", nil)
	cookies := s.do(t, 201, "POST", "/api/auth/register", object{
		"email": "cookie@example.com", "password": "correct horse battery", "first_name": "C", "last_name": "K",
	}).header.Values("Set-Cookie")
	var pairs []string
	for _, cookie := range cookies {
		if !strings.HasPrefix(cookie, "__Host-") { // a cookie that is for HTTPS only, as an HTTP API is
			t.Errorf("the cookie %q may travel without TLS", cookie)
		}
		pair, _, _ := strings.Cut(cookie, ";")
		pairs = append(pairs, pair)
	}
	if len(pairs) != 2 {
		t.Errorf("cookies %q, want those of the session and the device", cookies)
	}
	s.do(t, 200, "GET", "/api/orders", nil, "Cookie", strings.Join(pairs, "; "))
	s.do(t, 401, "GET", "/api/orders", nil)
	page := s.do(t, 200, "GET", "/", nil)
	if !bytes.Contains(page.body, []byte("<html")) {
		t.Errorf("the storefront is %.100s", page.body)
	}
	bytewise(t, p, s)
	head, err := http.Head(p.url + "/") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer head.Body.Close()
	if head.StatusCode != http.StatusOK {
		t.Errorf("HEAD is %s", head.Status)
	}
	if _, err := p.function.Invoke(t.Context(), []byte(`{"Records":[]}`)); err == nil {
		t.Error("an event of another kind is taken")
	}
}

// bytewise looks at bodies that are no text, and at those of which every byte counts.
func bytewise(t *testing.T, p *program, s *shopper) {
	t.Helper()
	icon, err := os.ReadFile("../web/static/favicon.ico")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.do(t, 200, "GET", "/favicon.ico", nil); !bytes.Equal(got.body, icon) {
		t.Errorf("a picture of %d bytes is one of %d", len(icon), len(got.body))
	}
	// A signature is of bytes: an event carries them as text or in base64, by their type.
	raw := []byte("{ \"id\": \"evt_raw\", \"object\": \"event\", \"type\": \"customer.created\",\r\n" +
		" \"created\": 1, \"note\": \"<\u00e9\u2028\\u0041>\", \"data\": {\"object\": {}} }\n")
	for _, contentType := range []string{"application/json; charset=utf-8", "application/octet-stream"} {
		if got := webhookAs(t, p, contentType, raw, sign(raw, webhookSecret, time.Now())); got != http.StatusOK {
			t.Errorf("a signed event as %s: %d", contentType, got)
		}
		if got := webhookAs(t, p, contentType, raw[1:], sign(raw, webhookSecret, time.Now())); got != http.StatusBadRequest {
			t.Errorf("an event with another's signature as %s: %d", contentType, got)
		}
	}
}

// from127002 asks as a client whose address is that of no trusted proxy.
func from127002(t *testing.T, url string, header ...string) *http.Response {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableCompression: true}}
	t.Cleanup(client.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// TestLambdaBehindCloudFront: only what carries the secret is served, and the shopper is who CloudFront says.
func TestLambdaBehindCloudFront(t *testing.T) {
	const secret = "a secret between CloudFront and the function"
	parameters := parameterStore(t, map[string]string{
		"/shoplab/test/ORIGIN_SECRET:2": secret, "/shoplab/test/ORIGIN_SECRET": "a secret of a later deployment",
		"/shoplab/test/SESSION_KEY:1": sessionKey, "/shoplab/test/SESSION_KEY": sessionKey,
		"/shoplab/test/" + contract.EnvStripeSecretKey: "of a deployment that has been replaced",
	})
	p, out := host(t, map[string]string{
		contract.EnvSessionKey: "", "AWS_ENDPOINT_URL_SSM": parameters, "AWS_REGION": "eu-west-1",
		contract.EnvParameters: "/shoplab/test/ORIGIN_SECRET:2,/shoplab/test/SESSION_KEY:1",
		"AWS_ACCESS_KEY_ID":    "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "token",
		contract.EnvPublicURL: "https://d1.cloudfront.net", contract.EnvAccessLog: "on",
	})
	s := &shopper{url: p.url}
	s.do(t, 403, "GET", "/api/info", nil)
	s.do(t, 403, "GET", "/api/info", nil, contract.OriginHeader, "another")
	for origin, want := range map[string]int{"https://d1.cloudfront.net": 200, "https://elsewhere.example": 403} {
		s.do(t, want, "POST", "/api/cart/items", object{"product_id": 1, "quantity": 1}, contract.OriginHeader, secret,
			"Origin", origin, "X-Forwarded-For", "198.51.100.1, 203.0.113.9", "X-Request-Id", "cloudfront")
	}
	// Stripe knows neither the secret nor the function's own host: it asks CloudFront, which passes its signature on.
	event := object{
		"id": "evt_1", "object": "event", "type": "customer.created", "created": 1, "data": object{"object": object{}},
	}
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	signed := []string{"Stripe-Signature", sign(raw, webhookSecret, time.Now())}
	s.do(t, 200, "POST", contract.WebhooksPath, event, append(signed, contract.OriginHeader, secret)...)
	s.do(t, 403, "POST", contract.WebhooksPath, event, signed...)
	await(t, "line in the log", func() bool { return strings.Contains(out.String(), `"request_id":"cloudfront"`) })
	if text := out.String(); !strings.Contains(text, `"client":"203.0.113.9"`) || strings.Contains(text, "198.51.100.1") {
		t.Errorf("the client is logged as %s", text)
	}
	if strings.Contains(out.String(), secret) {
		t.Error("the secret is in the log")
	}
}

// parameterStore is as much of Systems Manager as answers GetParameters. Values are by name, or by name and version, of
// which an answer has the name alone.
func parameterStore(t *testing.T, values map[string]string) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization := r.Header.Get("Authorization")
		if !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") ||
			!strings.Contains(authorization, "/eu-west-1/ssm/aws4_request") || r.Header.Get("X-Amz-Security-Token") != "token" ||
			r.Header.Get("X-Amz-Target") != "AmazonSSM.GetParameters" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var in struct {
			Names          []string
			WithDecryption bool
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !in.WithDecryption {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		found, invalid := []object{}, []string{}
		for _, asked := range in.Names {
			name, version, _ := strings.Cut(asked, ":")
			if value, ok := values[asked]; ok {
				found = append(found, object{"Name": name, "Selector": ":" + version, "Value": value})
			} else {
				invalid = append(invalid, asked)
			}
		}
		if err := json.NewEncoder(w).Encode(object{"Parameters": found, "InvalidParameters": invalid}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestLambdaIsSmall: what Lambda's old protocol needs would have the linker keep every method of every type, half
// of the binary again, which every cold start loads.
func TestLambdaIsSmall(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", contract.BuildTags, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range []string{"net/rpc", "github.com/aws/aws-sdk-go-v2/service/ssm"} {
		if slices.Contains(strings.Fields(string(out)), pkg) {
			t.Errorf("the service contains %s", pkg)
		}
	}
}

// TestParametersRefused: an error of Parameter Store says what and where, and ends the program. So does a secret that
// it does not have: without the origin's the function would serve everybody.
func TestParametersRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"not authorized to perform ssm:GetParameters"}`)
	}))
	t.Cleanup(server.Close)
	for endpoint, want := range map[string][]string{
		server.URL: {"AccessDeniedException", "ssm:GetParameters"},
		parameterStore(t, map[string]string{"/shoplab/test/SESSION_KEY:1": sessionKey}): {
			"does not have /shoplab/test/ORIGIN_SECRET:1",
		},
	} {
		env := map[string]string{
			contract.EnvParameters: "/shoplab/test/ORIGIN_SECRET:1,/shoplab/test/SESSION_KEY:1",
			"AWS_ENDPOINT_URL_SSM": endpoint, "AWS_REGION": "eu-west-1",
			"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "token",
		}
		err := run(t.Context(), nil, func(name string) string { return env[name] }, io.Discard)
		for _, text := range append(want, "/shoplab/test/ORIGIN_SECRET:1", contract.EnvParameters) {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("the error is %v, want it to have %s", err, text)
			}
		}
	}
}
