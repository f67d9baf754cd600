package cost

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Money is an amount in millionths of a US dollar. Each line of an estimate is rounded once, to the
// nearest millionth; sums of lines are exact, in whatever order they are added.
type Money int64

const microsPerDollar = 1_000_000

// maxDollars is far above any bill; what is above it would lose digits in a float64, or overflow a sum.
const maxDollars = 1e9

// Dollars returns the nearest Money. ok is false for what no bill can be: NaN, or above a billion.
func Dollars(usd float64) (m Money, ok bool) {
	if !(math.Abs(usd) <= maxDollars) { // false for NaN
		return 0, false
	}
	return Money(math.Round(usd * microsPerDollar)), true
}

// USD is m for constants of tests and for what was checked before; it panics where Dollars would not be ok.
func USD(usd float64) Money {
	m, ok := Dollars(usd)
	if !ok {
		panic(fmt.Sprintf("cost: %g is no amount of money", usd))
	}
	return m
}

// Dollars is m in US dollars.
func (m Money) Dollars() float64 { return float64(m) / microsPerDollar }

// String is m in dollars and cents.
func (m Money) String() string { return strconv.FormatFloat(m.Dollars(), 'f', 2, 64) }

// MarshalJSON writes m as a number of dollars with all its digits.
func (m Money) MarshalJSON() ([]byte, error) {
	sign, n := "", int64(m)
	if n < 0 {
		sign, n = "-", -n
	}
	text := fmt.Sprintf("%s%d.%06d", sign, n/microsPerDollar, n%microsPerDollar)
	return []byte(strings.TrimSuffix(strings.TrimRight(text, "0"), ".")), nil
}

// UnmarshalJSON reads a number of dollars.
func (m *Money) UnmarshalJSON(text []byte) error {
	usd, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("amount of money %s: %w", text, err)
	}
	v, ok := Dollars(usd)
	if !ok {
		return fmt.Errorf("amount of money %s: too large", text)
	}
	*m = v
	return nil
}
