package shoptest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"shoplab/service/shop"
)

// TestCatalog holds a shop.Catalog to its contract. newStore returns an empty one each time.
func TestCatalog(t *testing.T, newStore func(*testing.T) Backend) {
	t.Run("product", func(t *testing.T) { testProduct(t, newSuite(t, newStore)) })
	t.Run("pages", func(t *testing.T) { testPages(t, newSuite(t, newStore)) })
	t.Run("page while it changes", func(t *testing.T) { testMovingPages(t, newSuite(t, newStore)) })
	t.Run("cursor", func(t *testing.T) { testCursors(t, newSuite(t, newStore)) })
	t.Run("search", func(t *testing.T) { testSearch(t, newSuite(t, newStore)) })
	t.Run("invalid", func(t *testing.T) { testInvalidQueries(t, newSuite(t, newStore)) })
	t.Run("categories", func(t *testing.T) { testCategories(t, newSuite(t, newStore)) })
}

func testProduct(t *testing.T, s suite) {
	p := s.product("Lamp", 1999, 5)
	if p.ID == 0 || p.CreatedAt.IsZero() || p.CreatedAt.Location() != time.UTC {
		t.Fatalf("stored product is %+v", p)
	}
	got, err := s.Product(t.Context(), p.ID)
	s.must(err)
	if got != p {
		t.Fatalf("got %+v, want %+v", got, p)
	}
	_, err = s.Product(t.Context(), p.ID+1000)
	wantCode(t, err, shop.CodeNotFound)

	p.PriceCents, p.Stock = 2499, 7
	_, err = s.PutProduct(t.Context(), p)
	s.must(err)
	got, err = s.Product(t.Context(), p.ID)
	s.must(err)
	if got != p {
		t.Fatalf("changed product is %+v, want %+v", got, p)
	}
	s.wantStock(p, 7, 0, 0)
	p.ID += 1000
	_, err = s.PutProduct(t.Context(), p)
	wantCode(t, err, shop.CodeNotFound)
}

// catalog puts in products whose names, prices and times have ties, in two categories.
func (s suite) catalog(n int) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range n {
		name := fmt.Sprintf("%c thing %d", 'A'+rune(i*7%26), i/3)
		if i%2 == 0 {
			name = fmt.Sprintf("%c Thing %d", 'a'+rune(i*7%26), i/3)
		}
		_, err := s.PutProduct(s.ctx(), shop.Product{
			Name: name, Category: []string{"Even", "Odd"}[i%2], PriceCents: int64(i * 37 % 10 * 100), Stock: i,
			CreatedAt: start.Add(time.Duration(i*13%8) * time.Microsecond),
		})
		s.must(err)
	}
}

// walk reads all pages of q.
func (s suite) walk(q shop.ProductQuery) (all []shop.Product) {
	s.t.Helper()
	for {
		page, err := s.Products(s.ctx(), q)
		s.must(err)
		if len(page.Items) > q.Limit || (page.NextCursor != "" && len(page.Items) != q.Limit) {
			s.t.Fatalf("page of %d items, limit %d, next %q", len(page.Items), q.Limit, page.NextCursor)
		}
		all = append(all, page.Items...)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return all
		}
	}
}

func testPages(t *testing.T, s suite) {
	s.catalog(30)
	for _, sort := range []shop.Sort{shop.SortNewest, shop.SortPrice, shop.SortPriceDesc, shop.SortName} {
		for _, category := range []string{"", "Odd", "None"} {
			for _, limit := range []int{1, 4, 15, 30, 31} {
				t.Run(fmt.Sprintf("%s/%s/%d", sort, category, limit), func(t *testing.T) {
					q := shop.ProductQuery{Sort: sort, Category: category, Limit: limit}
					got := suite{s.Backend, t}.walk(q)
					if want := map[string]int{"": 30, "Odd": 15, "None": 0}[category]; len(got) != want {
						t.Fatalf("%d products, want %d", len(got), want)
					}
					if !slices.IsSortedFunc(got, func(a, b shop.Product) int {
						return compare(sort, q.SortKey(a), a.ID, q.SortKey(b), b.ID)
					}) {
						t.Fatalf("not sorted: %+v", got)
					}
					if len(slices.CompactFunc(slices.Clone(got), func(a, b shop.Product) bool { return a.ID == b.ID })) != len(got) {
						t.Fatal("a product comes twice")
					}
				})
			}
		}
	}
}

// testMovingPages asks for a page after the last item of the page before has moved: no item that
// stayed in place may be missing or come twice.
func testMovingPages(t *testing.T, s suite) {
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		s.product(name, 100, 1)
	}
	q := shop.ProductQuery{Sort: shop.SortName, Limit: 2}
	page, err := s.Products(t.Context(), q)
	s.must(err)
	moved := page.Items[1]
	moved.Name = "z"
	_, err = s.PutProduct(t.Context(), moved)
	s.must(err)
	q.Cursor = page.NextCursor
	var names []string
	for _, p := range s.walk(q) {
		names = append(names, p.Name)
	}
	if want := []string{"c", "d", "e", "z"}; !slices.Equal(names, want) {
		t.Fatalf("the rest is %v, want %v", names, want)
	}
}

