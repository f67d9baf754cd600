package complexity

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Where a stage's code lies: the program with the compositions, and the user data of its servers.
const (
	platformFolder = "platform"
	bootPackage    = "shoplab/platform/boot"
)

// codeLines counts what a stage's composition (a function of platform named as the topology) reaches:
// declarations in platform and platform/boot, and the user data templates that they name. Blank lines
// and comments inside count, as they do for who reads them. False if there is no such function.
func codeLines(root, topology string) (int, bool) {
	c := &code{
		set: token.NewFileSet(), files: map[string]*ast.File{},
		info:     &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}},
		declared: map[types.Object]ast.Node{}, seen: map[ast.Node]bool{}, templates: map[string]string{},
	}
	folder := filepath.Join(root, platformFolder)
	boot := c.check(bootPackage, filepath.Join(folder, "boot"), nil)
	platform := c.check("shoplab/platform", folder, boot)
	if boot == nil || platform == nil || c.readTemplates(filepath.Join(folder, "boot")) != nil {
		return 0, false
	}
	composition := platform.Scope().Lookup(topology)
	if composition == nil {
		return 0, false
	}
	c.reach(composition)
	return c.lines, true
}

// code is a set of packages, and how much of it has been reached.
type code struct {
	set       *token.FileSet
	files     map[string]*ast.File
	info      *types.Info
	declared  map[types.Object]ast.Node
	templates map[string]string // by name
	seen      map[ast.Node]bool
	lines     int
}

// check resolves the names in a package. Of other packages only boot is known: that the SDKs' names stay
// unresolved, and are errors of the type checker's, does not matter here.
func (c *code) check(path, folder string, boot *types.Package) *types.Package {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(c.set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil
		}
		files = append(files, f)
	}
	config := types.Config{Error: func(error) {}, Importer: only{boot}}
	pkg, _ := config.Check(path, c.set, files, c.info) // the error is the first of many, see above
	for _, f := range files {
		for _, d := range f.Decls {
			c.declare(d)
		}
	}
	return pkg
}

// only knows one package beside the standard library's.
type only struct{ pkg *types.Package }

// Import implements types.Importer.
func (o only) Import(path string) (*types.Package, error) {
	if o.pkg != nil && path == o.pkg.Path() {
		return o.pkg, nil
	}
	return nil, errors.New("not looked at")
}

// declare notes what stands where.
func (c *code) declare(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		c.declared[c.info.Defs[d.Name]] = d
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				c.declared[c.info.Defs[s.Name]] = s
			case *ast.ValueSpec:
				for _, name := range s.Names {
					c.declared[c.info.Defs[name]] = s
				}
			}
		}
	}
}

// reach counts a declaration and all that it names.
func (c *code) reach(o types.Object) {
	node, ok := c.declared[o]
	if !ok || c.seen[node] {
		return
	}
	c.seen[node] = true
	c.lines += c.set.Position(node.End()).Line - c.set.Position(node.Pos()).Line + 1
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			c.reach(c.info.Uses[n])
		case *ast.BasicLit:
			if name, err := strconv.Unquote(n.Value); err == nil {
				c.reachTemplate(name)
			}
		}
		return true
	})
}

// A template is a file, or defined in one; it names another by template or include.
var inclusion = regexp.MustCompile(`(?:template|include) "([^"]+)"`)

func (c *code) readTemplates(folder string) error {
	names, err := filepath.Glob(filepath.Join(folder, "*.tmpl"))
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		// What follows a definition, up to the next or the end of the file, is its own.
		file, definitions, _ := strings.Cut(string(text), "{{- define ")
		c.templates[filepath.Base(name)] = file
		for _, d := range strings.Split(definitions, "{{- define ") {
			if quoted, body, ok := strings.Cut(d, " -}}\n"); ok {
				c.templates[strings.Trim(quoted, `"`)] = strings.TrimRight(body, "\n") + "\n"
			}
		}
	}
	return nil
}

func (c *code) reachTemplate(name string) {
	text, ok := c.templates[name]
	if !ok {
		return
	}
	delete(c.templates, name) // counted once
	c.lines += strings.Count(text, "\n")
	for _, other := range inclusion.FindAllStringSubmatch(text, -1) {
		c.reachTemplate(other[1])
	}
}
