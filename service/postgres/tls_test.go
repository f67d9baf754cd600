package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoplab/contract"
	"shoplab/service/postgres"
)

// A server whose certificate no known authority signed is refused before the password is sent.
func TestTheServersCertificateIsVerified(t *testing.T) {
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	certificate := serveTLS(t, u.Hostname())
	for query, want := range map[string]string{
		"sslmode=verify-full": "certificate signed by unknown authority",
		"sslmode=verify-full&sslrootcert=" + url.QueryEscape(certificate): "",
		"sslmode=require": "",
	} {
		u.RawQuery = query
		db, err := postgres.Open(t.Context(), postgres.Config{URL: u.String()})
		if err == nil {
			db.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error is %v, want %q", query, err, want)
		}
	}
}

// serveTLS has the tests' PostgreSQL speak TLS with a new certificate, and returns its file's name.
func serveTLS(t *testing.T, host string) string {
	t.Helper()
	admin := connect(t, server.AdminURL())
	var data string
	if err := admin.QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}
	certificate, key := selfSigned(t, host)
	// PostgreSQL reads a key only if nobody else can.
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	certificateFile, keyFile := filepath.Join(data, "test.crt"), filepath.Join(data, "test.key")
	for name, content := range map[string][]byte{certificateFile: certificate, keyFile: key} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			if err := os.Chown(name, int(owner.Uid), int(owner.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	set := func(statements ...string) {
		for _, s := range append(statements, "SELECT pg_reload_conf()") {
			if _, err := admin.Exec(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	set("ALTER SYSTEM SET ssl_cert_file = 'test.crt'", "ALTER SYSTEM SET ssl_key_file = 'test.key'", "ALTER SYSTEM SET ssl = on")
	await(t, "PostgreSQL speaks TLS", func() bool {
		var ssl string
		return connect(t, server.AdminURL()).QueryRow(t.Context(), "SHOW ssl").Scan(&ssl) == nil && ssl == "on"
	})
	return certificateFile
}

// selfSigned returns a certificate for the address and its key, both in PEM.
func selfSigned(t *testing.T, host string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(host)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func TestRDSIsTrusted(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Roots("postgres://shop@db.abc.us-east-1.rds.amazonaws.com/shop?sslmode=verify-full")
	if err != nil {
		t.Fatal(err)
	}
	roots, err := contract.RDSRoots()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := roots["us-east-1"].Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Error(err)
	}
}
