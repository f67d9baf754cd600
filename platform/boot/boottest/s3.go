package boottest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bucket is as much of S3 as a server needs to keep dumps: put, get, and list below a prefix. Every
// object is in memory.
func (a *AWS) bucket(w http.ResponseWriter, r *http.Request, body []byte) {
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), a.Bucket+"/")
	a.mu.Lock()
	object, found := a.objects[key]
	a.mu.Unlock()
	switch {
	case r.URL.Query().Get("list-type") == "2":
		a.list(w, r.URL.Query().Get("prefix"))
	case r.Method == http.MethodPut:
		content, err := unchunked(r, body)
		if err != nil {
			a.refuse(w, http.StatusBadRequest, "put %s: %v", key, err)
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.objects[key] = content
	case !found:
		http.Error(w, "no such key", http.StatusNotFound)
	case r.Method == http.MethodHead || r.Method == http.MethodGet:
		w.Header().Set("ETag", `"etag"`)
		http.ServeContent(w, r, "", time.Now(), bytes.NewReader(object))
	default:
		a.refuse(w, http.StatusBadRequest, "%s %s", r.Method, r.URL)
	}
}

func (a *AWS) list(w http.ResponseWriter, prefix string) {
	type content struct {
		Key  string
		Size int
	}
	var result struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		KeyCount int
		Contents []content
	}
	sizes := a.Objects()
	for _, key := range slices.Sorted(maps.Keys(sizes)) {
		if strings.HasPrefix(key, prefix) {
			result.Contents = append(result.Contents, content{key, sizes[key]})
		}
	}
	result.KeyCount = len(result.Contents)
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(result)
}

// unchunked is the body of a put without the framing that a client adds when it sends a checksum after
// the content: lengths in hexadecimal, and the checksum at the end.
func unchunked(r *http.Request, body []byte) ([]byte, error) {
	if !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		return body, nil
	}
	var content []byte
	for {
		line, rest, _ := bytes.Cut(body, []byte("\r\n"))
		length, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseUint(length, 16, 31)
		if err != nil || int(n)+2 > len(rest) && n > 0 {
			return nil, fmt.Errorf("chunk %q of %d bytes: %w", line, len(rest), err)
		}
		if n == 0 {
			return content, nil
		}
		content = append(content, rest[:n]...)
		body = rest[n+2:]
	}
}
