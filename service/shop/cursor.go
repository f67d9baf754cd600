package shop

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// Page limits of every list.
const (
	DefaultPageLimit = 20
	MaxPageLimit     = 100
)

const cursorSumLen = 8

// EncodeCursor makes the opaque cursor of a keyset page: the sort key and the id of the last item.
// scope names the list and its order; DecodeCursor takes the cursor for the same scope only.
func EncodeCursor(scope, key string, id int64) string {
	b := make([]byte, cursorSumLen, cursorSumLen+binary.MaxVarintLen64+len(key))
	b = append(binary.AppendVarint(b, id), key...)
	copy(b, cursorSum(scope, b[cursorSumLen:]))
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor returns what EncodeCursor was given; CodeInvalidCursor for a cursor of another scope,
// one that was changed, or one that no list of a shop gives: ids begin with 1, and keys are text. The checksum has no
// secret: it tells mistakes from cursors, and somebody who forges one only chooses where in a public list to start.
func DecodeCursor(scope, cursor string) (key string, id int64, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) <= cursorSumLen {
		return "", 0, errCursor()
	}
	sum, body := b[:cursorSumLen], b[cursorSumLen:]
	if subtle.ConstantTimeCompare(sum, cursorSum(scope, body)) != 1 {
		return "", 0, errCursor()
	}
	id, n := binary.Varint(body)
	if n <= 0 || id < 1 || !ValidText(string(body[n:])) {
		return "", 0, errCursor()
	}
	return string(body[n:]), id, nil
}

func errCursor() error {
	return Errorf(CodeInvalidCursor, "The cursor is not one of this list; start again without it.")
}

func cursorSum(scope string, body []byte) []byte {
	h := sha256.New()
	// Hash never returns an error. The length keeps scope and body apart.
	_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(scope))))
	_, _ = h.Write([]byte(scope))
	_, _ = h.Write(body)
	return h.Sum(nil)[:cursorSumLen]
}

// PageLimit returns the page size to use: the default for 0, CodeInvalid beyond 1..MaxPageLimit.
func PageLimit(limit int) (int, error) {
	if limit == 0 {
		return DefaultPageLimit, nil
	}
	var v validation
	v.check(limit >= 1 && limit <= MaxPageLimit, "limit", "Must be between 1 and %d.", MaxPageLimit)
	return limit, v.err()
}

// OrderCursor is the cursor of the page after order id in a list of orders.
func OrderCursor(id int64) string { return EncodeCursor("orders", "", id) }

// ParseOrderCursor returns the id in an order cursor, or 0 for "".
func ParseOrderCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	_, id, err := DecodeCursor("orders", cursor)
	return id, err
}

// scope names what a cursor of q is good for: its sort, category and search.
func (q ProductQuery) scope() string {
	return strings.Join([]string{"products", string(q.Sort), q.Category, q.Search}, "\x00")
}
