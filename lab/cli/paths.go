package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// findRoot returns the repository that the working directory is in.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "Pulumi.yaml")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no Pulumi.yaml in %s or above it; run lab inside the repository", dir)
		}
	}
}

// inRepository is where a default name such as report/result.json is: in the repository, from any folder
// below it, and in the working directory outside of one. What a user names is never moved.
func inRepository(name string) string {
	root, err := findRoot()
	if err != nil {
		return name
	}
	dir, err := os.Getwd()
	if err != nil {
		return name
	}
	rel, err := filepath.Rel(dir, filepath.Join(root, name))
	if err != nil {
		return filepath.Join(root, name)
	}
	return rel
}

// outFile is the result file of --out: the folder's file of that name, or the file itself when it is named
// with .json.
func outFile(out, name string) string {
	if strings.HasSuffix(out, ".json") {
		return out
	}
	return filepath.Join(out, name)
}
