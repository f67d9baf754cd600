package platform

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// rolloutLimit is how long a new version may take to serve on every server or task.
const rolloutLimit = time.Hour

// rollout brings a resource from its old inputs to its new ones. say reports progress.
type rollout func(ctx context.Context, c aws.Config, update *pulumi.ResourceHookArgs, say func(string)) error

// before is a hook in which the program itself rolls out what an update changes, before the provider updates
// the resource. If that fails, so does the update, and the state keeps the version that runs: the next up
// tries again. The provider alone would report success and remember the version that failed.
func (c Config) before(
	ctx *pulumi.Context, name string, of pulumi.Resource, roll rollout,
) (*pulumi.ResourceHook, error) {
	return ctx.RegisterResourceHook(name, func(update *pulumi.ResourceHookArgs) error {
		// Pulumi interrupts the program when it is interrupted itself.
		interrupted, stop := signal.NotifyContext(ctx.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		limited, cancel := context.WithTimeout(interrupted, rolloutLimit)
		defer cancel()
		own, err := settings("aws")
		if err != nil {
			return err
		}
		client, err := clientConfig(limited, own)
		if err != nil {
			return err
		}
		said := ""
		err = roll(limited, client, update, func(line string) {
			if line != said {
				said = line
				_ = ctx.Log.Info(line, &pulumi.LogArgs{Resource: of}) // a line that is lost is no reason to fail
			}
		})
		switch {
		case interrupted.Err() != nil:
			return fmt.Errorf("interrupted; AWS goes on with the rollout, and the next up waits for its end: %w",
				interrupted.Err())
		case limited.Err() != nil:
			return fmt.Errorf("not done after %v; AWS goes on with the rollout, and the next up waits for its end: %w",
				rolloutLimit, limited.Err())
		}
		return err
	}, nil)
}

// awaiting calls look until it is done, less and less often.
func awaiting(ctx context.Context, look func() (done bool, err error)) error {
	for pause := time.Second; ; pause = min(pause*3/2, 10*time.Second) {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// textAt is the text at a path inside inputs, secret or not; empty if there is none.
func textAt(inputs resource.PropertyMap, path ...resource.PropertyKey) string {
	v := plain(resource.NewProperty(inputs))
	for _, key := range path {
		if !v.IsObject() {
			return ""
		}
		v = plain(v.ObjectValue()[key])
	}
	if !v.IsString() {
		return ""
	}
	return v.StringValue()
}

// plain is a value without what marks it as a secret or as an output.
func plain(v resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsOutput():
			v = v.OutputValue().Element
		default:
			return v
		}
	}
}
