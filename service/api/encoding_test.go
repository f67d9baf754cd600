package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"testing"
)

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZip": true, "x-gzip": true, "gzip, deflate, br, zstd": true, "br, gzip": true,
		"identity": false, "br": false, "gzipped": false, "*": true, "gzip;q=0": false, "gzip;q=0.000": false,
		"gzip; q=0": false, "gzip;q=0, *": false, "*, gzip;q=0": false, "*;q=0": false, "br;q=0, *;q=0.1": true,
		"gzip;q=0.5": true, "gzip;q=0.5, identity": false, "gzip, identity;q=0.5": true, "identity;q=0, gzip;q=0.1": true,
		"gzip;q=2": false, "gzip;q=nonsense": false, ";;,,=q": false, "gzip;level=9": true,
	} {
		if got := acceptsGzip([]byte(header)); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// TestCatalogIsCompressed: for whoever accepts it, with a tag of its own; answers to one person are not.
func TestCatalogIsCompressed(t *testing.T) {
	r := newRig(t, nil)
	for i := range 20 {
		r.product(fmt.Sprintf("product %d", i), 1000, 10)
	}
	const path = "/api/products"
	plain := r.do("GET", path, nil, "Accept-Encoding", "identity").want(t, 200)
	zipped := r.do("GET", path, nil, "Accept-Encoding", "gzip;q=0.9").want(t, 200)
	if zipped.Header.Get("Content-Encoding") != "gzip" || len(zipped.body) > len(plain.body)/3 ||
		plain.Header.Get("Content-Encoding") != "" {
		t.Fatalf("%d bytes become %d, header %v", len(plain.body), len(zipped.body), zipped.Header)
	}
	if got := unzipped(t, zipped.body); !bytes.Equal(got, plain.body) {
		t.Errorf("unzips to %q", got)
	}
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") {
		t.Error("one strong tag for two representations")
	}
	for encoding, rep := range map[string]reply{"identity": plain, "gzip;q=0.9": zipped} {
		if vary := rep.Header.Get("Vary"); vary != "Accept-Encoding" {
			t.Errorf("%s: Vary %q", encoding, vary)
		}
		r.do("GET", path, nil, "Accept-Encoding", encoding, "If-None-Match", rep.Header.Get("ETag")).want(t, 304)
	}
	for _, refused := range []string{"", "gzip;q=0", "br"} {
		if got := r.raw(t, "GET "+path+" HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "+refused+
			"\r\n\r\n").Header.Get("Content-Encoding"); got != "" {
			t.Errorf("Accept-Encoding %q gets %s", refused, got)
		}
	}
	if got := r.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").Header.Get("Content-Encoding"); got != "" {
		t.Errorf("a page without Accept-Encoding is %s", got)
	}
	r.register("ada@example.com")
	r.order(r.product("mug", 900, 10), "k")
	for _, path := range []string{"/api/cart", "/api/orders", "/api/account"} {
		if got := r.do("GET", path, nil, "Accept-Encoding", "gzip").want(t, 200).Header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s is %s", path, got)
		}
	}
}

func unzipped(t testing.TB, body []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
