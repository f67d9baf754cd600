// Package licensetest holds a program's file of licences against the modules that are compiled into it. Most licences
// ask that their text goes along with a binary, so each program embeds the file and prints it.
package licensetest

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Check compares the file with the licences of what the packages in the repository import, on Linux and macOS, and
// of Go itself. With update it writes the file.
func Check(t *testing.T, root, file string, update bool, packages ...string) {
	t.Helper()
	want, err := collect(root, packages)
	if err != nil {
		t.Fatal(err)
	}
	if update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the compiled modules ask for; run: go test ./service ./lab/cli -run Licenses -update, and "+
			"look at what is new", file)
	}
}

// module is one that is compiled in.
type module struct{ name, dir string }

// collect puts each text once, under all the modules that have it.
func collect(root string, packages []string) ([]byte, error) {
	modules := map[module]bool{}
	for _, system := range []string{"linux", "darwin"} {
		list := exec.Command("go", append([]string{
			"list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}",
		}, packages...)...)
		list.Dir = root
		list.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := list.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			if name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				modules[module{name, dir}] = true
			}
		}
	}
	byText := map[string][]string{}
	for m := range modules {
		texts, err := licences(m.dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		for _, text := range texts {
			byText[text] = append(byText[text], m.name)
			if m.name == "golang.org/x/sys" {
				byText[text] = append(byText[text], "Go's standard library") // the same authors and text
			}
		}
	}
	return render(byText), nil
}

func render(byText map[string][]string) []byte {
	for _, names := range byText {
		slices.Sort(names)
	}
	texts := slices.SortedFunc(maps.Keys(byText), func(a, b string) int {
		return cmp.Or(slices.Compare(byText[a], byText[b]), cmp.Compare(a, b))
	})
	var out bytes.Buffer
	out.WriteString("Compiled into this program, with the licences under which they are.\n")
	for _, text := range texts {
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(byText[text], "\n"), text)
	}
	return out.Bytes()
}

var named = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// licences are the texts in a module's folder. A module without one is an error: it must not be passed on.
func licences(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, e := range entries {
		if !e.Type().IsRegular() || !named.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		text := strings.TrimSpace(strings.ReplaceAll(string(data), "\r\n", "\n"))
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("no licence in %s", dir)
	}
	return texts, nil
}
