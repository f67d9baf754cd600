// Package docs has no code: its tests hold the documents together.
package docs

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the index of the decisions")

const indexHead = `# Decisions

Why things are as they are, where a choice surprises. A decision is short: what was chosen, what for, what it costs,
what was measured or read, and where. It gets a free number, beside others of its subject where there is room, else
after the last; a decision that is overturned is rewritten, and git has the old one. This list is written by ` +
	"`go test\n./docs -update`.\n\n"

// TestEveryDecisionIsListed: the index has each decision under its title, and nothing else.
func TestEveryDecisionIsListed(t *testing.T) {
	files, err := filepath.Glob("decisions/[0-9]*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	title := regexp.MustCompile(`^# (?:[0-9]{4}:? )?(.+)`)
	index := indexHead
	for _, file := range files { // Glob sorts
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := title.FindSubmatch(text)
		if found == nil {
			t.Errorf("%s does not begin with a title", file)
			continue
		}
		name := filepath.Base(file)
		line := fmt.Sprintf("- [%s](%s): %s", name[:4], name, found[1])
		if len(line) > longest {
			space := strings.LastIndex(line[:longest], " ")
			line = line[:space] + "\n  " + line[space+1:]
		}
		index += line + "\n"
	}
	const file = "decisions/README.md"
	if *update {
		if err := os.WriteFile(file, []byte(index), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != index {
		t.Errorf("%s is not the list of the decisions (%v); run: go test ./docs -update", file, err)
	}
}

// longest is how many characters a line has at most.
const longest = 120

// TestLinesAreShort: but for tables and code, whose lines cannot be broken.
func TestLinesAreShort(t *testing.T) {
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code := false
		for i, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
			}
			exempt := code || strings.HasPrefix(line, "|") || strings.HasPrefix(line, "    ")
			if n := len([]rune(line)); n > longest && !exempt {
				t.Errorf("%s, line %d has %d characters, want up to %d", file, i+1, n, longest)
			}
		}
	}
}

// documents are all but those that a program writes.
func documents(t *testing.T) (files []string) {
	t.Helper()
	for _, pattern := range []string{"../*.md", "*.md", "decisions/*.md", "../.github/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// TestLinksLead: what a document links to in this repository is there, and so is the heading in it.
func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllSubmatch(text, -1) {
			target := file
			if len(found[1]) > 0 {
				target = filepath.Join(filepath.Dir(file), string(found[1]))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", file, found[1], err)
			} else if len(found[2]) > 0 && !headings(t, target)[string(found[2])] {
				t.Errorf("%s links to %s%s, and no heading there has that name", file, found[1], found[2])
			}
		}
	}
}

// headings are those of a document, by the fragments that GitHub makes of them.
func headings(t *testing.T, file string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	fragments := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(string(found[1])), "")
		fragments["#"+strings.ReplaceAll(name, " ", "-")] = true
	}
	return fragments
}

// TestMakeTargetsAreThere: what a document has somebody make is a target of the Makefile.
func TestMakeTargetsAreThere(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?m)`[^`\n]+`|^    .+$")
	command := regexp.MustCompile("(?:^|[` ])make ([a-z][a-z0-9-]*)")
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range command.FindAllSubmatch(bytes.Join(code.FindAll(text, -1), []byte("\n")), -1) {
			if !bytes.Contains(makefile, []byte("\n"+string(found[1])+": ")) {
				t.Errorf("%s says make %s, which the Makefile does not have", file, found[1])
			}
		}
	}
}

// TestReadmeIsShort: three readers find their part of it on three screens.
func TestReadmeIsShort(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n >= 120 {
		t.Errorf("README.md has %d lines, want fewer than 120", n)
	}
}
