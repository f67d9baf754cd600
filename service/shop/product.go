package shop

import (
	"cmp"
	"context"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Currency is the only currency of this shop, in Stripe's spelling (ISO 4217, lower case).
const Currency = "usd"

// Product is one article of the catalog. Stock is what can still be ordered.
type Product struct {
	ID          int64
	Name        string
	Description string
	Category    string
	PriceCents  int64
	Stock       int
	ImageURL    string
	CreatedAt   time.Time
}

// Category is a category's name and how many products it has.
type Category struct {
	Name  string
	Count int
}

// Sort is an order of the product list. Ties are broken by id, so each is total.
type Sort string

// The sort orders, in the API's words.
const (
	SortNewest    Sort = "newest"
	SortPrice     Sort = "price"
	SortPriceDesc Sort = "-price"
	SortName      Sort = "name"
)

// ProductQuery selects a page of the catalog. Cursor is what the page before gave as NextCursor.
type ProductQuery struct {
	Search   string
	Category string
	Sort     Sort
	Limit    int
	Cursor   string
}

// ProductPage is a page of products. NextCursor is "" at the end.
type ProductPage struct {
	Items      []Product
	NextCursor string
}

// Catalog reads products. Implementations may be up to CatalogMaxAge behind.
type Catalog interface {
	// Products returns a page; CodeInvalidCursor if the cursor is not one of this query's sort.
	Products(ctx context.Context, q ProductQuery) (ProductPage, error)
	// Product returns one product or CodeNotFound.
	Product(ctx context.Context, id int64) (Product, error)
	// Categories returns all categories by name.
	Categories(ctx context.Context) ([]Category, error)
}

// CatalogMaxAge is how old a catalog answer may be: a price or stock change shows everywhere
// within this time. Checkout never reads through a cache.
const CatalogMaxAge = 2 * time.Second

// Normalize trims q and fills in its defaults: newest first, DefaultPageLimit. CodeInvalid for an
// unknown sort, a limit beyond 1..MaxPageLimit, or text that no product can contain.
func (q ProductQuery) Normalize() (ProductQuery, error) {
	q.Search = strings.Join(strings.Fields(q.Search), " ")
	q.Category = strings.TrimSpace(q.Category)
	q.Sort = cmp.Or(q.Sort, SortNewest)
	q.Limit = cmp.Or(q.Limit, DefaultPageLimit)
	var v validation
	v.check(utf8.RuneCountInString(q.Search) <= MaxSearchLength && ValidText(q.Search), "q",
		"Must be at most %d characters long.", MaxSearchLength)
	v.check(utf8.RuneCountInString(q.Category) <= MaxNameLength && ValidText(q.Category), "category",
		"Must be the name of a category.")
	v.check(slices.Contains([]Sort{SortNewest, SortPrice, SortPriceDesc, SortName}, q.Sort), "sort",
		"Must be newest, price, -price or name.")
	v.check(q.Limit >= 1 && q.Limit <= MaxPageLimit, "limit", "Must be between 1 and %d.", MaxPageLimit)
	return q, v.err()
}

// Words returns the words of the search, in lower case: runs of letters and digits, with "++" and "#"
// after one spelled out, as in C++ and C#. A product is found when its name, description and category hold each
// word, of which the last may be the beginning of one. Words as common as "the" count only in a search of nothing
// else.
func (q ProductQuery) Words() []string {
	return strings.FieldsFunc(strings.ToLower(signs.ReplaceAllStringFunc(q.Search, spelled)), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// signs are those that are part of a word. The index of a database has to spell them as Words does.
var signs = regexp.MustCompile(`[0-9A-Za-z](\+\+|#)`)

func spelled(word string) string {
	if letter, ok := strings.CutSuffix(word, "++"); ok {
		return letter + "plusplus"
	}
	return strings.TrimSuffix(word, "#") + "sharp"
}

// SortKey returns what p is sorted by in q's order, before its id.
func (q ProductQuery) SortKey(p Product) SortKey {
	switch q.Sort {
	case SortPrice, SortPriceDesc:
		return SortKey{Number: p.PriceCents}
	case SortName:
		return SortKey{Text: asciiLower(p.Name)}
	default:
		return SortKey{Number: p.CreatedAt.UnixMicro()}
	}
}

// Bounds of a time in a cursor, which every database can hold: the years 1 to 9999.
const (
	minMicro = -62_135_596_800_000_000
	maxMicro = 253_402_300_799_999_999
)

// SortKey is a value that products are sorted by: Text for SortName, the name with A-Z as a-z,
// compared byte by byte so that it is the same in every database; else Number, a price in cents or a time in
// microseconds since 1970, PostgreSQL's resolution.
type SortKey struct {
	Text   string
	Number int64
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// NextCursor returns the cursor of the page that begins after last.
func (q ProductQuery) NextCursor(last Product) string {
	key := q.SortKey(last)
	if q.Sort != SortName {
		key.Text = strconv.FormatInt(key.Number, 10)
	}
	return EncodeCursor(q.scope(), key.Text, last.ID)
}

// After returns the sort key and id that the page begins after. ok is false for the first page.
// CodeInvalidCursor if the cursor is not one of this query.
func (q ProductQuery) After() (key SortKey, id int64, ok bool, err error) {
	if q.Cursor == "" {
		return SortKey{}, 0, false, nil
	}
	text, id, err := DecodeCursor(q.scope(), q.Cursor)
	if err != nil {
		return SortKey{}, 0, false, err
	}
	if q.Sort == SortName {
		return SortKey{Text: text}, id, true, nil
	}
	least, most := int64(0), int64(math.MaxInt64)
	if q.Sort == SortNewest {
		least, most = minMicro, maxMicro
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return SortKey{}, 0, false, errCursor()
	}
	return SortKey{Number: n}, id, true, nil
}
