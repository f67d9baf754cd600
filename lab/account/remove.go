package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"shoplab/lab/result"
	"shoplab/lab/sweep"
	"shoplab/lab/sweep/bill"
	"shoplab/lab/target/aws"
)

// terminal is where a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

func (t terminal) say(format string, args ...any) { fmt.Fprintf(t.err, format+"\n", args...) }

// remove carries out lab sweep --remove: it deletes what an inventory finds of one stage, when Pulumi's state allows
// it and the user has typed the stage's name, and prints the receipt.
func remove(ctx context.Context, r aws.Request, t terminal) error {
	if len(r.Stages) != 1 {
		return fmt.Errorf("%d stages: a removal is of one", len(r.Stages))
	}
	stage := r.Stages[0]
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(r.Region))
	if err != nil {
		return fmt.Errorf("read AWS settings: %w", err)
	}
	t.say("looking for what the account has of %s", stage)
	receipt, err := sweep.Sweep(ctx, cfg, filter(r), func(string) {})
	if err != nil {
		return err
	}
	state, err := readState(ctx, r.Root, stage)
	if !receipt.Clean() {
		if err := allowed(r, state, err); err != nil {
			return err
		}
		for _, res := range receipt.Found {
			t.say("  %s", res)
		}
		t.say("%d resources of %s in account %s, region %s, would be deleted, with all their data. %s",
			len(receipt.Found), stage, receipt.Account, receipt.Region, priceOf(ctx, cfg, receipt.Found))
		if err := confirm(ctx, r, t); err != nil {
			return err
		}
		receipt, err = sweep.Remove(ctx, cfg, sweep.Removal{Filter: filter(r), Say: func(s string) { t.say("%s", s) }})
	} else {
		err = nil
	}
	err = errors.Join(err, printReceipt(t.out, receipt, r.JSON))
	if text := state.forget(stage); text != "" {
		t.say("%s", text)
	}
	if err == nil && !receipt.Clean() {
		err = fmt.Errorf("%d resources are left, for the reasons above: mend those and type the same again",
			len(receipt.Found))
	}
	return err
}

// allowed refuses a stage that Pulumi manages: pulumi destroy is the way to end that. unread is why the state could
// not be read.
func allowed(r aws.Request, s stackState, unread error) error {
	switch stage := r.Stages[0]; {
	case r.IgnoreState:
		return nil
	case unread != nil:
		return fmt.Errorf("whether Pulumi manages %s is not known (%w): look, and say --ignore-state if it does not", stage,
			unread)
	case s.resources > 0:
		return fmt.Errorf("the state of Pulumi lists %d resources of %s: `pulumi destroy%[3]s` deletes them, after an "+
			"interrupted update `pulumi cancel%[3]s` first; where that fails, --ignore-state deletes them here", s.resources,
			stage,
			selected(stage))
	}
	return nil
}

// confirm has the stage's name typed.
func confirm(ctx context.Context, r aws.Request, t terminal) error {
	if r.Yes {
		return nil
	}
	fmt.Fprint(t.err, "Type the stage's name to delete them: ")
	typed := make(chan string, 1)
	go func() { // a read cannot be interrupted, but left alone
		line, _ := bufio.NewReader(t.in).ReadString('\n')
		typed <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line := <-typed:
		if line != r.Stages[0] {
			return fmt.Errorf("nothing was deleted: %q is not %s (a script says --yes)", line, r.Stages[0])
		}
		return nil
	}
}

// priceOf says what the resources cost a day, as far as that is known.
func priceOf(ctx context.Context, cfg awssdk.Config, found []sweep.Resource) string {
	e, err := bill.Of(ctx, cfg, found)
	if err != nil {
		return fmt.Sprintf("What they cost is not known: %v.", err)
	}
	least := ""
	if e.LowerBound() {
		least = "at least "
	}
	return fmt.Sprintf("They cost %s%.2f USD a day (list prices of %s, %s).", least, e.Daily(), e.PriceDate, e.Region)
}

// removeLeft deletes what a run's stages left. The run brought them up itself, so nobody is asked, and Pulumi had its
// turn.
func removeLeft(ctx context.Context, r aws.Request, say func(string)) (all result.Sweep, err error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(r.Region))
	if err != nil {
		return all, fmt.Errorf("read AWS settings: %w", err)
	}
	var receipts []string
	all.Clean = true
	for _, stage := range r.Stages {
		receipt, err := sweep.Remove(ctx, cfg, sweep.Removal{Filter: sweep.Filter{Stages: []string{stage}}, Say: say})
		if err != nil {
			return all, fmt.Errorf("delete what is left of %s: %w", stage, err)
		}
		s := forResult(receipt)
		all.CheckedAt, all.Clean = s.CheckedAt, all.Clean && s.Clean
		all.Left, all.Removed = append(all.Left, s.Left...), append(all.Removed, s.Removed...)
		receipts = append(receipts, s.Receipt)
		if state, err := readState(ctx, r.Root, stage); err == nil {
			if text := state.forget(stage); text != "" {
				say(text)
			}
		}
	}
	all.Receipt = strings.Join(receipts, "\n")
	return all, nil
}
