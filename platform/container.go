package platform

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"shoplab/contract"
)

// buildContainer compiles the Go package pkg of the module in dir for linux/arch and puts the
// static binary into an otherwise empty image: no shell, no package manager, not root. The same
// source and toolchain give the same digest on any machine: paths, times and version control
// information are left out.
func buildContainer(ctx context.Context, dir, pkg, arch string) (v1.Image, error) {
	binary, err := compile(ctx, dir, pkg, arch)
	if err != nil {
		return nil, err
	}
	content, err := rootFilesystem(binary)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression))
	if err != nil {
		return nil, fmt.Errorf("make the image's layer: %w", err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.Append(image, mutate.Addendum{
		Layer: layer, History: v1.History{CreatedBy: "go build " + pkg, Created: v1.Time{Time: time.Unix(0, 0).UTC()}},
	}); err != nil {
		return nil, fmt.Errorf("add the image's layer: %w", err)
	}
	user := strconv.Itoa(contract.UID)
	file, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the image's configuration: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", arch, v1.Time{Time: time.Unix(0, 0).UTC()}
	file.Config = v1.Config{
		Entrypoint: []string{"/shop"}, User: user + ":" + user, WorkingDir: "/", StopSignal: "SIGTERM",
		ExposedPorts: map[string]struct{}{
			fmt.Sprintf("%d/tcp", contract.Port): {}, fmt.Sprintf("%d/tcp", contract.AdminPort): {},
		},
		Labels: map[string]string{"org.opencontainers.image.title": "shoplab"},
	}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return nil, fmt.Errorf("configure the image: %w", err)
	}
	return image, nil
}

// compile returns the static binary of a Go package.
func compile(ctx context.Context, dir, pkg, arch string) ([]byte, error) {
	out, err := os.MkdirTemp("", "shoplab-image-*")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the binary: %w", err)
	}
	defer os.RemoveAll(out)
	binary := filepath.Join(out, "shop")
	//nolint:gosec // no shell; the caller is this program
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
		"-tags", contract.BuildTags,
		"-ldflags=-s -w -buildid=", "-o", binary, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch,
		"GOARM64=v8.0", "GOAMD64=v1", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=")
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile %s for linux/%s: %w\n%s", pkg, arch, err, bytes.TrimSpace(output))
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	return data, nil
}

// rootFilesystem is the layer's tar: the binary, the certificate authorities that browsers trust
// (ElastiCache and Stripe present certificates of theirs), and an account to run as.
func rootFilesystem(binary []byte) ([]byte, error) {
	var authorities bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil { // trusted for some certificates only, which a file cannot say
			continue
		}
		if err := pem.Encode(&authorities, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, fmt.Errorf("write the certificate authorities: %w", err)
		}
	}
	account := fmt.Sprintf("nonroot:x:%d:%d:nonroot:/:/shop\n", contract.UID, contract.UID)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range []struct {
		name    string
		mode    int64
		content []byte
	}{
		{"etc/", 0o755, nil},
		{"etc/passwd", 0o444, []byte(account)},
		{"etc/ssl/", 0o755, nil},
		{"etc/ssl/certs/", 0o755, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o444, authorities.Bytes()},
		{"shop", 0o555, binary},
	} {
		header := &tar.Header{
			Name: f.name, Mode: f.mode, Size: int64(len(f.content)),
			Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		}
		if f.content == nil {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("write %s to the image: %w", f.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, fmt.Errorf("write %s to the image: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("finish the image's layer: %w", err)
	}
	return out.Bytes(), nil
}

// pushContainer uploads the image unless the registry has it, and returns its reference by digest.
func pushContainer(ctx context.Context, image v1.Image, repository string, auth authn.Authenticator) (string, error) {
	digest, err := image.Digest()
	if err != nil {
		return "", fmt.Errorf("compute the image's digest: %w", err)
	}
	reference := repository + "@" + digest.String()
	byDigest, err := name.NewDigest(reference)
	if err != nil {
		return "", fmt.Errorf("name the image: %w", err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuth(auth)}
	if _, err := remote.Head(byDigest, options...); err == nil {
		return reference, nil
	}
	tag := byDigest.Context().Tag(digest.Hex[:12]) // registries may delete untagged images
	if err := remote.Write(tag, image, options...); err != nil {
		return "", fmt.Errorf("push the image to %s: %w", repository, err)
	}
	return reference, nil
}
