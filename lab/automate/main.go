// Command automate brings one stack up or down with Pulumi's Automation API, on the repository's own
// program and stacks. It is a program of its own because that API is 500 packages: only who measures
// on AWS compiles them. lab run starts it; nobody needs to do so by hand.
//
//	automate up ROOT STACK [KEY=VALUE...]       prints the stack's outputs as JSON
//	automate update ROOT STACK [KEY=VALUE...]   the same, of a stack that is up
//	automate down ROOT STACK
//
// Progress goes to standard error. Exit status 3: the stack is up already and was left alone.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"gopkg.in/yaml.v3"
)

// errInUse is wrapped for a stack that has resources already. Somebody else may use them, and a run loads a stage
// beyond its limit and destroys it afterwards.
var errInUse = errors.New("the stack is up already")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errInUse):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, progress io.Writer) error {
	if len(args) < 3 {
		return errors.New("usage: automate up|update|down ROOT STACK [KEY=VALUE...]")
	}
	verb, root, name := args[0], args[1], args[2]
	st, err := auto.UpsertStackLocalSource(ctx, name, root)
	if err != nil {
		return fmt.Errorf("select the stack: %w", hint(err))
	}
	switch verb {
	case "up":
		if err := unused(ctx, st); err != nil {
			return err
		}
		return up(ctx, st, root, args[3:], stdout, progress)
	case "update":
		return up(ctx, st, root, args[3:], stdout, progress)
	case "down":
		return down(ctx, st, progress)
	default:
		return fmt.Errorf("%q: want up, update or down", verb)
	}
}

// unused refuses a stack that has resources.
func unused(ctx context.Context, st auto.Stack) error {
	info, err := st.Info(ctx)
	if err != nil {
		return fmt.Errorf("look at the stack: %w", hint(err))
	}
	// The stack itself counts as one resource.
	if info.ResourceCount != nil && *info.ResourceCount > 1 {
		return fmt.Errorf("%w: %s has %d resources; `pulumi destroy -s %s` it first, or measure it with lab load",
			errInUse, st.Name(), *info.ResourceCount, st.Name())
	}
	return nil
}

// up brings the stack up with more configuration than its file has: the file itself stays as it is.
func up(ctx context.Context, st auto.Stack, root string, more []string, stdout, progress io.Writer) error {
	config, err := writeConfig(filepath.Join(root, "Pulumi."+st.Name()+".yaml"), more)
	if err != nil {
		return err
	}
	res, err := st.Up(ctx, optup.ConfigFile(config), optup.ProgressStreams(progress), optup.SuppressOutputs())
	if err = errors.Join(err, os.Remove(config)); err != nil {
		return fmt.Errorf("pulumi up: %w", hint(err))
	}
	outputs := map[string]any{}
	for name, o := range res.Outputs {
		if !o.Secret {
			outputs[name] = o.Value
		}
	}
	return json.NewEncoder(stdout).Encode(outputs)
}

// writeConfig writes a copy of a stack's configuration with more keys, readable by this user only.
func writeConfig(name string, more []string) (string, error) {
	data, err := os.ReadFile(name) //nolint:gosec // the file that the caller names
	if err != nil {
		return "", fmt.Errorf("read the stack's configuration: %w", err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(data, &file); err != nil {
		return "", fmt.Errorf("read %s: %w", filepath.Base(name), err)
	}
	config, ok := file["config"].(map[string]any)
	if !ok {
		return "", fmt.Errorf("read %s: no config in it", filepath.Base(name))
	}
	for _, pair := range more {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return "", fmt.Errorf("%q: want KEY=VALUE", pair)
		}
		config[key] = value
	}
	if data, err = yaml.Marshal(file); err != nil {
		return "", fmt.Errorf("write the run's configuration: %w", err)
	}
	f, err := os.CreateTemp("", "shoplab-*.yaml")
	if err != nil {
		return "", fmt.Errorf("write the run's configuration: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write the run's configuration: %w", err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// down destroys everything in the stack. The stack itself stays, empty, with its history.
func down(ctx context.Context, st auto.Stack, progress io.Writer) error {
	// After an interrupted update the stack may still be locked by it, and that was this run's.
	if err := st.Cancel(ctx); err != nil && ctx.Err() == nil {
		_, _ = fmt.Fprintf(progress, "no update to cancel (%v)\n", firstLine(err)) // destroy will say more
	}
	if _, err := st.Destroy(ctx, optdestroy.ProgressStreams(progress), optdestroy.SuppressOutputs()); err != nil {
		return fmt.Errorf("pulumi destroy: %w", hint(err))
	}
	return nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// hint adds what to do to errors that a first run meets.
func hint(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "executable file not found"):
		return fmt.Errorf("%w (install the Pulumi CLI: https://www.pulumi.com/docs/install/)", err)
	case strings.Contains(text, "PULUMI_ACCESS_TOKEN"):
		return fmt.Errorf("%w (or `pulumi login --local`)", err)
	case strings.Contains(text, "passphrase must be set"):
		return fmt.Errorf("%w (set PULUMI_CONFIG_PASSPHRASE)", err)
	}
	return err
}
