package contract

import (
	"crypto/x509"
	"regexp"
	"testing"
	"time"
)

func TestRDSRoots(t *testing.T) {
	roots, err := RDSRoots()
	if err != nil {
		t.Fatal(err)
	}
	if roots["us-east-1"] == nil || len(roots) != 29 {
		t.Errorf("%d regions, us-east-1 among them: %v", len(roots), roots["us-east-1"] != nil)
	}
	for region, root := range roots {
		if !regexp.MustCompile(`^[a-z]{2}-[a-z]+-\d$`).MatchString(region) {
			t.Errorf("%q is not a region", region)
		}
		pool := x509.NewCertPool()
		pool.AddCert(root)
		// Signed by itself, an authority, and for long enough.
		if _, err := root.Verify(x509.VerifyOptions{
			Roots: pool, CurrentTime: time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC),
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		}); err != nil || !root.IsCA || root.CheckSignatureFrom(root) != nil {
			t.Errorf("%s: %v, an authority: %v", region, err, root.IsCA)
		}
	}
}
