package platform

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ReleaseImage builds the service of the repository in dir for both architectures and pushes the images under one
// tag. It returns the reference by digest, which is one for shoplab:image.
func ReleaseImage(ctx context.Context, dir, repository, tag string, keys authn.Keychain) (string, error) {
	to, err := name.NewTag(repository + ":" + tag)
	if err != nil {
		return "", fmt.Errorf("name the image: %w", err)
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := buildContainer(ctx, dir, "./service", arch)
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	if err := remote.WriteIndex(to, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(keys)); err != nil {
		return "", fmt.Errorf("push the image to %s: %w", to, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return "", fmt.Errorf("compute the image's digest: %w", err)
	}
	return repository + "@" + digest.String(), nil
}
