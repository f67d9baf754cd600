package platform

import (
	"archive/tar"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestContainerIsReproducible builds the same source twice, in two folders.
func TestContainerIsReproducible(t *testing.T) {
	var digests []string
	for range 2 {
		image, err := buildContainer(t.Context(), standIn(t), "./service", "arm64")
		if err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds, two digests: %v", digests)
	}
}

// TestServiceContainer builds the real service: small, not root, with what it needs and no more.
func TestServiceContainer(t *testing.T) {
	image, err := buildContainer(t.Context(), "..", "./service", "arm64")
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	size, err := layers[0].Size()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB compressed", float64(size)/1e6)
	if len(layers) != 1 || size > 25e6 {
		t.Errorf("%d layers, %d bytes; want one of less than 25 MB", len(layers), size)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || config.Config.StopSignal != "SIGTERM" || config.Architecture != "arm64" {
		t.Errorf("user %s, stop signal %s, architecture %s", config.Config.User, config.Config.StopSignal,
			config.Architecture)
	}
	var files []string
	content := mutate.Extract(image)
	defer content.Close()
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, header.Name)
		if header.Mode&0o222 != 0 && header.Typeflag == tar.TypeReg {
			t.Errorf("%s is writable: %o", header.Name, header.Mode)
		}
		if strings.HasSuffix(header.Name, ".crt") {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if !x509.NewCertPool().AppendCertsFromPEM(data) {
				t.Error("the certificate authorities cannot be read")
			}
		}
	}
	want := []string{"etc", "etc/passwd", "etc/ssl", "etc/ssl/certs", "etc/ssl/certs/ca-certificates.crt", "shop"}
	if !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
}

// TestPushContainer pushes once, and finds the image the second time.
func TestPushContainer(t *testing.T) {
	var writes atomic.Int32
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			writes.Add(1)
		}
		images.ServeHTTP(w, r)
	}))
	defer server.Close()
	image, err := buildContainer(t.Context(), standIn(t), "./service", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	repository := strings.TrimPrefix(server.URL, "http://") + "/shop"
	first, err := pushContainer(t.Context(), image, repository, authn.Anonymous)
	if err != nil {
		t.Fatal(err)
	}
	pushed := writes.Load()
	second, err := pushContainer(t.Context(), image, repository, authn.Anonymous)
	if err != nil {
		t.Fatal(err)
	}
	if first != second || pushed == 0 || writes.Load() != pushed {
		t.Errorf("%s after %d writes, then %s after %d", first, pushed, second, writes.Load())
	}
	reference, err := name.NewDigest(first)
	if err != nil {
		t.Fatal(err)
	}
	back, err := remote.Image(reference)
	if err != nil {
		t.Fatalf("pull %s: %v", first, err)
	}
	if digest, err := back.Digest(); err != nil || !strings.HasSuffix(first, digest.String()) {
		t.Errorf("pulled %s (%v), want %s", digest, err, first)
	}
}

func TestReleaseImage(t *testing.T) {
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(srv.Close)
	repository := strings.TrimPrefix(srv.URL, "http://") + "/shop"
	reference, err := ReleaseImage(t.Context(), standIn(t), repository, "v9.9.9", authn.DefaultKeychain)
	if err != nil || !strings.HasPrefix(reference, repository+"@sha256:") {
		t.Fatalf("%q is no reference by digest: %v", reference, err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		tag, err := name.NewTag(repository + ":v9.9.9")
		if err != nil {
			t.Fatal(err)
		}
		image, err := remote.Image(tag, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
		if err != nil {
			t.Fatal(err)
		}
		if file, err := image.ConfigFile(); err != nil || file.Architecture != arch {
			t.Errorf("under the tag, %s is %+v, %v", arch, file, err)
		}
	}
}

func TestContainerOfBrokenSource(t *testing.T) {
	_, err := buildContainer(t.Context(), t.TempDir(), "./service", "amd64")
	if err == nil || !strings.Contains(err.Error(), "compile ./service for linux/amd64") {
		t.Errorf("got %v", err)
	}
}
