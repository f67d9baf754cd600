package cost

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// OfferURL is where AWS publishes its price list, without credentials.
const OfferURL = "https://pricing.us-east-1.amazonaws.com"

// Refresh returns t with every price that AWS's public price list has, dated now. Prices without
// a lookup stay as they are. A lookup that finds no price, or two different ones, is an error:
// half a refresh would look like a whole one.
func (t Table) Refresh(ctx context.Context, base string, now time.Time, progress func(string)) (Table, error) {
	out := t
	out.Prices = maps.Clone(t.Prices)
	byService := map[string][]string{}
	for key, p := range t.Prices {
		if p.Service != "" {
			byService[p.Service] = append(byService[p.Service], key)
		}
	}
	for _, service := range slices.Sorted(maps.Keys(byService)) {
		progress("reading the price list of " + service)
		if err := out.refreshService(ctx, base, service, byService[service]); err != nil {
			return t, fmt.Errorf("refresh prices of %s: %w", service, err)
		}
	}
	out.Date = now.UTC().Format(time.DateOnly)
	out.Source = "AWS public price list, " + base
	return out, nil
}

func (t Table) refreshService(ctx context.Context, base, service string, keys []string) error {
	url := base + "/offers/v1.0/aws/" + service + "/current/" + t.Region + "/index.json"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	skus := map[string]string{} // SKU -> key
	found := map[string]float64{}
	err = walkOffer(resp.Body, func(p offerProduct) {
		for _, key := range keys {
			if p.matches(t.Prices[key].Match) {
				skus[p.SKU] = key
			}
		}
	}, func(sku string, usd float64) error {
		key, ok := skus[sku]
		if !ok || usd == 0 {
			return nil // a free tier's first step has the price zero
		}
		if old, ok := found[key]; ok && old != usd {
			return fmt.Errorf("%s: two prices, %g and %g", key, old, usd)
		}
		found[key] = usd
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		usd, ok := found[key]
		if !ok {
			return fmt.Errorf("no price for %s", key)
		}
		p := t.Prices[key]
		p.USD, p.Unverified = usd, false
		t.Prices[key] = p
	}
	return nil
}

type offerProduct struct {
	SKU           string            `json:"sku"`
	ProductFamily string            `json:"productFamily"`
	Attributes    map[string]string `json:"attributes"`
}

// matches tells whether the product has all wanted attributes. An ambiguous product is kept out by
// its usage type: reserved and unused capacity have other ones.
func (p offerProduct) matches(want map[string]string) bool {
	for k, v := range want {
		have := p.Attributes[k]
		if k == "productFamily" {
			have = p.ProductFamily
		}
		if have != v {
			return false
		}
	}
	return len(want) > 0
}

type offerTerm struct {
	PriceDimensions map[string]struct {
		BeginRange   string            `json:"beginRange"`
		PricePerUnit map[string]string `json:"pricePerUnit"`
	} `json:"priceDimensions"`
}

// walkOffer streams an offer file: AmazonEC2's has hundreds of megabytes. Products come before
// terms in it. Of a tiered price the first tier that costs anything counts.
func walkOffer(r io.Reader, product func(offerProduct), price func(sku string, usd float64) error) error {
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
						return firstTier(t, func(usd float64) error { return price(sku, usd) })
					})
				})
			})
		}
		return skip(d)
	})
}

func firstTier(t offerTerm, price func(float64) error) error {
	begin, usd := -1.0, 0.0
	for _, dim := range t.PriceDimensions {
		from, err := strconv.ParseFloat(dim.BeginRange, 64)
		if err != nil {
			from = 0
		}
		v, err := strconv.ParseFloat(dim.PricePerUnit["USD"], 64)
		if err != nil {
			return fmt.Errorf("price %q: %w", dim.PricePerUnit["USD"], err)
		}
		if v > 0 && (begin < 0 || from < begin) {
			begin, usd = from, v
		}
	}
	return price(usd)
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
