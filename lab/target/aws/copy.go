package aws

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// changed is a file more in the service: its image differs, and it does what it did. A string that differs is in the
// binary only where something asks for it.
const changed = `package main

import "os"

var _ = os.Getenv("SHOPLAB_IMAGE_OF_%d")
`

// changedCopy copies the repository, without what is hidden or built, and changes the service. remove deletes the copy.
func changedCopy(root string) (dir string, remove func(), err error) {
	if dir, err = os.MkdirTemp("", "shoplab-changed-*"); err != nil {
		return "", nil, fmt.Errorf("copy the repository: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) } // what is left of it is no secret
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && name != "."
		switch {
		case d.IsDir() && (hidden || d.Name() == "bin" || d.Name() == "report" && filepath.Dir(name) == "."):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, name), 0o700)
		case hidden || !d.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path) //nolint:gosec // the repository's own
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), content, 0o600) //nolint:gosec // a name that WalkDir gave
	})
	if err == nil {
		source := fmt.Sprintf(changed, time.Now().UnixNano())
		err = os.WriteFile(filepath.Join(dir, "service", "changed.go"), []byte(source), 0o600)
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("copy the repository: %w", err), os.RemoveAll(dir))
	}
	return dir, remove, nil
}
