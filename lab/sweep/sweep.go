// Package sweep takes the inventory of an AWS account: everything that carries the project's tags,
// by the tagging API and, for what that API does not list or lists too long, by each service. It
// only reads.
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
	ID      string            `json:"id"` // ARN where there is one
	Tags    map[string]string `json:"tags,omitempty"`
}

// Receipt is the outcome of a sweep.
type Receipt struct {
	CheckedAt time.Time  `json:"checked_at"`
	Region    string     `json:"region"`
	Account   string     `json:"account"`
	Services  []string   `json:"services"` // what was asked, the tagging API first
	Found     []Resource `json:"found"`
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
	var out []Resource
	for _, r := range all {
		if f.matches(r) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b Resource) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b Resource) bool { return a.ID == b.ID })
}

func (f Filter) matches(r Resource) bool {
	if len(f.Stages) > 0 && !slices.ContainsFunc(f.Stages, func(s string) bool { return r.Tags["stage"] == s || ofStage(r.ID, s) }) {
		return false
	}
	if f.ExpiredAt.IsZero() {
		return true
	}
	expires, err := time.Parse(time.RFC3339, r.Tags["expires"])
	return err == nil && !expires.After(f.ExpiredAt)
}

// ofStage recognises by its name what carries no tags, such as a dashboard or a log group that came
// back after teardown.
func ofStage(id, stage string) bool {
	return slices.Contains(strings.FieldsFunc(id, func(r rune) bool { return r == '-' || r == '/' || r == ':' }), stage)
}

// named tells whether an untagged name is the project's.
func named(name string) bool {
	return strings.HasPrefix(name, Project+"-") || strings.Contains(name, "/"+Project)
}

// String is the receipt as a person reads it.
func (r Receipt) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Inventory of account %s in %s at %s\nasked: %s\n",
		r.Account, r.Region, r.CheckedAt.Format(time.RFC3339), strings.Join(r.Services, ", "))
	for _, res := range r.Found {
		fmt.Fprintf(&b, "  %s", res.ID)
		if stage := res.Tags["stage"]; stage != "" {
			fmt.Fprintf(&b, " (%s)", stage)
		}
		b.WriteByte('\n')
	}
	if r.Clean() {
		b.WriteString("found: nothing")
	} else {
		fmt.Fprintf(&b, "found: %d", len(r.Found))
	}
	return b.String()
}
