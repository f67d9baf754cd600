package postgres_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoplab/contract"
	"shoplab/service/postgres"
)

// A server whose certificate no known authority signed is refused before the password is sent.
func TestTheServersCertificateIsVerified(t *testing.T) {
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	certificate := serveTLS(t)
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

// serveTLS has the tests' PostgreSQL speak TLS with httptest's certificate, which signed itself, and
// returns its file's name.
func serveTLS(t *testing.T) string {
	t.Helper()
	admin := connect(t, server.AdminURL())
	var data string
	if err := admin.QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	key, err := x509.MarshalPKCS8PrivateKey(web.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	// PostgreSQL reads a key only if nobody else can.
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	certificateFile, keyFile := filepath.Join(data, "test.crt"), filepath.Join(data, "test.key")
	for name, block := range map[string]*pem.Block{
		certificateFile: {Type: "CERTIFICATE", Bytes: web.Certificate().Raw}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
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
	set("ALTER SYSTEM SET ssl_cert_file = 'test.crt'", "ALTER SYSTEM SET ssl_key_file = 'test.key'",
		"ALTER SYSTEM SET ssl = on")
	await(t, "PostgreSQL speaks TLS", func() bool {
		var ssl string
		return connect(t, server.AdminURL()).QueryRow(t.Context(), "SHOW ssl").Scan(&ssl) == nil && ssl == "on"
	})
	return certificateFile
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
	if _, err := roots["us-east-1"].Verify(x509.VerifyOptions{
		Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}); err != nil {
		t.Error(err)
	}
}
