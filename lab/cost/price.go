package cost

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

//go:embed prices.json
var embedded []byte

// Table is a dated price list of one region.
type Table struct {
	Region   string            `json:"region"`
	Currency string            `json:"currency"`
	Date     string            `json:"date"` // when the prices were collected, YYYY-MM-DD
	Source   string            `json:"source"`
	Sources  map[string]string `json:"sources,omitempty"` // what the prices' From stands for
	Prices   map[string]Price  `json:"prices"`
	// Families are prices that differ by a type or class alone, by the prefix of their keys: "ec2/".
	Families map[string]Family `json:"families,omitempty"`
	// elsewhere are tables of other regions, by region.
	elsewhere map[string]Table
}

// Price is what one unit costs, on demand.
type Price struct {
	USD  float64 `json:"usd"`
	Unit string  `json:"unit"`
	// Free is how many units a month an account gets for nothing.
	Free float64 `json:"free,omitempty"`
	// Tiers are the prices of what an account uses beyond an amount a month: [[10240, 0.085], ...].
	Tiers [][2]float64 `json:"tiers,omitempty"`
	// Global marks a price that is the same in every region.
	Global bool   `json:"global,omitempty"`
	From   string `json:"from,omitempty"` // key of the table's Sources
	// Unverified marks a price that its source did not confirm.
	Unverified bool `json:"unverified,omitempty"`
	// Service and Match find the price in AWS's public price list; empty means that refresh keeps it. A
	// usage type is matched without the prefix of its region.
	Service string            `json:"service,omitempty"`
	Match   map[string]string `json:"match,omitempty"`
}

// Family is prices of one unit by type. Of Match, the attribute with the value "*" is the type.
type Family struct {
	Unit       string             `json:"unit"`
	From       string             `json:"from,omitempty"`
	Service    string             `json:"service,omitempty"`
	Match      map[string]string  `json:"match,omitempty"`
	Unverified []string           `json:"unverified,omitempty"` // types whose price no source confirmed
	USD        map[string]float64 `json:"usd"`
}

// price is the price of an item, such as "alb/hour" or "ec2/t4g.small".
func (t Table) price(item string) (Price, bool) {
	if p, ok := t.Prices[item]; ok {
		return p, true
	}
	for prefix, f := range t.Families {
		typ, ok := strings.CutPrefix(item, prefix)
		if !ok {
			continue
		}
		if usd, ok := f.USD[typ]; ok {
			return Price{USD: usd, Unit: f.Unit, From: f.From, Unverified: slices.Contains(f.Unverified, typ)}, true
		}
	}
	return Price{}, false
}

// Beside returns t with the tables of further regions, for graphs that are in several.
func (t Table) Beside(others ...Table) (Table, error) {
	t.elsewhere = maps.Clone(t.elsewhere)
	for _, o := range others {
		if _, twice := t.elsewhere[o.Region]; twice || o.Region == t.Region {
			return t, fmt.Errorf("two price tables of %s", o.Region)
		}
		if t.elsewhere == nil {
			t.elsewhere = map[string]Table{}
		}
		t.elsewhere[o.Region] = o
	}
	return t, nil
}

// in returns the table of a region; "" is the table's own.
func (t Table) in(region string) (Table, bool) {
	if region == "" || region == t.Region {
		return t, true
	}
	other, ok := t.elsewhere[region]
	return other, ok
}

// Prices returns the table that ships with the lab.
func Prices() (Table, error) { return parseTable(embedded) }

// ReadPrices returns the table in a file that Refresh wrote.
func ReadPrices(file string) (Table, error) {
	f, err := os.Open(file)
	if err != nil {
		return Table{}, fmt.Errorf("read prices: %w", err)
	}
	defer func() { _ = f.Close() }()
	var t Table
	if err := json.NewDecoder(UTF8(f)).Decode(&t); err != nil {
		return Table{}, fmt.Errorf("decode prices in %s: %w", file, err)
	}
	if err := t.check(); err != nil {
		return Table{}, fmt.Errorf("prices in %s: %w", file, err)
	}
	return t, nil
}

func parseTable(b []byte) (Table, error) {
	var t Table
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("decode prices: %w", err)
	}
	return t, t.check()
}

func (t Table) check() error {
	if t.Region == "" || t.Currency != "USD" || len(t.Prices) == 0 {
		return errors.New("no price table: it needs a region, the currency USD, and prices")
	}
	for _, key := range slices.Sorted(maps.Keys(t.Prices)) {
		p := t.Prices[key]
		if p.USD <= 0 || p.Unit == "" || p.Free < 0 {
			return fmt.Errorf("price %s: needs a positive usd and a unit", key)
		}
		from := 0.0
		for _, tier := range p.Tiers {
			if tier[0] <= from || tier[1] <= 0 {
				return fmt.Errorf("price %s: tiers need ascending amounts and positive prices", key)
			}
			from = tier[0]
		}
	}
	for _, prefix := range slices.Sorted(maps.Keys(t.Families)) {
		for typ, usd := range t.Families[prefix].USD {
			if usd <= 0 {
				return fmt.Errorf("price %s%s: needs a positive usd", prefix, typ)
			}
		}
	}
	return nil
}

// of is what an account pays for an amount a month: nothing for what is free, then tier by tier.
func (p Price) of(amount float64) float64 {
	billed := func(from, to float64) float64 { return max(0, min(amount, to)-max(from, p.Free)) }
	from, usd, total := 0.0, p.USD, 0.0
	for _, tier := range p.Tiers {
		total += billed(from, tier[0]) * usd
		from, usd = tier[0], tier[1]
	}
	return total + max(0, amount-max(from, p.Free))*usd
}
