package cost

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
)

type offerProduct struct {
	SKU           string            `json:"sku"`
	ProductFamily string            `json:"productFamily"`
	Attributes    map[string]string `json:"attributes"`
}

type offerTerm struct {
	PriceDimensions map[string]struct {
		BeginRange   string            `json:"beginRange"`
		PricePerUnit map[string]string `json:"pricePerUnit"`
	} `json:"priceDimensions"`
}

// walkOffer streams an offer file: AmazonEC2's has hundreds of megabytes. Products come before
// terms in it. price is given a product's tiers.
func walkOffer(r io.Reader, product func(offerProduct), price func(sku string, tiers [][2]float64) error) error {
	d := json.NewDecoder(r)
	return eachKey(d, func(key string) error {
		switch key {
		case "products":
			return eachKey(d, func(string) error {
				var p offerProduct
				err := d.Decode(&p)
				product(p)
				return err
			})
		case "terms":
			return eachKey(d, func(kind string) error {
				if kind != "OnDemand" {
					return skip(d)
				}
				return eachKey(d, func(sku string) error {
					return eachKey(d, func(string) error {
						var t offerTerm
						if err := d.Decode(&t); err != nil {
							return err
						}
						tiers, err := t.tiers()
						if err != nil {
							return err
						}
						return price(sku, tiers)
					})
				})
			})
		}
		return skip(d)
	})
}

// tiers are the prices of a term by where they begin, in order. A first tier that is free is left out: what
// an account gets for nothing is the table's own.
func (t offerTerm) tiers() ([][2]float64, error) {
	var out [][2]float64
	for _, dim := range t.PriceDimensions {
		from, err := strconv.ParseFloat(cmp.Or(dim.BeginRange, "0"), 64)
		if err != nil {
			return nil, fmt.Errorf("begin of a price's range %q: %w", dim.BeginRange, err)
		}
		text, ok := dim.PricePerUnit["USD"]
		if !ok {
			continue // in another currency
		}
		usd, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("price %q: %w", text, err)
		}
		if usd > 0 {
			out = append(out, [2]float64{from, usd})
		}
	}
	slices.SortFunc(out, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
	return out, nil
}

// eachKey calls f at the value of each key of the object that comes next; f reads that value.
func eachKey(d *json.Decoder, f func(key string) error) error {
	if _, err := d.Token(); err != nil { // {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return fmt.Errorf("not a price list: %v where a key was expected", key)
		}
		if err := f(name); err != nil {
			return err
		}
	}
	_, err := d.Token() // }
	return err
}

func skip(d *json.Decoder) error {
	var ignored json.RawMessage
	return d.Decode(&ignored)
}
