package stack

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the keys in Pulumi.yaml")

// TestProjectDeclaresEveryKey holds Pulumi.yaml against the table; what stands before its keys is its own.
func TestProjectDeclaresEveryKey(t *testing.T) {
	const file, mark = "../Pulumi.yaml", "\nconfig:\n"
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := bytes.Cut(got, []byte(mark))
	if !ok {
		t.Fatal("Pulumi.yaml has no config")
	}
	want := append(append(head, mark...), declarations()...)
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(got, want) {
		t.Error("Pulumi.yaml does not declare the keys of config.go; run: go test ./stack -update")
	}
}

// declarations are the keys as Pulumi.yaml declares them. Text is quoted: 8.0 would be a number. In quoted text YAML
// reads the end of a line as a space.
func declarations() string {
	var b strings.Builder
	for _, r := range new(Config).rows() {
		fmt.Fprintf(&b, "  %s:\n    type: %s\n", r.key(), r.kind)
		line := "    description:"
		for word := range strings.FieldsSeq(fmt.Sprintf("%q", r.about)) {
			if len(line)+1+len(word) > 120 {
				b.WriteString(line + "\n")
				line = "     "
			}
			line += " " + word
		}
		b.WriteString(line + "\n")
		if value := r.value; !r.required {
			if r.kind == "string" {
				value = fmt.Sprintf("%q", value)
			}
			fmt.Fprintf(&b, "    default: %s\n", value)
		}
	}
	return b.String()
}

// TestEveryRowReadsAFieldOfItsOwn: each row takes its default, and reads a value into a field that is no other row's.
func TestEveryRowReadsAFieldOfItsOwn(t *testing.T) {
	samples := []string{ // some row or other takes each
		"77", "7", "true", "mesh", "on", "18", "registry/shop@sha256:" + strings.Repeat("a", 64), "2099-12-31T18:00:00Z",
		"a@example.com", "203.0.113.7/32", "word",
	}
	seen := map[Config]string{}
	for i, r := range new(Config).rows() {
		if r.read == nil || r.about == "" || !strings.Contains(" string integer boolean ", " "+r.kind+" ") {
			t.Fatalf("%s: %+v", r.key(), r)
		}
		if r.value != "" {
			if err := r.read(r.value); err != nil {
				t.Errorf("%s does not take its own default: it is %s", r.key(), err)
			}
		}
		var c Config
		for _, text := range append([]string{r.value}, samples...) {
			if c == (Config{}) {
				_ = c.rows()[i].read(text) // which leaves c as it is where the row does not take it
			}
		}
		if other, taken := seen[c]; taken || c == (Config{}) {
			t.Errorf("%s is read into no field, or into that of %q; does it take none of the samples?", r.key(), other)
		}
		seen[c] = r.key()
	}
}

func TestReadFile(t *testing.T) {
	folder := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "Pulumi.mine.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const required = "config:\n  aws:region: us-east-1\n  shoplab:topology: mesh\n  shoplab:instances: \"2\"\n  " +
		"shoplab:maxInstances: 2\n  shoplab:cpu: 500\n  shoplab:memory: 256\n  shoplab:poolPerInstance: 4\n  " +
		"shoplab:databaseConnections: 79\n"
	write(required + "  shoplab:cacheVersion: 8.0\n  shoplab:domain:\n  shoplab:kubeconfig:\n    secure: v1:abc\n")
	c, err := ReadFile(folder, "mine")
	if err != nil {
		t.Fatal(err)
	}
	if c.Stack != "mine" || c.Region != "us-east-1" || c.Instances != 2 || c.CacheVersion != "8.0" || c.Kubeconfig == "" ||
		c.InstanceType != "t4g.large" {
		t.Errorf("read %+v", c)
	}
	for want, more := range map[string]string{
		"shoplab:kubeconfig would lie in the clear": "  shoplab:kubeconfig: abc\n",
		"shoplab:colour is not a key":               "  shoplab:colour: red\n",
		"shoplab:domain: want text":                 "  shoplab:domain: [a]\n",
		"read Pulumi.mine.yaml":                     "  shoplab:domain: [a\n",
		"shoplab:wait is \"maybe\", neither true":   "  shoplab:wait: maybe\n",
	} {
		write(required + more)
		if _, err := ReadFile(folder, "mine"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", more, err, want)
		}
	}
	if _, err := ReadFile(folder, "other"); err == nil || !strings.Contains(err.Error(), "Pulumi.other.yaml") {
		t.Errorf("a stack without a file: %v", err)
	}
}

func TestLambdaCPU(t *testing.T) {
	for memory, want := range map[int]int{128: 74, 1024: 592, 1769: 1024, 10240: 5927} {
		if got := LambdaCPU(memory); got != want {
			t.Errorf("%d MiB: %d CPU units, want %d", memory, got, want)
		}
	}
}
