package shop

import (
	"testing"

	"pgregory.net/rapid"
)

func TestCursorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scope, key, id := rapid.String().Draw(t, "scope"), rapid.StringMatching(`[ -~äß中]{0,40}`).Draw(t, "key"),
			rapid.Int64Min(1).Draw(t, "id")
		cursor := EncodeCursor(scope, key, id)
		if k, i, err := DecodeCursor(scope, cursor); err != nil || k != key || i != id {
			t.Fatalf("got %q, %d, %v", k, i, err)
		}
		if other := rapid.String().Draw(t, "other"); other != scope {
			if _, _, err := DecodeCursor(other, cursor); CodeOf(err) != CodeInvalidCursor {
				t.Fatalf("a cursor of %q is taken for %q: %v", scope, other, err)
			}
		}
		// Any other character in any place is noticed.
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		b := []byte(cursor)
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		b[at] = rapid.SampledFrom([]byte(alphabet)).Draw(t, "letter")
		if string(b) != cursor {
			if _, _, err := DecodeCursor(scope, string(b)); CodeOf(err) != CodeInvalidCursor {
				t.Fatalf("%q was changed to %q, and taken", cursor, b)
			}
		}
	})
}

// A cursor can be forged, as its checksum has no secret. What it holds is still within bounds, so
// that no database has to refuse it.
func TestForgedCursors(t *testing.T) {
	for name, q := range map[string]ProductQuery{
		"a time beyond the database's": {Sort: SortNewest, Cursor: EncodeCursor("newest", "9223372036854775807", 1)},
		"a time before the database's": {Sort: SortNewest, Cursor: EncodeCursor("newest", "-9223372036854775808", 1)},
		"a price below nothing":        {Sort: SortPrice, Cursor: EncodeCursor("price", "-1", 1)},
		"a NUL":                        {Sort: SortName, Cursor: EncodeCursor("name", "a\x00", 1)},
		"no UTF-8":                     {Sort: SortName, Cursor: EncodeCursor("name", "\xff", 1)},
		"an id that nothing has":       {Sort: SortName, Cursor: EncodeCursor("name", "a", -1)},
	} {
		key, id, err := DecodeCursor(string(q.Sort), q.Cursor)
		if err == nil {
			q.Cursor = EncodeCursor(q.scope(), key, id)
			_, _, _, err = q.After()
		}
		if CodeOf(err) != CodeInvalidCursor {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseOrderCursor(EncodeCursor("orders", "", -1)); CodeOf(err) != CodeInvalidCursor {
		t.Errorf("an order below 1: %v", err)
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add("orders", "")
	f.Add("orders", OrderCursor(42))
	f.Add("orders", EncodeCursor("orders", "key", -1))
	f.Add("orders", EncodeCursor("orders", "key", 1))
	f.Add("x", "%%%")
	f.Fuzz(func(t *testing.T, scope, cursor string) {
		key, id, err := DecodeCursor(scope, cursor)
		if err != nil {
			if CodeOf(err) != CodeInvalidCursor {
				t.Fatalf("error is %v", err)
			}
			return
		}
		if k, i, err := DecodeCursor(scope, EncodeCursor(scope, key, id)); err != nil || k != key || i != id {
			t.Fatalf("%q: %q, %d become %q, %d, %v", cursor, key, id, k, i, err)
		}
	})
}

func FuzzProductQueryAfter(f *testing.F) {
	for _, sort := range []Sort{SortNewest, SortPrice, SortPriceDesc, SortName} {
		q := ProductQuery{Sort: sort}
		f.Add(string(sort), q.NextCursor(Product{ID: 7, Name: "Lamp", PriceCents: 100}))
	}
	f.Add("price", EncodeCursor(ProductQuery{Sort: SortPrice}.scope(), "no number", 1))
	f.Add("name", EncodeCursor(ProductQuery{Sort: SortName}.scope(), "a\x00", 1))
	f.Add("newest", EncodeCursor(ProductQuery{Sort: SortNewest}.scope(), "9223372036854775807", 1))
	f.Fuzz(func(t *testing.T, sort, cursor string) {
		q := ProductQuery{Sort: Sort(sort), Cursor: cursor}
		key, id, ok, err := q.After()
		switch {
		case err != nil && CodeOf(err) != CodeInvalidCursor:
			t.Fatalf("error is %v", err)
		case err == nil && ok && (!ValidText(key.Text) || id < 1):
			t.Fatalf("key %q of %d cannot be asked for", key.Text, id)
		case err == nil && ok && q.Sort == SortNewest && (key.Number < minMicro || key.Number > maxMicro):
			t.Fatalf("no database holds the time %d", key.Number)
		}
	})
}
