package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentsTypeWhatThereIs: each lab command in a document is one, and has the flags that are typed with it.
func TestDocumentsTypeWhatThereIs(t *testing.T) {
	command := regexp.MustCompile("go run \\./lab ([a-z][^\n`|#>]*)")
	seen := 0
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/decisions/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range command.FindAllStringSubmatch(string(text), -1) {
				seen++
				checkTyped(t, file, strings.Fields(found[1]))
			}
		}
	}
	if seen == 0 {
		t.Error("no document types a command")
	}
}

// checkTyped holds the words of a command line against the commands and their flags.
func checkTyped(t *testing.T, file string, words []string) {
	t.Helper()
	typed := strings.Join(words, " ")
	found, _, err := newRootCommand().Find(words[:1])
	if err != nil {
		t.Errorf("%s: lab %s: %v", file, typed, err)
		return
	}
	for _, word := range words[1:] {
		if flag, ok := strings.CutPrefix(word, "--"); ok {
			flag, _, _ = strings.Cut(flag, "=")
			if found.Flags().Lookup(strings.TrimRight(flag, ".,;:)")) == nil {
				t.Errorf("%s: lab %s: there is no flag --%s", file, typed, flag)
			}
		}
	}
}
