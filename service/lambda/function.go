// Package lambda runs the shop's HTTP server as a function of AWS Lambda. It stands before the server as a proxy
// in the same process does: each event of an HTTP API (payload format version 2.0) becomes a request over a
// connection in memory, so that the server's limits, routes and errors are the same as everywhere else.
package lambda

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/valyala/fasthttp/fasthttputil"

	"shoplab/contract"
)

const (
	// initTime is how long the function may open the shop before it takes events. Lambda ends an initialization
	// that takes 10 s, and begins it again with the first event.
	// Source: AWS Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle".
	initTime = 8 * time.Second
	// openWait is how long an event waits for the shop after that, then the server answers that it is starting.
	openWait = 5 * time.Second
)

// errClosed is the answer to work in the background while the shop has no database.
var errClosed = errors.New("the shop is not open yet")

// Hosted says whether this process runs as a function.
func Hosted() bool { return os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" }

// Options are what a function serves.
type Options struct {
	// OriginSecret is what CloudFront sends in contract.OriginHeader. Without one anybody may ask.
	OriginSecret string
	// PublicURL is what a shopper opens, where CloudFront hides it from the function; else empty.
	PublicURL string
	// Background does one round of what runs in the background elsewhere.
	Background func(ctx context.Context) error
	// Settle returns when what the requests so far have left to the background is done: Lambda freezes the
	// process once an event is answered.
	Settle func(ctx context.Context) error
}

// Function is the server's side of the runtime API.
type Function struct {
	Options
	listener *fasthttputil.InmemoryListener
	open     chan struct{}
	host     string
}

// New returns a function whose server has yet to accept connections from Listener.
func New(o Options) (*Function, error) {
	f := &Function{Options: o, listener: fasthttputil.NewInmemoryListener(), open: make(chan struct{})}
	if o.PublicURL != "" {
		u, err := url.Parse(o.PublicURL)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("%s: %q is no URL", contract.EnvPublicURL, o.PublicURL)
		}
		f.host = u.Host
	}
	return f, nil
}

// Listener is where the server accepts connections. Its clients come from 127.0.0.1.
func (f *Function) Listener() net.Listener { return f.listener }

// Opened says that the shop is open. Call it once.
func (f *Function) Opened() { close(f.open) }

// Run takes events until the process ends: by SIGTERM, which Lambda sends to a process that has registered an
// extension, or because the runtime API is gone. It begins once the shop is open, or initTime is over.
func (f *Function) Run(ctx context.Context) {
	select {
	case <-f.open:
	case <-time.After(initTime):
	case <-ctx.Done():
		return
	}
	lambda.StartWithOptions(f, lambda.WithEnableSIGTERM())
}

// Invoke answers an event: a request, or contract.BackgroundEvent.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var e struct {
		events.APIGatewayV2HTTPRequest
		Shoplab string `json:"shoplab"` // API Gateway writes no such field, whatever its client sends
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	select {
	case <-f.open:
	case <-time.After(openWait):
	case <-ctx.Done():
	}
	switch {
	case e.Shoplab == contract.BackgroundWork:
		return []byte("null"), f.background(ctx)
	case e.Version != "2.0":
		return nil, fmt.Errorf("the event is neither of payload format version 2.0 nor %s", contract.BackgroundEvent)
	}
	answer, err := f.answer(ctx, e.APIGatewayV2HTTPRequest)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("write the answer: %w", err)
	}
	return body, nil
}

func (f *Function) background(ctx context.Context) error {
	select {
	case <-f.open:
		return errors.Join(f.Background(ctx), f.Settle(ctx))
	default:
		return errClosed
	}
}

// answer has the server answer a request.
func (f *Function) answer(
	ctx context.Context, e events.APIGatewayV2HTTPRequest,
) (events.APIGatewayV2HTTPResponse, error) {
	var none events.APIGatewayV2HTTPResponse
	proven, ok := f.admit(e)
	if !ok {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusForbidden, Body: "Forbidden\n"}, nil
	}
	request, err := f.request(ctx, e, proven)
	if err != nil {
		return none, err
	}
	answer, err := f.ask(ctx, request)
	if err != nil {
		return none, fmt.Errorf("ask the server: %w", err)
	}
	select {
	case <-f.open:
		return answer, f.Settle(ctx)
	default:
		return answer, nil
	}
}

// ask sends a request to the server, over a connection of its own: one that is kept would be idle for as long as the
// process is frozen, and the server would close it on waking. An answer counts even where the server did not want
// to hear the request to its end, as with a body that is too large.
func (f *Function) ask(ctx context.Context, request *http.Request) (events.APIGatewayV2HTTPResponse, error) {
	var none events.APIGatewayV2HTTPResponse
	conn, err := f.listener.DialWithLocalAddr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return none, err //nolint:wrapcheck // the caller says what it was for
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	written := make(chan error, 1)
	go func() { written <- request.Write(conn) }()
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		select {
		case writeErr := <-written:
			return none, errors.Join(writeErr, err)
		default:
			return none, err //nolint:wrapcheck // the caller says what it was for
		}
	}
	defer response.Body.Close()
	return read(response)
}
