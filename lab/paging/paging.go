// Package paging goes through what AWS answers page by page.
package paging

import (
	"context"
	"iter"
)

// Pager is a paginator of AWS's SDK for Go.
type Pager[Page, Options any] interface {
	HasMorePages() bool
	NextPage(ctx context.Context, change ...func(*Options)) (Page, error)
}

// Pages are all that a paginator has, one after the other. An error comes with no page, and is the last.
func Pages[Page, Options any](ctx context.Context, p Pager[Page, Options]) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		for p.HasMorePages() {
			page, err := p.NextPage(ctx)
			if !yield(page, err) || err != nil {
				return
			}
		}
	}
}
