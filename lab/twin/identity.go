package twin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// identity is a certificate of the mesh's authority, in files, and whom it talks to.
type identity struct {
	CAFile, CertificateFile, KeyFile string
	Peer                             string // the name that the other side's certificate must have
}

// authority signs the certificates of one run's mesh, as istiod does.
type authority struct {
	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// certificateLife is longer than any run.
const certificateLife = 30 * 24 * time.Hour

// newAuthority makes an authority whose files lie in dir.
func newAuthority(dir string) (*authority, error) {
	a := &authority{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the mesh's certificates: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shoplab mesh"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(certificateLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the mesh's key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make the mesh's certificate: %w", err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("read the mesh's certificate: %w", err)
	}
	return a, a.write("ca.crt", "CERTIFICATE", der)
}

func (a *authority) write(name, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// issue makes the identity of a name that talks to a peer.
func (a *authority) issue(name, peer string) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", name, err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, fmt.Errorf("make the certificate of %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(certificateLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of %s: %w", name, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write the key of %s: %w", name, err)
	}
	err = errors.Join(a.write(name+".crt", "CERTIFICATE", der), a.write(name+".key", "PRIVATE KEY", private))
	at := func(file string) string { return filepath.Join(a.dir, file) }
	return &identity{CAFile: at("ca.crt"), CertificateFile: at(name + ".crt"), KeyFile: at(name + ".key"), Peer: peer}, err
}

// client is how a Go client presents the identity and checks the other side.
func (i *identity) client() (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(i.CertificateFile, i.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read an identity of the mesh: %w", err)
	}
	ca, err := os.ReadFile(i.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the mesh's authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{
		Certificates: []tls.Certificate{own}, RootCAs: pool, ServerName: i.Peer, MinVersion: tls.VersionTLS12,
	}, nil
}
