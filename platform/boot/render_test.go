package boot_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"shoplab/contract"
	"shoplab/platform/boot"
)

var update = flag.Bool("update", false, "write the golden files anew")

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func shop() boot.Shop {
	return boot.Shop{
		Region: "us-east-1", Image: "111122223333.dkr.ecr.us-east-1.amazonaws.com/shoplab@" + digest,
		Parameters: "/shoplab/stage1", LogGroup: "/shoplab/stage1/service", Secrets: []string{contract.EnvSessionKey},
		Memory: 2048,
		Env:    map[string]string{contract.EnvStage: "stage1", contract.EnvTopology: "single", contract.EnvHTTPS: "always"},
	}
}

// documents are user data as the stages ask for it, and with every option.
func documents(t *testing.T) map[string]string {
	t.Helper()
	single := boot.SingleArgs{Shop: shop(), MaxConnections: 100}
	full := boot.SingleArgs{
		Shop: shop(), MaxConnections: 100, OriginHeader: "X-Origin-Secret",
		DumpBucket: "dumps/stage1", DumpCalendar: "hourly",
	}
	full.Secrets = []string{contract.EnvSessionKey, contract.EnvStripeSecretKey, contract.EnvStripeWebhookSecret}
	fleet := boot.FleetArgs{Shop: shop()}
	fleet.Secrets = []string{contract.EnvDatabaseURL, contract.EnvRedisURL, contract.EnvSessionKey}
	all := map[string]string{}
	for name, render := range map[string]func() (string, error){
		"single":      func() (string, error) { return boot.Single(single) },
		"single-full": func() (string, error) { return boot.Single(full) },
		"fleet":       func() (string, error) { return boot.Fleet(fleet) },
		"k3s":         func() (string, error) { return boot.K3s(k3s()) },
	} {
		document, err := render()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = document
	}
	return all
}

func k3s() boot.K3sArgs {
	return boot.K3sArgs{
		Region: "us-east-1", LogGroup: "/shoplab/stage4/service", Parameters: "/shoplab/stage4/k3s",
		CAFiles: []string{"server-ca.crt", "server-ca.key", "etcd/peer-ca.crt"},
		Version: "v1.35.8+k3s1", Address: "203.0.113.9", Registry: "111122223333.dkr.ecr.us-east-1.amazonaws.com",
	}
}

func TestGolden(t *testing.T) {
	for name, got := range documents(t) {
		file := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from %s; if that is meant, run go test ./platform/boot -update", name, file)
		}
	}
}

// cloudConfig is the part of cloud-init's schema that the templates use. Decoding refuses other keys,
// which cloud-init would only warn about.
type cloudConfig struct {
	Apt           struct{ Conf string }
	PackageUpdate bool `yaml:"package_update"`
	Packages      []string
	Users         []struct {
		Name, Shell string
		UID         int
		System      bool
		NoHome      bool `yaml:"no_create_home"`
	}
	WriteFiles []writeFile `yaml:"write_files"`
	RunCmd     []string    `yaml:"runcmd"`
}

type writeFile struct {
	Path, Content, Permissions string
	Defer                      bool
}

func TestCloudConfig(t *testing.T) {
	for name, document := range documents(t) {
		t.Run(name, func(t *testing.T) {
			if !strings.HasPrefix(document, "#cloud-config\n") {
				t.Error("does not begin with #cloud-config")
			}
			if len(document) > boot.MaxSize {
				t.Errorf("%d bytes, more than %d", len(document), boot.MaxSize)
			}
			t.Logf("%d bytes", len(document))
			var config cloudConfig
			decoder := yaml.NewDecoder(strings.NewReader(document))
			decoder.KnownFields(true)
			if err := decoder.Decode(&config); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(config.RunCmd[0], "set -e") {
				t.Error("runcmd goes on after an error")
			}
			paths := map[string]bool{}
			for _, file := range config.WriteFiles {
				if paths[file.Path] || !filepath.IsAbs(file.Path) || file.Content == "" {
					t.Errorf("file %q is relative, empty or written twice", file.Path)
				}
				paths[file.Path] = true
			}
			for _, word := range []string{"<no value>", "%!", "\t"} {
				if strings.Contains(document, word) {
					t.Errorf("contains %q", word)
				}
			}
		})
	}
}

