package shoptest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"shoplab/service/shop"
)

// Products implements shop.Catalog.
func (s *Store) Products(ctx context.Context, q shop.ProductQuery) (shop.ProductPage, error) {
	unlock, err := s.lock(ctx)
	defer unlock()
	if err != nil {
		return shop.ProductPage{}, err
	}
	if q, err = q.Normalize(); err != nil {
		return shop.ProductPage{}, err
	}
	key, id, paged, err := q.After()
	if err != nil {
		return shop.ProductPage{}, err
	}
	after := func(p shop.Product) bool { return !paged || compare(q.Sort, q.SortKey(p), p.ID, key, id) > 0 }
	var found []shop.Product
	for _, p := range s.products {
		if !p.archived && (q.Category == "" || p.Category == q.Category) && matches(q, p.Product) && after(p.Product) {
			found = append(found, p.Product)
		}
	}
	slices.SortFunc(found, func(a, b shop.Product) int {
		return compare(q.Sort, q.SortKey(a), a.ID, q.SortKey(b), b.ID)
	})
	if len(found) <= q.Limit {
		return shop.ProductPage{Items: found}, nil
	}
	found = found[:q.Limit]
	return shop.ProductPage{Items: found, NextCursor: q.NextCursor(found[q.Limit-1])}, nil
}

func compare(sort shop.Sort, a shop.SortKey, aID int64, b shop.SortKey, bID int64) int {
	c := cmp.Or(strings.Compare(a.Text, b.Text), cmp.Compare(a.Number, b.Number), cmp.Compare(aID, bID))
	if sort == shop.SortNewest || sort == shop.SortPriceDesc {
		return -c
	}
	return c
}

func matches(q shop.ProductQuery, p shop.Product) bool {
	if q.Search == "" {
		return true
	}
	text := shop.ProductQuery{Search: p.Name + " " + p.Description + " " + p.Category}.Words()
	words := q.Words()
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1] // may be half typed
	if telling := slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return slices.Contains(common, w)
	}); len(telling) > 0 {
		words = telling
	}
	for _, w := range words {
		if !slices.ContainsFunc(text, func(t string) bool { return t == w || w == last && strings.HasPrefix(t, w) }) {
			return false
		}
	}
	return true
}

// common are words that tell nothing beside others. PostgreSQL knows some more.
var common = []string{"a", "an", "and", "for", "in", "of", "on", "s", "the", "to", "with"}
