package lambda

import "testing"

func TestForwardedFor(t *testing.T) {
	const shopper, edge = "203.0.113.9", "130.176.0.1"
	for name, test := range map[string]struct {
		header string
		source string
		proven bool
		want   string
	}{
		"straight":                            {"", shopper, false, shopper},
		"straight, appended by API Gateway":   {shopper, shopper, false, shopper},
		"made up":                             {"198.51.100.1", shopper, false, "198.51.100.1, " + shopper},
		"CloudFront":                          {shopper, edge, true, shopper},
		"CloudFront, appended by API Gateway": {shopper + ", " + edge, edge, true, shopper},
		"CloudFront, made up": {
			"198.51.100.1," + shopper + "," + edge, edge, true, "198.51.100.1, " + shopper,
		},
	} {
		if got := forwardedFor(test.header, test.source, test.proven); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestTarget(t *testing.T) {
	for _, test := range []struct{ path, query, want string }{
		{"/api/products", "search=a%26b&limit=1", "/api/products?search=a%26b&limit=1"},
		{"/a b/ü", "", "/a%20b/%C3%BC"}, // as API Gateway hands over what the client has encoded
		{"/a%2Fb", "", "/a%2Fb"},
	} {
		if got := target(test.path, test.query).String(); got != test.want {
			t.Errorf("%s?%s: %q, want %q", test.path, test.query, got, test.want)
		}
	}
}
