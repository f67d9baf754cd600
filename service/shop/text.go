package shop

import (
	"regexp"
	"unicode/utf8"
)

// Character classes of text that comes in, written so that RE2, ECMA-262 (which JSON Schema names) and
// Python read them alike. PostgreSQL takes no NUL; the rest makes text look like what it is not.
const (
	// refused may be in no text: control characters, separators of lines and paragraphs, what embeds,
	// overrides or isolates a writing direction, zero-width spaces and joiners of words, interlinear
	// annotations, and tags.
	refused = `\x00-\x1f\x7f-\x9f` +
		"\u2028\u2029\u202a-\u202e\u2066-\u206f\u200b\u2060-\u2065\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
	// unseen shows nothing by itself: spaces, and characters that only tell how others are written, as
	// the joiners and direction marks of Arabic, Hebrew and Persian do.
	unseen = " \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f" +
		"\u200c-\u200f\u2800\u3164\ufe00-\ufe0f\uffa0"
)

// Patterns of the text that the shop takes, for its schemas.
const (
	// TextPattern is the pattern of all text.
	TextPattern = "^[^" + refused + "]*$"
	// NamePattern is the pattern of text that shows something, as a name has to.
	NamePattern = "^[^" + refused + "]*[^" + refused + unseen + "][^" + refused + "]*$"
)

var (
	text    = regexp.MustCompile(TextPattern)
	visible = regexp.MustCompile("[^" + refused + unseen + "]")
	hidden  = regexp.MustCompile("[" + refused + unseen + "]")
)

// ValidText is the one check of all text that comes in: valid UTF-8 that matches TextPattern. Each
// field has bounds of its own besides.
func ValidText(s string) bool { return utf8.ValidString(s) && text.MatchString(s) }
