package platform

import (
	"net/http"
	"strings"
	"testing"

	"shoplab/contract"
)

// TestEndToEndDomain: the certificate of an own domain, which is asked for in another region by a provider of its
// own, is asked for with the stack's settings. No preview follows: the emulator says of every distribution that it
// has CloudFront's certificate.
func TestEndToEndDomain(t *testing.T) {
	account, stack := newAccount(t), "stage1"
	account.stack(t, stack, "image", anImage, "https", contract.HTTPSDomain, "domain", "shop.example.com", "zone",
		"example.com")
	zone := account.route53(t, http.MethodPost, "/2013-04-01/hostedzone",
		`<CreateHostedZoneRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">`+
			`<Name>example.com.</Name><CallerReference>a</CallerReference></CreateHostedZoneRequest>`)
	account.pulumi(t, "config", "set", "-s", stack, "--path", "aws:defaultTags.tags.owner", "ada")
	account.up(t, stack)
	asked := 0
	for _, call := range account.Calls(t) {
		if call.Action != "RequestCertificate" {
			continue
		}
		asked++
		tagged := false
		for name, value := range call.Params {
			tagged = tagged || strings.HasPrefix(name, "Tags.") && value == "owner"
		}
		if call.Region != "us-east-1" || !tagged {
			t.Errorf("the certificate is asked for in %s with %v; the stack says that everything has a tag owner", call.Region,
				call.Params)
		}
	}
	if asked == 0 {
		t.Error("no certificate was asked for")
	}
	account.pulumi(t, "destroy", "-s", stack, "--yes", "--skip-preview")
	account.route53(t, http.MethodDelete, zone, "")
	account.gone(t, stack)
}

// route53 calls Route 53, for which this module has no client, and returns the path of what was made.
func (a *account) route53(t *testing.T, method, path, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.variable("AWS_ENDPOINT_URL")+path,
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/route53/aws4_request, "+
		"SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %s", method, path, response.Status)
	}
	_, made, _ := strings.Cut(response.Header.Get("Location"), "amazonaws.com")
	return made
}