// packageOf names the Debian package of every command in the user data that a bare system lacks.
var packageOf = map[string]string{
	"aws": "awscli", "curl": "curl", "jq": "jq", "nftables": "nftables", "ecr-login": "amazon-ecr-credential-helper",
	"createuser": "postgresql", "pg_dump": "postgresql", "pg_restore": "postgresql", "nginx": "nginx",
	"redis-server": "redis-server",
}

// TestCommandsAreInstalled: what a server uses, its user data installs. Which of it Debian's images have is not known.
func TestCommandsAreInstalled(t *testing.T) {
	for name, document := range documents(t) {
		var config cloudConfig
		if err := yaml.Unmarshal([]byte(document), &config); err != nil {
			t.Fatal(err)
		}
		uses := config.RunCmd
		for _, file := range config.WriteFiles {
			if file.Path != "/etc/nginx/nginx.conf" { // no commands in it
				uses = append(uses, file.Content)
			}
			if strings.HasSuffix(file.Path, ".container") {
				uses = append(uses, "podman")
			}
		}
		packages := maps.Clone(packageOf)
		packages["podman"] = "podman"
		if name == "k3s" { // a helper of its own has that name
			delete(packages, "ecr-login")
		}
		for command, needed := range packages {
			used := regexp.MustCompile(`(^|[^\w./-])` + command + `($|[^\w.-])`)
			if used.MatchString(strings.Join(uses, "\n")) && !slices.Contains(config.Packages, needed) {
				t.Errorf("%s uses %s and does not install %s", name, command, needed)
			}
		}
	}
}

// TestLogsFromTheBeginning: the CloudWatch agent is installed minutes after the shop's first words, and ships them.
func TestLogsFromTheBeginning(t *testing.T) {
	for name, document := range documents(t) {
		var config cloudConfig
		if err := yaml.Unmarshal([]byte(document), &config); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(config.WriteFiles, func(f writeFile) bool { return f.Path == "/etc/shop-journal.yaml" })
		var journal struct {
			Receivers map[string]struct {
				StartAt string `yaml:"start_at"`
				Storage string
				Units   []string
			}
			Extensions map[string]any
		}
		if i < 0 || yaml.Unmarshal([]byte(config.WriteFiles[i].Content), &journal) != nil {
			t.Errorf("%s: no configuration for the journal", name)
			continue
		}
		receiver := journal.Receivers["journald/shop"]
		if receiver.StartAt != "beginning" || len(receiver.Units) == 0 || journal.Extensions[receiver.Storage] == nil {
			t.Errorf("%s: the journal is read with %+v", name, receiver)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, spoil := range map[string]func(*boot.SingleArgs){
		"image by tag":     func(a *boot.SingleArgs) { a.Image = "registry/shop:latest" },
		"secret in Env":    func(a *boot.SingleArgs) { a.Env = map[string]string{contract.EnvSessionKey: "x"} },
		"two lines in Env": func(a *boot.SingleArgs) { a.Env = map[string]string{"STAGE": "a\nb"} },
		"no region":        func(a *boot.SingleArgs) { a.Region = "" },
		"no path":          func(a *boot.SingleArgs) { a.Parameters = "shoplab" },
		"no memory":        func(a *boot.SingleArgs) { a.Memory = 0 },
		"no connections":   func(a *boot.SingleArgs) { a.MaxConnections = 0 },
		"no log group":     func(a *boot.SingleArgs) { a.LogGroup = "" },
		"dumps anywhere":   func(a *boot.SingleArgs) { a.DumpBucket = "dumps" },
		"odd secret":       func(a *boot.SingleArgs) { a.Secrets = []string{"a; rm -rf /"} },
	} {
		args := boot.SingleArgs{Shop: shop(), MaxConnections: 100}
		spoil(&args)
		if document, err := boot.Single(args); err == nil {
			t.Errorf("%s: rendered %d bytes, want an error", name, len(document))
		}
	}
}
