package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// acceptsGzip says whether Accept-Encoding prefers gzip to no encoding, by RFC 9110 section 12.5.3: who
// sends none gets none, q=0 refuses, and "*" stands for what is not named.
func acceptsGzip(acceptEncoding []byte) bool {
	if !bytes.ContainsAny(acceptEncoding, "gG*") {
		return false
	}
	if !bytes.ContainsAny(acceptEncoding, ";*") { // only names, as browsers send them: no need to weigh
		acceptEncoding = bytes.ToLower(acceptEncoding)
		for name := range bytes.SplitSeq(acceptEncoding, []byte(",")) {
			if name = bytes.TrimSpace(name); string(name) == "gzip" || string(name) == "x-gzip" {
				return true
			}
		}
		return false
	}
	const unnamed = -1.0
	gzip, identity, others := unnamed, unnamed, unnamed
	for coding := range strings.SplitSeq(strings.ToLower(string(acceptEncoding)), ",") {
		name, params, _ := strings.Cut(coding, ";")
		switch strings.TrimSpace(name) {
		case "gzip", "x-gzip":
			gzip = weight(params)
		case "identity":
			identity = weight(params)
		case "*":
			others = weight(params)
		}
	}
	if gzip == unnamed {
		gzip = others
	}
	return gzip > 0 && gzip >= identity
}

// weight is the q of an element of Accept-Encoding: 1 without one, 0 for one that is not valid.
func weight(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if name != "q" {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || q < 0 || q > 1 {
			return 0
		}
		return q
	}
	return 1
}

// gzipTag is the entity tag of the compressed form of what has the tag.
func gzipTag(etag string) string { return strings.TrimSuffix(etag, `"`) + `-gzip"` }

// gzipped compresses body. It returns nil where that does not make it smaller.
func gzipped(z *gzip.Writer, body []byte) ([]byte, error) {
	var out bytes.Buffer
	z.Reset(&out)
	if _, err := z.Write(body); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if out.Len() >= len(body) {
		return nil, nil
	}
	return out.Bytes(), nil
}

// gzipWriters keeps writers, each of which takes 800 kB.
var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// compressed is the answer compressed, and its entity tag; nil where that does not make it smaller. It
// is made when the first asks for it, once. No secret is in an answer of the catalog, so that its length
// tells nothing (BREACH); answers to one person are never compressed.
func (a *answer) compressed() ([]byte, string) {
	a.zip.Do(func() {
		z, _ := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(z)
		zipped, err := gzipped(z, a.body)
		if err == nil {
			a.zipped, a.zippedTag = zipped, gzipTag(a.etag)
		}
	})
	return a.zipped, a.zippedTag
}
