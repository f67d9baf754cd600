package platform

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"shoplab/contract"
	"shoplab/lab/backing"
	"shoplab/platform/boot/boottest"
)

// TestBootSingle boots the very user data that stage 1 registers, with the image that it pushed and
// the parameters that it stores.
func TestBootSingle(t *testing.T) {
	kit := boottest.Kit(t)
	stage := built(t, "stage1")
	machine := boottest.Boot(t, kit, stage.options("boot-single", text(t, stage.inputs("server-instance"), "userData"),
		80))
	outside := caller{t: t, url: machine.URL(80)}
	if status, _ := outside.try(http.MethodGet, "/", nil, nil); status != http.StatusForbidden {
		t.Errorf("a request that CloudFront did not send is answered with %d, want 403", status)
	}
	shopper := caller{
		t: t, url: machine.URL(80),
		header: map[string]string{contract.OriginHeader: stage.aws.Parameters["/shoplab/stage1/ORIGIN_SECRET"]},
	}
	order := shopper.buys()
	for port, open := range map[int]bool{
		80: true, contract.Port: false, contract.AdminPort: false, postgresPort: false, redisPort: false,
	} {
		if machine.Reaches(port) != open {
			t.Errorf("port %d is reachable from outside: %t, want %t", port, !open, open)
		}
	}
	if status, _ := shopper.try(http.MethodGet, contract.MetricsPath, nil, nil); status != http.StatusNotFound {
		t.Errorf("nginx answers %s with %d, want 404", contract.MetricsPath, status)
	}
	if got := machine.Run("stat", "-c", "%U %a", "/run/shop/"+contract.EnvSessionKey); got != "shop 600" {
		t.Errorf("the session key belongs to %q, want shop 600", got)
	}
	if got := machine.Run("podman", "ps", "--format", "{{.Image}}"); got != stage.image {
		t.Errorf("podman runs %q, want %q", got, stage.image)
	}
	guardsMetadata(t, machine)

	machine.Reboot()
	boottest.Await(t, machine.URL(80)+contract.ReadyPath, http.StatusOK)
	guardsMetadata(t, machine)
	if status := shopper.get("/api/orders/" + order)["status"]; status != "paid" {
		t.Errorf("after a reboot the order is %v, want paid", status)
	}
}

// TestBootDump boots stage 1 with a bucket for dumps, which this test's memory stands in for: a server
// that takes the place of another has its orders, down to the last one before the shutdown.
func TestBootDump(t *testing.T) {
	kit := boottest.Kit(t)
	stage := built(t, "stage1", "dumpBucket", "my-dumps", "https", contract.HTTPSOff)
	stage.aws.Bucket = "my-dumps"
	userData := text(t, stage.inputs("server-instance"), "userData")
	first := boottest.Boot(t, kit, stage.options("boot-dump-1", userData, 80))
	if next := first.Run("systemctl", "show", "-P", "NextElapseUSecRealtime", "dump-database.timer"); next == "" {
		t.Error("the timer will never fire")
	}
	first.Run("systemctl", "start", "dump-database") // without the order
	shopper := caller{t: t, url: first.URL(80)}
	order := shopper.buys()
	first.TakesNetworkDown()
	first.Reboot()
	dumps := stage.aws.Objects()
	if len(dumps) != 2 {
		t.Errorf("the bucket holds %v, want a dump on demand and one at the shutdown", dumps)
	}
	for key := range dumps {
		if !strings.HasPrefix(key, "shoplab/stage1/") {
			t.Errorf("the dump %s is not below shoplab/stage1/", key)
		}
	}
	log := first.Run("sh", "-ec", "journalctl -b -1 -o cat -u shop -u dump-at-shutdown -u postgresql@17-main | grep "+
		"^Stopped")
	got := strings.Split(log, "\n")
	got = got[max(0, len(got)-3):] // PostgreSQL was restarted with its configuration before
	if len(got) != 3 || !strings.Contains(got[0], "The shop") || !strings.Contains(got[1], "Dump") ||
		!strings.Contains(got[2], "PostgreSQL") {
		t.Errorf("stopped in the order %q, want the shop, the dump, PostgreSQL", got)
	}

	second := boottest.Boot(t, kit, stage.options("boot-dump-2", userData, 80))
	shopper.url = second.URL(80)
	if status := shopper.get("/api/orders/" + order)["status"]; status != "paid" {
		t.Errorf("on the next server the order is %v, want paid", status)
	}
}

