// Command release builds the service's image for both architectures, as the stages do, and pushes it to a registry
// that `docker login` or `crane auth login` has signed in to. The release workflow runs it.
//
//	release REPOSITORY TAG     such as ghcr.io/owner/shoplab v0.1.0
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/google/go-containerregistry/pkg/authn"

	"shoplab/platform"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: go run ./platform/release REPOSITORY TAG, in the repository's folder")
	}
	reference, err := platform.ReleaseImage(ctx, ".", args[0], args[1], authn.DefaultKeychain)
	if err != nil {
		return err
	}
	fmt.Println(reference)
	return nil
}
