package cost

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

//go:embed prices.json
var embedded []byte

// Table is a dated price list of one region.
type Table struct {
	Region   string           `json:"region"`
	Currency string           `json:"currency"`
	Date     string           `json:"date"` // when the prices were collected, YYYY-MM-DD
	Source   string           `json:"source"`
	Prices   map[string]Price `json:"prices"`
}

// Price is what one unit costs, on demand.
type Price struct {
	USD  float64 `json:"usd"`
	Unit string  `json:"unit"`
	// Free is how many units a month an account gets for nothing.
	Free float64 `json:"free,omitempty"`
	// Unverified marks a price that its source did not confirm.
	Unverified bool `json:"unverified,omitempty"`
	// Service and Match find the price in AWS's public price list; empty means that refresh keeps it.
	Service string            `json:"service,omitempty"`
	Match   map[string]string `json:"match,omitempty"`
}

// Prices returns the table that ships with the lab.
func Prices() (Table, error) { return parseTable(embedded) }

// ReadPrices returns the table in a file that Refresh wrote.
func ReadPrices(file string) (Table, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Table{}, fmt.Errorf("read prices: %w", err)
	}
	return parseTable(b)
}

func parseTable(b []byte) (Table, error) {
	var t Table
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("decode prices: %w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(t.Prices)) {
		if p := t.Prices[key]; p.USD <= 0 || p.Unit == "" {
			return t, fmt.Errorf("price %s: needs a positive usd and a unit", key)
		}
	}
	return t, nil
}
