package platform

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestOwnAddress asks a stand-in for AWS's checkip service.
func TestOwnAddress(t *testing.T) {
	for answer, want := range map[string]string{
		"203.0.113.7\n": "203.0.113.7", "2001:db8::1": "", "127.0.0.1": "", "192.168.1.4": "", "<html>": "", "": "",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
		t.Cleanup(server.Close)
		got, err := ownAddress(t.Context(), server.URL)
		if (err == nil) != (want != "") || (err == nil && got.String() != want) {
			t.Errorf("%q gives %v, %v", answer, got, err)
		}
	}
	refused := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(refused.Close)
	if _, err := ownAddress(t.Context(), refused.URL); err == nil {
		t.Error("an answer of 404 is an address")
	}
}
