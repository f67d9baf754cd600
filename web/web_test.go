package web_test

import (
	"encoding/json"
	"encoding/xml"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"shoplab/web"
)

func TestPages(t *testing.T) {
	for _, p := range []string{"/", "/product", "/cart", "/checkout", "/orders", "/order", "/login", "/register"} {
		file, ok := web.Page(p)
		if !ok {
			t.Errorf("Page(%q): none", p)
			continue
		}
		if _, err := fs.Stat(web.Files, file); err != nil {
			t.Errorf("Page(%q) = %q: %v", p, file, err)
		}
	}
	for _, p := range []string{"", "/index.html", "/products", "/cart/", "/../cart"} {
		if file, ok := web.Page(p); ok {
			t.Errorf("Page(%q) = %q, want none", p, file)
		}
	}
}

// TestPictures holds the pictures against the seed: one for each product, none left over.
func TestPictures(t *testing.T) {
	data, err := os.ReadFile("../service/postgres/seed/products.json")
	if err != nil {
		t.Fatal(err)
	}
	var products []struct{ Slug string }
	if err := json.Unmarshal(data, &products); err != nil {
		t.Fatalf("decode the seed: %v", err)
	}
	wanted := map[string]bool{}
	for _, p := range products {
		wanted[p.Slug+".svg"] = true
	}
	pictures, err := fs.ReadDir(web.Files, "images/products")
	if err != nil {
		t.Fatal(err)
	}
	for _, picture := range pictures {
		name := picture.Name()
		if !wanted[name] {
			t.Errorf("%s: no product has this picture", name)
		}
		delete(wanted, name)
		checkPicture(t, "images/products/"+name)
	}
	for name := range wanted {
		t.Errorf("%s: missing", name)
	}
}

func checkPicture(t *testing.T, name string) {
	t.Helper()
	data := read(t, name)
	var svg struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		ViewBox string   `xml:"viewBox,attr"`
	}
	if err := xml.Unmarshal([]byte(data), &svg); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if svg.ViewBox != "0 0 600 600" {
		t.Errorf("%s: viewBox %q, want a square of 600", name, svg.ViewBox)
	}
	if len(data) > 4096 {
		t.Errorf("%s: %d bytes, want at most 4096", name, len(data))
	}
}

var (
	inline    = regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script(?:[^>]*)>[^<]|javascript:`)
	foreign   = regexp.MustCompile(`(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//`)
	reference = regexp.MustCompile(`(?:src|href)="(/[^"?#]*)`)
	imported  = regexp.MustCompile(`(?m)^import .* from "([^"]+)";$`)
)

// TestReferences: every script, style, picture and page that a file names is there, nothing is
// inline, where the Content-Security-Policy would stop it, and nothing comes from elsewhere.
func TestReferences(t *testing.T) {
	err := fs.WalkDir(web.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text := read(t, name)
		switch path.Ext(name) {
		case ".html":
			if found := inline.FindString(text); found != "" {
				t.Errorf("%s: inline %q", name, found)
			}
			if found := foreign.FindString(text); found != "" {
				t.Errorf("%s: loads from elsewhere: %q", name, found)
			}
			for _, match := range reference.FindAllStringSubmatch(text, -1) {
				checkReference(t, name, match[1])
			}
		case ".js":
			if found := regexp.MustCompile(`\sstyle="|\son[a-z]+="|innerHTML`).FindString(text); found != "" &&
				name != "js/html.js" {
				t.Errorf("%s: %q belongs nowhere but in html.js", name, found)
			}
			for _, match := range imported.FindAllStringSubmatch(text, -1) {
				checkReference(t, name, "/"+path.Join(path.Dir(name), match[1]))
			}
		case ".css":
			if strings.Contains(text, "url(") || strings.Contains(text, "@import") {
				t.Errorf("%s: loads something", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkReference(t *testing.T, from, target string) {
	t.Helper()
	file, ok := web.Page(target)
	if !ok {
		file = strings.TrimPrefix(target, "/")
	}
	if _, err := fs.Stat(web.Files, file); err != nil {
		t.Errorf("%s: names %s, which is not there", from, target)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := fs.ReadFile(web.Files, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
