package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// answerMaxAge is this cache's share of shop.CatalogMaxAge; the rest is the Redis layer's.
	answerMaxAge = time.Second
	// maxAnswers bounds the cache's memory: 100 products are about 30 kB.
	maxAnswers = 1000
	// maxAnswerKey is the longest address, in bytes, that is cached.
	maxAnswerKey = 1024
)

// answer is an encoded answer and its entity tag.
type answer struct {
	body []byte
	etag string
	born time.Time // when loading began

	zip       sync.Once // see compressed
	zipped    []byte
	zippedTag string
}

// answers keeps encoded answers of the catalog for a moment, by the address that was asked for.
type answers struct {
	mu      sync.RWMutex
	byKey   map[string]*answer
	flight  singleflight.Group
	observe func(hit bool)
}

func newAnswers(observe func(hit bool)) *answers {
	return &answers{byKey: make(map[string]*answer), observe: observe}
}

// get returns the answer under key, at most answerMaxAge old. Of those who ask for the same at
// once, one loads. Errors are not kept.
func (a *answers) get(key []byte, load func() ([]byte, error)) (*answer, error) {
	a.mu.RLock()
	found := a.byKey[string(key)]
	a.mu.RUnlock()
	if found != nil && time.Since(found.born) < answerMaxAge {
		a.observe(true)
		return found, nil
	}
	a.observe(false)
	k := string(key)
	v, err, _ := a.flight.Do(k, func() (any, error) {
		born := time.Now()
		body, err := load()
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		fresh := &answer{body: body, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, born: born}
		a.put(k, fresh)
		return fresh, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*answer), nil
}

// put keeps the answer. A full cache first forgets what is too old, then everything: addresses that
// are asked for often come back at once.
func (a *answers) put(key string, fresh *answer) {
	if len(key) > maxAnswerKey {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.byKey[key]; !ok && len(a.byKey) >= maxAnswers {
		for k, old := range a.byKey {
			if time.Since(old.born) >= answerMaxAge {
				delete(a.byKey, k)
			}
		}
		if len(a.byKey) >= maxAnswers {
			clear(a.byKey)
		}
	}
	a.byKey[key] = fresh
}

// matches says whether If-None-Match names the entity tag. By RFC 9110 a weak tag will do.
func matches(ifNoneMatch []byte, etag string) bool {
	if len(ifNoneMatch) == 0 {
		return false
	}
	if bytes.Equal(ifNoneMatch, []byte("*")) {
		return true
	}
	for tag := range strings.SplitSeq(string(ifNoneMatch), ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == etag {
			return true
		}
	}
	return false
}
