package platform

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

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
	if err == nil {
		err = checkExpiry(c.Expires)
	}
	return Config{c}, err
}

// checkExpiry refuses an end that has passed.
func checkExpiry(expires string) error {
	at, err := time.Parse(time.RFC3339, expires)
	if expires == "" || err == nil && at.After(now()) {
		return nil
	}
	return fmt.Errorf("shoplab:expires is %s, which has passed: set a later time, or none (pulumi config rm expires)",
		expires)
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
