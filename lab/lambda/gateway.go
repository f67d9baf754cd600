package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// payloadLimit is the largest request of a Lambda function: 6 MB for request and answer.
// Source: AWS Lambda Developer Guide, "Lambda quotas".
const payloadLimit = 6 << 20

// ServeHTTP is the HTTP API: a request becomes an event of payload format version 2.0, and the function's answer a
// response. What does not get an answer is 503 where the function is throttled, else 500.
func (f *Function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, payloadLimit))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "Request Too Long")
		return
	}
	payload, err := json.Marshal(toEvent(r, body))
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	result, err := f.Invoke(r.Context(), payload)
	var answer events.APIGatewayV2HTTPResponse
	if err == nil {
		err = json.Unmarshal(result, &answer)
	}
	switch {
	case errors.Is(err, ErrThrottled):
		select {
		case <-time.After(f.options.Refusal):
		case <-r.Context().Done():
		}
		refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
	case err != nil:
		_, _ = io.WriteString(f.options.Log(-1), err.Error()+"\n") // the client is not told
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
	default:
		respond(w, answer)
	}
}

// toEvent is a request as API Gateway hands it to a function.
// Source: API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs".
func toEvent(r *http.Request, body []byte) events.APIGatewayV2HTTPRequest {
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = r.RemoteAddr
	}
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{"host": r.Host},
	}
	for _, line := range r.Header.Values("Cookie") {
		for cookie := range strings.SplitSeq(line, ";") {
			e.Cookies = append(e.Cookies, strings.TrimSpace(cookie))
		}
	}
	for name, values := range r.Header {
		if name != "Cookie" {
			e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	hops := source
	if before := e.Headers["x-forwarded-for"]; before != "" {
		hops = before + ", " + source
	}
	e.Headers["x-forwarded-for"], e.Headers["x-forwarded-proto"] = hops, "https"
	e.RequestContext = events.APIGatewayV2HTTPRequestContext{
		RouteKey: "$default", Stage: "$default", RequestID: newID(), APIID: "twin", DomainName: r.Host,
		TimeEpoch: time.Now().UnixMilli(),
		HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
			Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent(),
		},
	}
	if text(r.Header.Get("Content-Type")) && utf8.Valid(body) {
		e.Body = string(body)
	} else if len(body) > 0 {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// text says whether API Gateway hands a body over as it is.
func text(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	switch kind = strings.ToLower(strings.TrimSpace(kind)); kind {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

func respond(w http.ResponseWriter, answer events.APIGatewayV2HTTPResponse) {
	body := []byte(answer.Body)
	if answer.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(answer.Body); err != nil {
			refuse(w, http.StatusInternalServerError, "Internal Server Error")
			return
		}
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range answer.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body) // a client that is gone is no error
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"message":"`+message+`"}`)
}
