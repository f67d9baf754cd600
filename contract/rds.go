package contract

import (
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"strings"
)

// RDSAuthority is the certificate authority that the platform has Amazon RDS use, and the service trusts.
const RDSAuthority = "rds-ca-rsa2048-g1"

//go:embed rds.pem
var rdsRoots []byte

// RDSRoots returns the root certificates of RDSAuthority by AWS region; each region has its own. They are
// valid until 2061 at least. Where they come from: docs/decisions/0062.
func RDSRoots() (map[string]*x509.Certificate, error) {
	roots := map[string]*x509.Certificate{}
	for block, rest := pem.Decode(rdsRoots); block != nil; block, rest = pem.Decode(rest) {
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse a root certificate of RDS: %w", err)
		}
		region := strings.TrimPrefix(root.Subject.CommonName, "Amazon RDS ")
		roots[strings.TrimSuffix(region, " Root CA RSA2048 G1")] = root
	}
	return roots, nil
}
