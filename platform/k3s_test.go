package platform

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// certifier is a recorder that makes real keys and certificates where the program asks for some, as
// the TLS provider would.
type certifier struct {
	*recorder
	t *testing.T
}

func (c certifier) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	id, out, err := c.recorder.NewResource(args)
	in := func(key string) string {
		if value, ok := revealed(args.Inputs[resource.PropertyKey(key)]).(string); ok {
			return value
		}
		return ""
	}
	switch args.TypeToken {
	case "tls:index/privateKey:PrivateKey":
		out["privateKeyPem"] = resource.MakeSecret(resource.NewProperty(newKey(c.t, in("algorithm"), in("ecdsaCurve"))))
	case "tls:index/selfSignedCert:SelfSignedCert":
		key := readKey(c.t, in("privateKeyPem"))
		out["certPem"] = resource.NewProperty(sign(c.t, args.Inputs, key.Public(), nil, key))
	case "tls:index/certRequest:CertRequest": // the mock's request is its subject and key
		subject, err := json.Marshal(revealed(args.Inputs["subject"]))
		if err != nil {
			return "", nil, err
		}
		out["certRequestPem"] = resource.NewProperty(string(subject) + "\n" + in("privateKeyPem"))
	case "tls:index/locallySignedCert:LocallySignedCert":
		subject, key, _ := strings.Cut(in("certRequestPem"), "\n")
		var named map[string]any
		if err := json.Unmarshal([]byte(subject), &named); err != nil {
			return "", nil, err
		}
		inputs := args.Inputs.Copy()
		inputs["subject"] = resource.NewPropertyValue(named)
		out["certPem"] = resource.NewProperty(sign(c.t, inputs, readKey(c.t, key).Public(),
			readCertificate(c.t, in("caCertPem")), readKey(c.t, in("caPrivateKeyPem"))))
	}
	return id, out, err
}

func newKey(t *testing.T, algorithm, curve string) string {
	t.Helper()
	var block pem.Block
	switch algorithm + curve {
	case "ECDSAP256":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		block = pem.Block{Type: "EC PRIVATE KEY", Bytes: der}
	case "RSA":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		block = pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	default:
		t.Fatalf("a key of %s %s", algorithm, curve)
	}
	return string(pem.EncodeToMemory(&block))
}

func readKey(t *testing.T, text string) crypto.Signer {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no key in %q", text)
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func readCertificate(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no certificate in %q", text)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// sign makes what the TLS provider's inputs ask for. Without an issuer it signs itself.
func sign(
	t *testing.T, inputs resource.PropertyMap, public crypto.PublicKey, issuer *x509.Certificate, by crypto.Signer,
) string {
	t.Helper()
	subject, _ := revealed(inputs["subject"]).(map[string]any)
	var asked struct{ CommonName, Organization string }
	text, err := json.Marshal(subject)
	if err == nil {
		err = json.Unmarshal(text, &asked)
	}
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: asked.CommonName},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
	}
	if asked.Organization != "" {
		template.Subject.Organization = []string{asked.Organization}
	}
	if ca, ok := revealed(inputs["isCaCertificate"]).(bool); ok {
		template.IsCA = ca
	}
	for _, use := range revealed(inputs["allowedUses"]).([]any) {
		switch use {
		case "cert_signing":
			template.KeyUsage |= x509.KeyUsageCertSign
		case "digital_signature":
			template.KeyUsage |= x509.KeyUsageDigitalSignature
		case "key_encipherment":
			template.KeyUsage |= x509.KeyUsageKeyEncipherment
		case "client_auth":
			template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
		default:
			t.Fatalf("a certificate for %v", use)
		}
	}
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, public, by)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestKubeconfig runs a server as k3s would with the files that it is given (a certificate by its
// server CA, clients by its client CA) and calls it with what the kubeconfig says.
func TestKubeconfig(t *testing.T) {
	c := certifier{&recorder{}, t}
	deployTo(t, "stage4", "", c, map[string]string{
		"shoplab:image": anImage, "shoplab:operatorCidr": "203.0.113.7/32", "shoplab:wait": "false",
	})
	files, config := map[string]string{}, ""
	for _, res := range c.resources {
		if res.Type == "aws:ssm/parameter:Parameter" {
			files[strings.TrimPrefix(text(t, res.Inputs, "name"), "/shoplab/stage4/k3s/")] = text(t, res.Inputs, "value")
		}
		if res.Name == "mesh-kubernetes" {
			config = text(t, res.Inputs, "kubeconfig")
		}
	}
	want := []string{
		"client-ca.crt", "client-ca.key", "etcd/peer-ca.crt", "etcd/peer-ca.key", "etcd/server-ca.crt", "etcd/server-ca.key",
		"request-header-ca.crt", "request-header-ca.key", "server-ca.crt", "server-ca.key", "service.key",
	}
	if got := names(files); !slices.Equal(got, want) {
		t.Fatalf("k3s gets %v, want %v", got, want)
	}
	if _, ok := readKey(t, files["service.key"]).(*rsa.PrivateKey); !ok {
		t.Error("service.key is no RSA key")
	}
	for name, file := range files {
		if len(file) > 4096 {
			t.Errorf("%s has %d bytes; a standard parameter holds 4096", name, len(file))
		}
	}
	admin := fromKubeconfig(t, config)
	if admin.server != "https://198.51.100.7:6443" {
		t.Errorf("the server is %s", admin.server)
	}
	if admin.authority != files["server-ca.crt"] {
		t.Error("the kubeconfig does not trust the server CA")
	}
	callAsAdmin(t, files, admin)
}

func fromKubeconfig(t *testing.T, config string) access {
	t.Helper()
	var in struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Certificate []byte `json:"client-certificate-data"`
				Key         []byte `json:"client-key-data"`
			}
		}
	}
	if err := json.Unmarshal([]byte(config), &in); err != nil {
		t.Fatal(err)
	}
	cluster, user := in.Clusters[0].Cluster, in.Users[0].User
	return access{cluster.Server, string(cluster.CA), string(user.Certificate), string(user.Key)}
}

// callAsAdmin waits for a server that is not ready when it is first asked.
func callAsAdmin(t *testing.T, files map[string]string, admin access) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "k3s"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, readCertificate(t, files["server-ca.crt"]), key.Public(), readKey(t, files["server-ca.key"]))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(files["client-ca.crt"]))
	var callers []*x509.Certificate
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if callers = append(callers, r.TLS.PeerCertificates[0]); len(callers) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	api.TLS = &tls.Config{
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
	api.StartTLS()
	defer api.Close()
	admin.server = api.URL
	if err := admin.await(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	subject := callers[0].Subject
	if len(callers) != 2 || subject.CommonName != "system:admin" ||
		!slices.Equal(subject.Organization, []string{"system:masters"}) {
		t.Errorf("the API server sees %s, %d times", subject, len(callers))
	}
	admin.authority = files["client-ca.crt"]
	if err := admin.await(t.Context(), time.Second); err == nil {
		t.Error("a server of another authority is believed")
	}
}
