package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"shoplab/lab/program"
	"shoplab/lab/result"
)

// account is the program lab/account, which has the AWS clients. What it is asked to do are its first argument and
// the Request as JSON in its second.
type account struct {
	path string
	say  func(string)
}

// What the program lab/account can be asked to do.
const (
	AskEmulated = "emulated" // prints whether the account is an emulated one
	AskUsage    = "usage"    // prints what CloudWatch measured, []result.Usage
	AskReceipt  = "receipt"  // sweeps until nothing is found or patience ends; prints a result.Sweep
	AskRemove   = "remove"   // deletes what a run's stages left; prints a result.Sweep
	AskBreak    = "break"    // does Request.Act to a stage that is up, until it is whole again; prints what was done
	AskSweep    = "sweep"    // does what lab sweep is typed for, and prints for a person
)

// Request says what the program lab/account is to do.
type Request struct {
	Region string
	// Stages are the stages to look at; of usage, exactly one; of a sweep, none means all.
	Stages []string `json:",omitempty"`
	// Root is the repository, From and Length the time that usage is asked about.
	Root   string        `json:",omitempty"`
	From   time.Time     `json:",omitzero"`
	Length time.Duration `json:",omitempty"`
	// Act is what is done to the one stage, and Instances how many it has if not as many as its file says.
	Act       Act `json:",omitempty"`
	Instances int `json:",omitempty"`
	// Expired leaves out of a sweep what has no "expires" tag in the past. JSON prints the receipt as such.
	Expired bool `json:",omitempty"`
	JSON    bool `json:",omitempty"`
	// Remove deletes what a sweep of one stage finds: after a question unless Yes, and if Pulumi's state lists none of
	// it unless IgnoreState. It keeps snapshots and machine images unless Backups.
	Remove      bool `json:",omitempty"`
	Yes         bool `json:",omitempty"`
	IgnoreState bool `json:",omitempty"`
	Backups     bool `json:",omitempty"`
}

// Sweep carries out lab sweep, with the command's own input and output. It ends with a program.Exit unless
// nothing was found.
func Sweep(ctx context.Context, path string, r Request, stdin io.Reader, stdout, stderr io.Writer) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("say what to sweep: %w", err)
	}
	return program.Run(ctx, stdin, stdout, stderr, path, AskSweep, string(text))
}

// ask reads the program's answer into a value.
func (a account) ask(ctx context.Context, what string, r Request, into any) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("ask AWS: %w", err)
	}
	out, err := program.Output(ctx, a.say, strings.NewReader(""), a.path, what, string(text))
	if err != nil {
		return fmt.Errorf("ask AWS: %w", err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("read the answer to %s: %w", what, err)
	}
	return nil
}

func (a account) emulated(ctx context.Context) (is bool, err error) {
	return is, a.ask(ctx, AskEmulated, Request{}, &is)
}

func (a account) usage(ctx context.Context, r Request) (all []result.Usage, err error) {
	return all, a.ask(ctx, AskUsage, r, &all)
}

func (a account) receipt(ctx context.Context, r Request) (s result.Sweep, err error) {
	return s, a.ask(ctx, AskReceipt, r, &s)
}

func (a account) remove(ctx context.Context, r Request) (s result.Sweep, err error) {
	return s, a.ask(ctx, AskRemove, r, &s)
}
