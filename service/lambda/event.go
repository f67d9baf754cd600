package lambda

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"shoplab/contract"
)

// hopByHop are header fields of one connection, of which an event has none (RFC 9110 section 7.6.1).
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// admit says whether a request may come in, and whether it comes from our CloudFront distribution.
func (f *Function) admit(e events.APIGatewayV2HTTPRequest) (proven, ok bool) {
	if f.OriginSecret == "" {
		return false, true
	}
	given := e.Headers[strings.ToLower(contract.OriginHeader)]
	proven = subtle.ConstantTimeCompare([]byte(given), []byte(f.OriginSecret)) == 1
	return proven, proven
}

// request is what the event says that the client has sent.
func (f *Function) request(ctx context.Context, e events.APIGatewayV2HTTPRequest, proven bool) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("read the event's body: %w", err)
		}
	}
	u := target(e.RawPath, e.RawQueryString)
	u.Scheme, u.Host = "http", e.RequestContext.DomainName
	r, err := http.NewRequestWithContext(ctx, e.RequestContext.HTTP.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	r.Close = true
	for name, value := range e.Headers {
		r.Header.Set(name, value)
	}
	for _, name := range append(hopByHop, contract.OriginHeader, "Content-Length", "Host") {
		r.Header.Del(name)
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "") // else net/http would make one up
	}
	if len(e.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	if f.host != "" && proven {
		r.Host = f.host
	} else if host := e.Headers["host"]; host != "" {
		r.Host = host
	}
	r.Header.Set("X-Forwarded-For", forwardedFor(e.Headers["x-forwarded-for"], e.RequestContext.HTTP.SourceIP, proven))
	r.Header.Set("X-Forwarded-Proto", "https") // an HTTP API speaks nothing else
	if context, ok := lambdacontext.FromContext(ctx); ok && r.Header.Get("X-Request-Id") == "" {
		r.Header.Set("X-Request-Id", context.AwsRequestID) // by which Lambda's own lines in the log name it
	}
	return r, nil
}

// target is the request's path and query, as they are where they may stand in a request.
func target(path, query string) *url.URL {
	whole := path
	if query != "" {
		whole += "?" + query
	}
	if u, err := url.ParseRequestURI(whole); err == nil {
		return u
	}
	return &url.URL{Path: path, RawQuery: url.PathEscape(query)}
}

// forwardedFor is X-Forwarded-For as a proxy on this host would send it: the last address is that of the shopper.
// The event's own ends with the address that has connected to API Gateway, or does not have it yet; where that is
// proven to be CloudFront's, the one before it is what CloudFront has written.
func forwardedFor(header, source string, proven bool) string {
	var hops []string
	for hop := range strings.SplitSeq(header, ",") {
		if hop = strings.TrimSpace(hop); hop != "" {
			hops = append(hops, hop)
		}
	}
	last := len(hops) - 1
	switch {
	case proven && last > 0 && hops[last] == source:
		hops = hops[:last]
	case !proven && (last < 0 || hops[last] != source):
		hops = append(hops, source)
	}
	return strings.Join(hops, ", ")
}

// read is the server's answer as an event has it: text as it is, anything else in base64, each cookie by itself.
func read(response *http.Response) (events.APIGatewayV2HTTPResponse, error) {
	answer := events.APIGatewayV2HTTPResponse{StatusCode: response.StatusCode, Headers: map[string]string{}}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer, fmt.Errorf("read the server's answer: %w", err)
	}
	answer.Cookies = response.Header.Values("Set-Cookie")
	response.Header.Del("Set-Cookie")
	for _, name := range append(hopByHop, "Content-Length") {
		response.Header.Del(name)
	}
	for name, values := range response.Header {
		answer.Headers[name] = strings.Join(values, ", ")
	}
	if response.Header.Get("Content-Encoding") == "" && utf8.Valid(body) {
		answer.Body = string(body)
	} else {
		answer.Body, answer.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return answer, nil
}
