package cost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// OfferURL is where AWS publishes its price list, without credentials.
const OfferURL = "https://pricing.us-east-1.amazonaws.com"

// Refresh returns t with every price that AWS's public price list has in a region, dated now. left names the
// prices that it does not have. In the table's own region those stay, marked as not verified unless they
// have no lookup; in another one they are left out, so that what needs them is unknown there. A service of
// which no price at all is found is an error: then it is the lookup that is wrong.
func (t Table) Refresh(
	ctx context.Context, base, region string, now time.Time, progress func(string),
) (out Table, left []string, err error) {
	r := refresh{old: t, region: region, base: base, out: t}
	r.out.Region, r.out.elsewhere = region, nil
	r.out.Prices, r.out.Families = map[string]Price{}, map[string]Family{}
	services := map[string]bool{}
	for key, p := range t.Prices {
		if p.Service != "" {
			services[p.Service] = true
		}
		if p.Global || (region == t.Region && p.Service == "") {
			r.out.Prices[key] = p
		}
	}
	for _, f := range t.Families {
		services[f.Service] = true
	}
	for _, service := range slices.Sorted(maps.Keys(services)) {
		progress("reading the price list of " + service)
		if err := r.service(ctx, service); err != nil {
			return t, nil, fmt.Errorf("refresh prices of %s: %w", service, err)
		}
	}
	for key, p := range t.Prices {
		if _, ok := r.out.Prices[key]; ok {
			continue
		}
		left = append(left, key)
		if region == t.Region {
			p.Unverified = true
			r.out.Prices[key] = p
		}
	}
	slices.Sort(left)
	r.out.Date = now.UTC().Format(time.DateOnly)
	r.out.Source = "AWS public price list, " + base
	return r.out, left, nil
}

// refresh is one run: the table as it was, and as it becomes.
type refresh struct {
	old, out     Table
	region, base string
}

// wanted is where a product's price goes: to a key of the table, or to a type of a family.
type wanted struct{ key, family, typ string }

// service reads the offer file of one service.
func (r *refresh) service(ctx context.Context, service string) error {
	url := r.base + "/offers/v1.0/aws/" + service + "/current/" + r.region + "/index.json"
	body, err := get(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	skus := map[string][]wanted{}
	found := map[wanted][][2]float64{}
	err = walkOffer(body, func(p offerProduct) {
		if all := r.wants(service, p); len(all) > 0 {
			skus[p.SKU] = all
		}
	}, func(sku string, tiers [][2]float64) error {
		if len(tiers) == 0 {
			return nil
		}
		for _, w := range skus[sku] {
			if old, ok := found[w]; ok && old[0][1] != tiers[0][1] {
				return fmt.Errorf("%s%s%s: two prices, %g and %g", w.key, w.family, w.typ, old[0][1], tiers[0][1])
			}
			found[w] = tiers
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.take(service, found)
}

func get(ctx context.Context, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return resp.Body, nil
}

// wants is every price of the table that is this product's: one may be the price of several keys.
func (r *refresh) wants(service string, p offerProduct) (all []wanted) {
	for key, price := range r.old.Prices {
		if price.Service == service && !price.Global && p.matches(price.Match) {
			all = append(all, wanted{key: key})
		}
	}
	for prefix, f := range r.old.Families {
		if f.Service != service {
			continue
		}
		fixed := maps.Clone(f.Match)
		for attribute, v := range f.Match {
			if v != "*" {
				continue
			}
			delete(fixed, attribute)
			if typ := p.Attributes[attribute]; typ != "" && p.matches(fixed) {
				all = append(all, wanted{family: prefix, typ: typ})
			}
		}
	}
	return all
}

// take puts what was found into the new table.
func (r *refresh) take(service string, found map[wanted][][2]float64) error {
	for prefix, f := range r.old.Families {
		if f.Service == service {
			f.USD, f.Unverified, f.From = map[string]float64{}, nil, ""
			r.out.Families[prefix] = f
		}
	}
	for w, tiers := range found {
		if w.key == "" {
			r.out.Families[w.family].USD[w.typ] = tiers[0][1]
			continue
		}
		p := r.old.Prices[w.key]
		p.USD, p.Tiers, p.Unverified, p.From = tiers[0][1], tiers[1:], false, ""
		r.out.Prices[w.key] = p
	}
	if len(found) == 0 {
		return errors.New("none of the prices is in it")
	}
	return nil
}

// regionPrefix is what a usage type begins with in most regions: "EUC1-LoadBalancerUsage".
var regionPrefix = regexp.MustCompile(`^(?:[A-Z]{2,4}\d?|(?:us|eu|ap|ca|sa)-[a-z0-9-]+\d)-`)

// matches tells whether the product has all wanted attributes. An ambiguous product is kept out by
// its usage type: reserved and unused capacity have other ones.
func (p offerProduct) matches(want map[string]string) bool {
	for k, v := range want {
		have := p.Attributes[k]
		switch k {
		case "productFamily":
			have = p.ProductFamily
		case "usagetype":
			have = regionPrefix.ReplaceAllString(have, "")
		}
		if have != v {
			return false
		}
	}
	return len(want) > 0
}
