package paging

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// book has pages; from broken on, if that is not 0, it cannot be read.
type book struct{ at, pages, broken int }

func (b *book) HasMorePages() bool { return b.at < b.pages }

var errTorn = errors.New("torn")

func (b *book) NextPage(context.Context, ...func(*struct{})) (int, error) {
	b.at++
	if b.at == b.broken {
		return 0, errTorn
	}
	return b.at, nil
}

func TestPages(t *testing.T) {
	for _, c := range []struct {
		book  book
		until int // where the reader stops; 0: at the end
		want  []int
		err   error
	}{
		{book: book{pages: 3}, want: []int{1, 2, 3}},
		{book: book{pages: 3}, until: 2, want: []int{1, 2}},
		{book: book{pages: 3, broken: 2}, want: []int{1}, err: errTorn},
		{},
	} {
		var got []int
		var last error
		for page, err := range Pages(t.Context(), &c.book) {
			if last = err; err != nil {
				continue // and nothing comes after it
			}
			got = append(got, page)
			if page == c.until {
				break
			}
		}
		if !slices.Equal(got, c.want) || !errors.Is(last, c.err) {
			t.Errorf("%+v: pages %v, %v; want %v, %v", c.book, got, last, c.want, c.err)
		}
	}
}