func testCursors(t *testing.T, s suite) {
	s.catalog(9)
	q := shop.ProductQuery{Sort: shop.SortPrice, Limit: 3}
	page, err := s.Products(t.Context(), q)
	s.must(err)
	for name, other := range map[string]shop.ProductQuery{
		"another sort":     {Sort: shop.SortName, Cursor: page.NextCursor},
		"another category": {Sort: shop.SortPrice, Category: "Odd", Cursor: page.NextCursor},
		"another search":   {Sort: shop.SortPrice, Search: "thing", Cursor: page.NextCursor},
		"changed":          {Sort: shop.SortPrice, Cursor: "A" + page.NextCursor[1:]},
		"cut":              {Sort: shop.SortPrice, Cursor: page.NextCursor[:len(page.NextCursor)-2]},
		"no base64":        {Sort: shop.SortPrice, Cursor: "%%%"},
	} {
		t.Run(name, func(t *testing.T) {
			if other.Cursor == page.NextCursor && name == "changed" {
				other.Cursor = "B" + page.NextCursor[1:]
			}
			_, err := s.Products(t.Context(), other)
			wantCode(t, err, shop.CodeInvalidCursor)
		})
	}
	// The page size may change on the way.
	q.Cursor, q.Limit = page.NextCursor, 100
	rest, err := s.Products(t.Context(), q)
	s.must(err)
	if len(rest.Items) != 6 {
		t.Fatalf("%d items in the rest, want 6", len(rest.Items))
	}
}

func testSearch(t *testing.T, s suite) {
	for _, p := range []shop.Product{
		{Name: "Brass Desk Lamp", Description: "A warm, dimmable light.", Category: "Desk"},
		{Name: "Oak Shelf", Description: "For books and one lamp.", Category: "Home"},
		{Name: "Garden Chair", Description: "Folds flat.", Category: "Outdoors"},
		{Name: "Programming in C++", Description: "The language, from C++11 on.", Category: "Books"},
		{Name: "C# for Cooks", Description: "Salt/pepper, and a 3.5 mm jack.", Category: "Books"},
	} {
		_, err := s.PutProduct(t.Context(), p)
		s.must(err)
	}
	for _, tt := range []struct {
		q    string
		want []string
	}{
		{"lamp", []string{"Brass Desk Lamp", "Oak Shelf"}},
		{"LAMP", []string{"Brass Desk Lamp", "Oak Shelf"}},
		{"lam", []string{"Brass Desk Lamp", "Oak Shelf"}},
		{" desk   lamp ", []string{"Brass Desk Lamp"}},
		{"lamp,desk", []string{"Brass Desk Lamp"}},
		{"desk lam", []string{"Brass Desk Lamp"}},
		{"outdoors", []string{"Garden Chair"}},
		{"amp", nil},
		{"lamp chair", nil},
		{"the", []string{"Programming in C++"}},
		{"the lamp", []string{"Brass Desk Lamp", "Oak Shelf"}},
		{"a lamp for the desk", []string{"Brass Desk Lamp"}},
		{"C++", []string{"Programming in C++"}},
		{"c++11", []string{"Programming in C++"}},
		{"C#", []string{"C# for Cooks"}},
		{"3.5 mm", []string{"C# for Cooks"}},
		{"pepper", []string{"C# for Cooks"}},
		{"?!'", nil},
		{`'); DROP TABLE products; --`, nil},
		{"lamp:*&|!<->\\", []string{"Brass Desk Lamp", "Oak Shelf"}},
		{"", []string{"Brass Desk Lamp", "C# for Cooks", "Garden Chair", "Oak Shelf", "Programming in C++"}},
	} {
		t.Run(tt.q, func(t *testing.T) {
			var got []string
			for _, p := range (suite{s.Backend, t}).walk(shop.ProductQuery{Search: tt.q, Sort: shop.SortName, Limit: 1}) {
				got = append(got, p.Name)
			}
			if !slices.Equal(got, tt.want) {
				t.Fatalf("found %q, want %q", got, tt.want)
			}
		})
	}
	page, err := s.Products(t.Context(), shop.ProductQuery{Search: "lamp", Category: "Home"})
	s.must(err)
	if len(page.Items) != 1 || page.Items[0].Name != "Oak Shelf" {
		t.Fatalf("found %+v in a category", page.Items)
	}
}

func testInvalidQueries(t *testing.T, s suite) {
	for _, q := range []shop.ProductQuery{
		{Sort: "cheapest"}, {Limit: -1}, {Limit: 101}, {Search: "a\x00b"}, {Category: "a\x00b"}, {Search: "\xff"},
	} {
		_, err := s.Products(t.Context(), q)
		wantCode(t, err, shop.CodeInvalid)
	}
}

func testCategories(t *testing.T, s suite) {
	categories, err := s.Categories(t.Context())
	s.must(err)
	if len(categories) != 0 {
		t.Fatalf("an empty shop has categories: %v", categories)
	}
	s.catalog(5)
	categories, err = s.Categories(t.Context())
	s.must(err)
	if want := []shop.Category{{Name: "Even", Count: 3}, {Name: "Odd", Count: 2}}; !slices.Equal(categories, want) {
		t.Fatalf("categories are %v, want %v", categories, want)
	}
}