// TestBootFleet boots the very user data that stage 2's launch template holds, against a PostgreSQL
// and a Redis outside the machine.
func TestBootFleet(t *testing.T) {
	kit := boottest.Kit(t)
	stage := built(t, "stage2")
	encoded := text(t, stage.inputs("fleet-template"), "userData")
	userData, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	options := stage.options("boot-fleet", string(userData), contract.Port)
	data(t, options.AWS, "/shoplab/stage2/")
	machine := boottest.Boot(t, kit, options)
	shopper := caller{t: t, url: machine.URL(contract.Port)}
	order := shopper.buys()
	for port, open := range map[int]bool{contract.Port: true, contract.AdminPort: false} {
		if machine.Reaches(port) != open {
			t.Errorf("port %d is reachable from outside: %t, want %t", port, !open, open)
		}
	}
	guardsMetadata(t, machine)
	failsClosed(t, machine)
	machine.Reboot()
	boottest.Await(t, machine.URL(contract.Port)+contract.ReadyPath, http.StatusOK)
	guardsMetadata(t, machine)
	if status := shopper.get("/api/orders/" + order)["status"]; status != "paid" {
		t.Errorf("after a reboot the order is %v, want paid", status)
	}
}

// data starts a database and a cache, and lets the stage's parameters name them.
func data(t *testing.T, aws *boottest.AWS, folder string) {
	t.Helper()
	postgres, err := backing.StartPostgres(t.Context(), backing.PostgresOptions{})
	if err != nil {
		t.Skipf("no PostgreSQL: %v", err)
	}
	redis, err := backing.StartRedis(t.Context(), backing.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := postgres.Stop(); err != nil {
			t.Error(err)
		}
		if err := redis.Stop(); err != nil {
			t.Error(err)
		}
	})
	aws.Parameters[folder+contract.EnvDatabaseURL] = aws.Beside(t, postgres.URL(), postgresPort)
	aws.Parameters[folder+contract.EnvRedisURL] = aws.Beside(t, redis.URL(), redisPort)
}

// builtStage is a stage deployed to a recorder and a registry in this process, for this machine.
type builtStage struct {
	t                     *testing.T
	recorder              *recorder
	registry, image, root string
	aws                   *boottest.AWS
}

func built(t *testing.T, stack string, config ...string) *builtStage {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	s := &builtStage{t: t, registry: strings.TrimPrefix(server.URL, "http://"), root: t.TempDir()}
	change := map[string]string{"shoplab:architecture": "amd64", "shoplab:instanceType": "t3.small"}
	for pair := range slices.Chunk(config, 2) {
		change["shoplab:"+pair[0]] = pair[1]
	}
	s.recorder = record(t, stack, root, s.registry, change)
	s.aws = &boottest.AWS{Region: "us-east-1", Parameters: map[string]string{}}
	for _, res := range s.recorder.resources {
		if res.Type == "aws:ssm/parameter:Parameter" {
			s.aws.Parameters[text(t, res.Inputs, "name")] = text(t, res.Inputs, "value")
		}
	}
	s.pull()
	return s
}

