// Command account does what takes AWS's clients: it sweeps an account for what the stages left, reads what
// CloudWatch measured, and breaks parts of a stage for lab faults. It is a program of its own because those clients
// take minutes to compile. lab starts it, with an aws.Request as JSON; nobody needs to do so by hand.
//
//	account emulated|usage|break|receipt|remove|sweep REQUEST
//
// Progress and errors go to standard error. Exit status 1: an error, or resources that sweep found.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/config"

	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target/aws"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: account emulated|usage|break|receipt|remove|sweep REQUEST; lab starts this program, see " +
			"lab sweep --help")
	}
	var r aws.Request
	if err := json.Unmarshal([]byte(args[1]), &r); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	var answer any
	var err error
	switch args[0] {
	case aws.AskEmulated:
		answer, err = emulated(ctx)
	case aws.AskUsage:
		answer, err = usage(ctx, r)
	case aws.AskBreak:
		answer, err = breakPart(ctx, r)
	case aws.AskReceipt:
		answer, err = receipt(ctx, r, func(s string) { fmt.Fprintln(stderr, s) })
	case aws.AskRemove:
		answer, err = removeLeft(ctx, r, func(s string) { fmt.Fprintln(stderr, s) })
	case aws.AskSweep:
		if r.Remove {
			return remove(ctx, r, terminal{stdin, stdout, stderr})
		}
		return inventory(ctx, r, stdout, stderr)
	default:
		return fmt.Errorf("%q: want emulated, usage, break, receipt, remove or sweep", args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(answer)
}

// emulated tells whether requests go elsewhere than to AWS.
func emulated(ctx context.Context) (bool, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return false, fmt.Errorf("read AWS settings: %w", err)
	}
	return cfg.BaseEndpoint != nil, nil
}

// usage is what CloudWatch measured of a stage that is up.
func usage(ctx context.Context, r aws.Request) ([]result.Usage, error) {
	if len(r.Stages) != 1 {
		return nil, fmt.Errorf("%d stages: want one", len(r.Stages))
	}
	declared, err := stage.Read(r.Root, r.Stages[0])
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(r.Region))
	if err != nil {
		return nil, fmt.Errorf("read AWS settings: %w", err)
	}
	wait := cloudPatience
	if cfg.BaseEndpoint != nil {
		wait = patience{} // nothing runs in an emulated account, and nothing is measured
	}
	return cloudUsage(ctx, cfg, declared, r.From, r.Length, wait)
}
