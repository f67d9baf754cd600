package complexity

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCodeLinesAreThoseThatAStageReaches(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"platform/stages.go": `package platform

import (
	"example.com/sdk"
	"shoplab/platform/boot"
)

func Deploy(s string) { single(); fargate() }

func single() {
	must(NewServer(boot.Single()))
}

func fargate() { _ = sdk.Tasks{Spec: unused} }

func must[T any](value T, err error) T {
	return value
}
`,
		"platform/server.go": `package platform

type Server struct {
	sdk.Resource
}

func NewServer(data string) (*Server, error) {
	s := &Server{}
	s.wire()
	return s, nil
}

// wire is a method.
func (s *Server) wire() { _ = size }

func (s *Server) idle() {}

const (
	size   = 20
	unused = 1
)
`,
		"platform/server_test.go": "package platform\n\nfunc (s *Server) tested() {}\n",
		"platform/boot/boot.go": "package boot\n\nfunc Single() string { return execute(\"single.tmpl\") }\n\nfunc " +
			"execute(name string) string { return name }\n",
		"platform/boot/single.tmpl": "#cloud-config\n{{template \"head\" .}}\n{{if .X}}\n{{- end}}\n",
		"platform/boot/common.tmpl": "{{- define \"head\" -}}\na\n{{if .X}}b{{- end}}\n{{- end}}\n\n{{- define \"rest\" " +
			"-}}\nc\n{{- end}}\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// single 3, must 3, NewServer 5, Server 3, wire 1, size 1; boot.Single 1, execute 1; its template 4, head 3
	if n, ok := codeLines(root, "single"); !ok || n != 25 {
		t.Errorf("single reaches %d lines (%v), want 25", n, ok)
	}
	if n, ok := codeLines(root, "fargate"); !ok || n != 2 {
		t.Errorf("fargate reaches %d lines (%v), want itself and a constant", n, ok)
	}
	if n, ok := codeLines(root, "heap"); ok {
		t.Errorf("a topology without a composition has %d lines", n)
	}
}

func TestEveryStageReachesCode(t *testing.T) {
	lines := map[string]int{}
	for _, topology := range []string{"single", "balanced", "fargate", "mesh"} {
		n, ok := codeLines("../..", topology)
		if !ok {
			t.Fatalf("no code of %s", topology)
		}
		lines[topology] = n
	}
	t.Log(lines)
	if lines["mesh"] <= lines["fargate"] {
		t.Errorf("a mesh of its own takes less than Fargate: %v", lines)
	}
}
