package backing

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs makes a folder with programs of these names that do nothing.
func programs(t *testing.T, dir string, names ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPostgresBinaries(t *testing.T) {
	tmp := t.TempDir()
	both := programs(t, filepath.Join(tmp, "both"), "postgres", "initdb")
	half := programs(t, filepath.Join(tmp, "half"), "postgres")
	linked := filepath.Join(tmp, "linked")
	if err := errors.Join(os.Mkdir(linked, 0o755),
		os.Symlink(filepath.Join(both, "postgres"), filepath.Join(linked, "postgres"))); err != nil {
		t.Fatal(err)
	}
	programs(t, filepath.Join(tmp, "lib", "9", "bin"), "postgres", "initdb")
	newest := programs(t, filepath.Join(tmp, "lib", "17", "bin"), "postgres", "initdb")
	programs(t, filepath.Join(tmp, "lib", "18", "bin"), "psql") // a client only

	for _, tc := range []struct{ name, path, want string }{
		{"on PATH", half + ":" + both, both},
		{"a link on PATH", linked, both},
		{"no initdb beside it, so the packages' newest server", half, newest},
		{"nothing on PATH", "", newest},
	} {
		got, err := postgresBinaries(func(string) string { return tc.path }, []string{filepath.Join(tmp, "lib", "*", "bin")},
			nil)
		if err != nil || got != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, err, tc.want)
		}
	}

	_, err := postgresBinaries(func(string) string { return half }, nil, func() (string, error) {
		return "", errors.New("no network")
	})
	if err == nil || !strings.Contains(err.Error(), "apt-get install postgresql") ||
		!strings.Contains(err.Error(), "no network") {
		t.Errorf("error %v, want what to install and why the download failed", err)
	}
}

// The download is unpacked and found again without the network, though the server that the library
// then tries to start cannot start.
func TestDownloadPostgres(t *testing.T) {
	dir := t.TempDir()
	programs(t, filepath.Join(dir, "bin"), "postgres", "initdb", "pg_ctl")
	archive := filepath.Join(dir, "postgres.txz")
	if out, err := osexec.CommandContext(t.Context(), "tar", "-C", dir, "-cJf", archive,
		"bin").CombinedOutput(); err != nil {
		t.Skipf("tar cannot write xz (apt-get install xz-utils): %v %s", err, out)
	}
	txz, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("postgres-linux-x86_64.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(txz); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	maven := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(jar.Bytes())
	}))
	cache := filepath.Join(dir, "cache")
	first, err := downloadPostgres(maven.URL, cache, io.Discard)
	if err != nil || !hasPostgres(first) {
		t.Fatalf("first: %q, %v", first, err)
	}
	maven.Close()
	if second, err := downloadPostgres(maven.URL, cache, io.Discard); err != nil || second != first {
		t.Errorf("second: %q, %v; want %q from the cache", second, err, first)
	}
	if _, err := downloadPostgres(maven.URL, filepath.Join(dir, "other"), io.Discard); err == nil ||
		!strings.Contains(err.Error(), "download PostgreSQL from "+maven.URL) {
		t.Errorf("without network: %v", err)
	}
}
