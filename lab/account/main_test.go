package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestRequestsThatCannotBeMeant(t *testing.T) {
	for want, args := range map[string][]string{
		"usage:":           {"sweep"},
		"read the request": {"sweep", "--region"},
		`"fly": want`:      {"fly", "{}"},
		"0 stages":         {"usage", "{}"},
	} {
		if err := run(t.Context(), args, nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
}

// TestSweepSaysWhoCannotSignIn: a sweep that could not look must not call the account empty.
func TestSweepSaysWhoCannotSignIn(t *testing.T) {
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>", http.StatusForbidden)
	}))
	t.Cleanup(denied.Close)
	t.Setenv("AWS_ENDPOINT_URL", denied.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	var stdout bytes.Buffer
	err := run(t.Context(), []string{"sweep", `{"Region":"us-east-1","JSON":true}`}, nil, &stdout, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "sign in to AWS") || stdout.Len() > 0 {
		t.Errorf("got %v and %q", err, stdout.String())
	}
	if err := run(t.Context(), []string{"emulated", "{}"}, nil, &stdout, io.Discard); err != nil {
		t.Fatal(err)
	}
	var is bool
	if err := json.Unmarshal(stdout.Bytes(), &is); err != nil || !is {
		t.Errorf("an account elsewhere is not called emulated: %q, %v", stdout.String(), err)
	}
}
