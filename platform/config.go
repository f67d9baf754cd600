package platform

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/stack"
)

// Config is the configuration of a stack, with what the platform makes of it.
type Config struct{ stack.Config }

// loadConfig reads and checks the stack's configuration. The error lists every problem.
func loadConfig(ctx *pulumi.Context) (Config, error) {
	values := stack.Values{}
	for _, key := range stack.Keys() {
		if text, set := ctx.GetConfig(key); set {
			values[key] = stack.Value{Text: text, Secret: ctx.IsConfigSecret(key)}
		}
	}
	if err := addUnknown(values, os.Getenv(pulumi.EnvConfig)); err != nil {
		return Config{}, err
	}
	c, err := stack.Read(ctx.Stack(), values)
	return Config{c}, err
}

// addUnknown adds this project's keys that are set and that nothing reads, for stack.Read to refuse.
func addUnknown(values stack.Values, environment string) error {
	set := map[string]string{}
	if environment == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(environment), &set); err != nil {
		return fmt.Errorf("%s is not JSON: %w", pulumi.EnvConfig, err)
	}
	for key := range set {
		if _, known := values[key]; !known && strings.HasPrefix(key, stack.Namespace+":") {
			values[key] = stack.Value{}
		}
	}
	return nil
}