// pull copies what was pushed into the folder from which the machine's podman pulls it.
func (s *builtStage) pull() {
	s.t.Helper()
	repository, err := name.NewRepository(s.registry + "/image-repository")
	if err != nil {
		s.t.Fatal(err)
	}
	tags, err := remote.List(repository, remote.WithContext(s.t.Context()))
	if err != nil || len(tags) != 1 {
		s.t.Fatalf("the registry has the tags %v (%v), want one", tags, err)
	}
	image, err := remote.Image(repository.Tag(tags[0]), remote.WithContext(s.t.Context()))
	if err != nil {
		s.t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		s.t.Fatal(err)
	}
	s.image = repository.Name() + "@" + digest.String()
	path, err := layout.Write(filepath.Join(s.root, "image-repository"), empty.Index)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := path.AppendImage(image); err != nil {
		s.t.Fatal(err)
	}
}

func (s *builtStage) inputs(resource string) resource.PropertyMap {
	s.t.Helper()
	for _, res := range s.recorder.resources {
		if res.Name == resource {
			return res.Inputs
		}
	}
	s.t.Fatalf("nothing called %s was registered", resource)
	return nil
}

func (s *builtStage) options(name, userData string, port int) boottest.Options {
	if dir := os.Getenv("SHOPLAB_USER_DATA"); dir != "" { // to look at it
		if err := os.WriteFile(filepath.Join(dir, name), []byte(userData), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return boottest.Options{
		Name: name, UserData: userData, Registry: s.root, RegistryHost: s.registry, Ports: []int{port}, AWS: s.aws,
	}
}

func text(t *testing.T, inputs resource.PropertyMap, key string) string {
	t.Helper()
	value, ok := revealed(inputs[resource.PropertyKey(key)]).(string)
	if !ok {
		t.Fatalf("%s is %v, not a text", key, inputs[resource.PropertyKey(key)])
	}
	return value
}

// caller speaks the shop's HTTP API.
type caller struct {
	t      *testing.T
	url    string
	header map[string]string
}

func (c caller) try(method, path string, header map[string]string, body any) (int, map[string]any) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, content)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for _, set := range []map[string]string{c.header, header} {
		for key, value := range set {
			request.Header.Set(key, value)
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if text, err := io.ReadAll(response.Body); err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	} else if strings.Contains(response.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(text, &answer); err != nil {
			c.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return response.StatusCode, answer
}

func (c caller) get(path string) map[string]any { return c.do(http.MethodGet, path, nil, nil) }

// do fails the test unless the answer is one of success.
func (c caller) do(method, path string, header map[string]string, body any) map[string]any {
	c.t.Helper()
	status, answer := c.try(method, path, header, body)
	if status/100 != 2 {
		c.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	return answer
}

// buys registers, fills a cart, orders and pays, and returns the order's id. From then on the caller
// is signed in.
func (c *caller) buys() string {
	c.t.Helper()
	if status, _ := c.try(http.MethodGet, "/", nil, nil); status != http.StatusOK {
		c.t.Fatalf("the storefront answers %d", status)
	}
	if c.header == nil {
		c.header = map[string]string{}
	}
	account := c.do(http.MethodPost, "/api/auth/register", nil, map[string]any{
		"email": "ada@example.com", "password": "correct horse battery staple", "first_name": "Ada", "last_name": "L",
	})
	c.header["Authorization"] = fmt.Sprint("Bearer ", account["token"])
	for _, item := range c.get("/api/products?limit=100")["items"].([]any) {
		if product := item.(map[string]any); product["stock"].(float64) > 0 {
			c.do(http.MethodPost, "/api/cart/items", nil, map[string]any{"product_id": product["id"], "quantity": 1})
			break
		}
	}
	order := c.do(http.MethodPost, "/api/orders", map[string]string{"Idempotency-Key": "boot-test"}, nil)
	path := fmt.Sprint("/api/orders/", order["id"])
	payment := c.do(http.MethodPost, path+"/payment", nil, nil)
	c.do(http.MethodPost, "/api/payments/simulate", nil, map[string]any{
		"client_secret": payment["client_secret"], "outcome": "succeeded",
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if c.get(path)["status"] == "paid" {
			return fmt.Sprint(order["id"])
		}
	}
	c.t.Fatalf("the order is not paid: %v", c.get(path))
	return ""
}
