package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"shoplab/lab/result"
	"shoplab/lab/sweep"
	"shoplab/lab/target/aws"
	"shoplab/lab/watch"
)

// errNotEmpty makes the exit status tell a script that something is left.
var errNotEmpty = errors.New("the account is not empty: pulumi destroy the stacks above, or lab sweep --remove what " +
	"they left, with --backups the snapshots and machine images too")

// inventory carries out lab sweep and prints the receipt.
func inventory(ctx context.Context, r aws.Request, stdout, stderr io.Writer) error {
	take, err := sweeper(ctx, r, func(s string) { fmt.Fprintln(stderr, s) })
	if err != nil {
		return err
	}
	receipt, err := take(ctx)
	if err != nil {
		return err
	}
	err = printReceipt(stdout, receipt, r.JSON)
	if err == nil && !receipt.Clean() {
		err = errNotEmpty
	}
	return err
}

func printReceipt(w io.Writer, receipt sweep.Receipt, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(receipt)
	}
	_, err := fmt.Fprintln(w, receipt.String())
	return err
}

// sweeper is a sweep as requested.
func sweeper(
	ctx context.Context, r aws.Request, say func(string),
) (func(context.Context) (sweep.Receipt, error), error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(r.Region))
	if err != nil {
		return nil, fmt.Errorf("read AWS settings: %w", err)
	}
	f := filter(r)
	return func(ctx context.Context) (sweep.Receipt, error) { return sweep.Sweep(ctx, cfg, f, say) }, nil
}

func filter(r aws.Request) sweep.Filter {
	f := sweep.Filter{Stages: r.Stages}
	if r.Expired {
		f.ExpiredAt = time.Now()
	}
	return f
}

// AWS's lists are consistent eventually: what was deleted a moment ago may still be among them.
const (
	sweepPatience = 5 * time.Minute
	sweepEvery    = 20 * time.Second
)

// settled sweeps until nothing is found but backups, which stay, or patience ends.
func settled(
	ctx context.Context, take func(context.Context) (sweep.Receipt, error), say func(string),
) (sweep.Receipt, error) {
	for deadline := time.Now().Add(sweepPatience); ; {
		r, err := take(ctx)
		going, _ := divided(r.Found)
		if err != nil || len(going) == 0 || !time.Now().Before(deadline) {
			return r, err
		}
		say(fmt.Sprintf("%d resources are still listed, such as %s; asking again", len(going), going[0].ID))
		if !watch.Until(ctx, time.Now().Add(sweepEvery)) {
			return r, nil
		}
	}
}

// receipt sweeps for what a run's stages left, until nothing is found or patience ends.
func receipt(ctx context.Context, r aws.Request, say func(string)) (result.Sweep, error) {
	take, err := sweeper(ctx, r, func(string) {})
	if err != nil {
		return result.Sweep{}, err
	}
	found, err := settled(ctx, take, say)
	if err != nil {
		return result.Sweep{}, err
	}
	return forResult(found), nil
}

// forResult is a receipt as a result has it.
func forResult(r sweep.Receipt) result.Sweep {
	s := result.Sweep{CheckedAt: r.CheckedAt, Clean: r.Clean(), Receipt: r.String()}
	for _, resource := range r.Found {
		s.Left = append(s.Left, resource.ID)
	}
	for _, resource := range r.Removed {
		s.Removed = append(s.Removed, resource.ID)
	}
	return s
}
