// Package sweep takes the inventory of an AWS account: everything that carries the project's tags, by the tagging API
// and, for what that API does not list or lists too long, by each service; and what AWS made behind it, by its owner or
// its name. Sweep only reads; Remove deletes what Sweep finds of one stage.
package sweep

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"
)

// Project is the value of the tag "project" and the prefix of names that cannot carry tags.
const Project = "shoplab"

// Filter narrows a sweep.
type Filter struct {
	Stages []string // only these stages; none means all
	// ExpiredAt leaves out what has no "expires" tag or one after this time; zero means all.
	ExpiredAt time.Time
}

// Resource is something that exists.
type Resource struct {
	Service string            `json:"service"`
	ID      string            `json:"id"` // ARN
	Tags    map[string]string `json:"tags,omitempty"`
	// Stage is the tag "stage" or, of what carries no tags, the stage that its owner or its name tells.
	Stage string `json:"stage,omitempty"`
	// Owner says how something without the project's tags was found: "by its name", "of i-0123".
	Owner string `json:"owner,omitempty"`
	// Reason is why it could not be deleted, in a receipt of Remove.
	Reason string `json:"reason,omitempty"`

	name string // whose parts tell the stage, where the ARN's do not
}

// Kind is the resource's service and type, as its ARN spells them, such as "rds:db", and what follows the type.
func (r Resource) Kind() (kind, name string) { return kindOf(r.ID) }

// Receipt is the outcome of a sweep.
type Receipt struct {
	CheckedAt time.Time  `json:"checked_at"`
	Region    string     `json:"region"`
	Account   string     `json:"account"`
	Services  []string   `json:"services"` // what was asked, the tagging API first
	Found     []Resource `json:"found"`
	Removed   []Resource `json:"removed,omitempty"` // by Remove, in the order in which they were gone
}

// Clean tells whether nothing was found.
func (r Receipt) Clean() bool { return len(r.Found) == 0 }

// finder lists the project's resources of one service.
type finder struct {
	service string
	find    func(context.Context) ([]Resource, error)
}

// Sweep asks every service at once. One that cannot be asked is an error: a sweep that did not look
// everywhere must not call the account empty.
func Sweep(ctx context.Context, cfg aws.Config, f Filter, progress func(string)) (Receipt, error) {
	account, err := accountOf(ctx, cfg)
	if err != nil {
		return Receipt{}, fmt.Errorf("sign in to AWS: %w", err)
	}
	finders := finders(cfg, account)
	r := Receipt{CheckedAt: time.Now().UTC(), Region: cfg.Region, Account: account}
	found := make([][]Resource, len(finders))
	g, ctx := errgroup.WithContext(ctx)
	for i, one := range finders {
		r.Services = append(r.Services, one.service)
		g.Go(func() error {
			var err error
			if found[i], err = one.find(ctx); err != nil {
				return fmt.Errorf("ask %s: %w", one.service, err)
			}
			progress(fmt.Sprintf("%s: %d", one.service, len(found[i])))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return Receipt{}, err
	}
	r.Found = f.selected(slices.Concat(found...))
	return r, nil
}

// selected keeps what the filter asks for, each resource once, in order.
func (f Filter) selected(all []Resource) []Resource {
	stages := slices.Clone(f.Stages)
	for _, r := range all {
		stages = append(stages, r.Tags["stage"])
	}
	var out []Resource
	for _, r := range all {
		if r.Stage == "" {
			r.Stage = cmp.Or(r.Tags["stage"], stageOf(cmp.Or(r.name, r.ID), stages))
		}
		if f.matches(r) {
			out = append(out, r)
		}
	}
	// What is found by its tags and by its owner counts once, as what it is by its tags.
	slices.SortStableFunc(out, func(a, b Resource) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b Resource) bool { return a.ID == b.ID })
}

func (f Filter) matches(r Resource) bool {
	if len(f.Stages) > 0 && !slices.Contains(f.Stages, r.Stage) {
		return false
	}
	if f.ExpiredAt.IsZero() {
		return true
	}
	expires, err := time.Parse(time.RFC3339, r.Tags["expires"])
	return err == nil && !expires.After(f.ExpiredAt)
}

// byName says of a resource without tags how it was found.
const byName = "by its name"

// stageOf recognises by its name the stage of what carries no tags, such as a dashboard or a log group that came back
// after teardown: names of this project are shoplab-STAGE, shoplab-STAGE-REST or /shoplab/STAGE/REST. Where the name
// suits two stages, as that of shop-2 suits shop, it is the longer one's.
func stageOf(id string, stages []string) (stage string) {
	_, name, found := strings.Cut(id, Project+"/")
	if !found {
		if _, name, found = strings.Cut(id, Project+"-"); !found {
			return ""
		}
	}
	for _, s := range stages {
		rest, ok := strings.CutPrefix(name, s)
		if ok && len(s) > len(stage) && (rest == "" || rest[0] == '-' || rest[0] == '/') {
			stage = s
		}
	}
	return stage
}

// named tells whether an untagged name is the project's.
func named(name string) bool {
	return strings.HasPrefix(name, Project+"-") || strings.Contains(name, "/"+Project+"/") ||
		strings.Contains(name, "/"+Project+"-")
}

// String is the receipt as a person reads it.
func (r Receipt) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Inventory of account %s in %s at %s\nasked: %s\n",
		r.Account, r.Region, r.CheckedAt.Format(time.RFC3339), strings.Join(r.Services, ", "))
	for _, res := range r.Removed {
		fmt.Fprintf(&b, "  deleted %s\n", res)
	}
	if len(r.Removed) > 0 {
		fmt.Fprintf(&b, "deleted: %d\n", len(r.Removed))
	}
	for _, res := range r.Found {
		fmt.Fprintf(&b, "  %s\n", res)
	}
	if r.Clean() {
		b.WriteString("found: nothing")
	} else {
		fmt.Fprintf(&b, "found: %d", len(r.Found))
	}
	return b.String()
}

// String is the resource in a line: its ARN, its stage, and how it was found if not by its tags.
func (r Resource) String() string {
	text := r.ID
	var more []string
	for _, s := range []string{r.Stage, r.Owner} {
		if s != "" {
			more = append(more, s)
		}
	}
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}
