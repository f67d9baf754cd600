package shop

import "math"

// times is n pieces at so many cents. A sum of money that is too large for an int64 stays at the
// largest: it is beyond MaxTotalCents in any case, and must not come out as a small one.
func times(cents int64, n int) int64 {
	if n > 0 && cents > math.MaxInt64/int64(n) {
		return math.MaxInt64
	}
	return cents * int64(n)
}

// plus is the sum of two amounts that are not negative, at most the largest int64.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
