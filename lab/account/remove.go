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
	state, unread := readState(ctx, r.Root, stage)
	if rest, _ := divided(receipt.Found); len(rest) > 0 || r.Backups && !receipt.Clean() {
		if err := allowed(r, state, unread); err != nil {
			return err
		}
	}
	if !receipt.Clean() {
		if err := offer(ctx, cfg, r, receipt, t); err != nil {
			return err
		}
		receipt, err = sweep.Remove(ctx, cfg, sweep.Removal{
			Filter: filter(r), Backups: r.Backups, Say: func(s string) { t.say("%s", s) },
		})
	}
	err = errors.Join(err, printReceipt(t.out, receipt, r.JSON))
	if text := state.forget(stage); text != "" {
		t.say("%s", text)
	}
	if err == nil && !receipt.Clean() {
		err = notClean(receipt, r.Backups)
	}
	return err
}

// offer lists what was found, and what of it would be deleted and what it costs, and asks whether it is to be. Where
// nothing would be deleted, nobody is asked.
func offer(ctx context.Context, cfg awssdk.Config, r aws.Request, receipt sweep.Receipt, t terminal) error {
	going, saved := divided(receipt.Found)
	price := ""
	if len(going) > 0 {
		price = " " + priceOf(ctx, cfg, going)
	}
	if r.Backups {
		going = receipt.Found
	}
	for _, res := range receipt.Found {
		t.say("  %s", res)
	}
	if len(saved) > 0 {
		fate := "kept; --backups deletes them too"
		if r.Backups {
			fate = "to go too"
		}
		t.say("%d of these are snapshots and machine images that somebody made: %s. %s", len(saved), fate,
			priceOfBackups(ctx, cfg, saved))
	}
	if len(going) == 0 {
		return nil
	}
	t.say("%d resources of %s in account %s, region %s, would be deleted, with all their data.%s", len(going), r.Stages[0],
		receipt.Account, receipt.Region, price)
	return confirm(ctx, r, t)
}

// divided tells snapshots and machine images, which somebody saved, from the rest.
func divided(found []sweep.Resource) (rest, saved []sweep.Resource) {
	for _, res := range found {
		if res.Backup() {
			saved = append(saved, res)
		} else {
			rest = append(rest, res)
		}
	}
	return rest, saved
}

// notClean says what to do about what a removal has left.
func notClean(receipt sweep.Receipt, backups bool) error {
	rest, saved := divided(receipt.Found)
	if len(rest) > 0 || backups {
		return fmt.Errorf("%d resources are left, for the reasons above: mend those and type the same again",
			len(receipt.Found))
	}
	return fmt.Errorf("nothing is left but %d snapshots and machine images, which cost something as long as they are "+
		"there: the same with --backups deletes them too", len(saved))
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

// priceOfBackups says what backups cost at most, as far as that is known.
func priceOfBackups(ctx context.Context, cfg awssdk.Config, kept []sweep.Resource) string {
	e, err := bill.Backups(ctx, cfg, kept)
	if err != nil {
		return fmt.Sprintf("What they cost is not known: %v.", err)
	}
	unknown := ""
	if n := len(e.Unknown); n > 0 {
		unknown = fmt.Sprintf(", beside %d whose size is not told", n)
	}
	return fmt.Sprintf("They cost up to %.2f USD a day%s (list prices of %s, %s).", e.Daily(), unknown, e.PriceDate,
		e.Region)
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
