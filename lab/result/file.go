package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrVersion is wrapped by Read for a file of another format version.
var ErrVersion = errors.New("unsupported result version")

// Read decodes one result. It refuses another version: a report never silently leaves something out.
func Read(r io.Reader) (Result, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return Result{}, fmt.Errorf("read result: %w", err)
	}
	var res Result
	failed := json.Unmarshal(data, &res)
	if failed == nil && res.Version == Version {
		return res, nil
	}
	var head struct { // by itself: another version's file may fail on something before its version
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Result{}, fmt.Errorf("decode result: %w", err)
	}
	if head.Version != Version {
		return Result{}, fmt.Errorf("%w: file has %d, this laboratory reads %d", ErrVersion, head.Version, Version)
	}
	return Result{}, fmt.Errorf("decode result: %w", failed)
}

// ReadFile reads the result in the named file.
func ReadFile(name string) (Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return Result{}, err
	}
	res, err := Read(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", name, err)
	}
	return res, nil
}

// CheckFile says whether WriteFile can write name, before there is a result to lose. Missing directories
// are made.
func CheckFile(name string) error {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder; name a file in it, such as %s", name, filepath.Join(name, "result.json"))
	}
	tmp, err := createTemp(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(tmp.Close(), os.Remove(tmp.Name()))
}

// createTemp makes a file beside the one to write, and the directory.
func createTemp(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("write result: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".result-*")
	if err != nil {
		return nil, fmt.Errorf("write result: %w", err)
	}
	return tmp, nil
}

// WriteFile writes the result as indented JSON, replacing the file in one step so that an
// interrupted run never leaves half of one. Missing directories are made.
func WriteFile(name string, res Result) error {
	res.Version = Version
	data, err := json.MarshalIndent(res, "", " ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	tmp, err := createTemp(filepath.Dir(name))
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(data, '\n'))
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write result: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}
