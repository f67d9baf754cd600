package lambda

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"shoplab/contract"
)

const (
	parametersAttempts = 3
	parametersTimeout  = 2 * time.Second // for one of them
)

// Parameters reads secrets from Parameter Store and returns them by the names of their environment variables. list
// names the parameters with their versions, such as /shoplab/stage5/SESSION_KEY:2,/shoplab/stage5/REDIS_URL:1; the
// last part of a name is the variable's. One request (of at most ten parameters), signed with the credentials in the
// environment, goes to the endpoint that also has IPv6 addresses. AWS's own client for it would double the binary,
// which every cold start loads.
// Source: AWS Systems Manager API Reference, GetParameters ("to query by parameter version, use name:version").
func Parameters(ctx context.Context, list string, getenv func(string) string) (map[string]string, error) {
	var err error
	for attempt := range parametersAttempts {
		if attempt > 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(100 * time.Millisecond << attempt):
			}
		}
		var values map[string]string
		if values, err = getParameters(ctx, strings.Split(list, ","), getenv); err == nil {
			return values, nil
		}
	}
	return nil, fmt.Errorf("read %s from Parameter Store (%s): %w", list, contract.EnvParameters, err)
}

func getParameters(ctx context.Context, names []string, getenv func(string) string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, parametersTimeout)
	defer cancel()
	request, err := signedRequest(ctx, getenv, map[string]any{"Names": names, "WithDecryption": true})
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says whom it asked
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	var answer struct {
		Parameters        []struct{ Name, Value string }
		InvalidParameters []string
		Type              string `json:"__type"`
		Message           string `json:"message"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %s", response.Status, answer.Type, answer.Message) // never the body, which has secrets
	}
	if len(answer.InvalidParameters) > 0 {
		return nil, fmt.Errorf("it does not have %s", strings.Join(answer.InvalidParameters, ", "))
	}
	values := map[string]string{}
	for _, p := range answer.Parameters {
		name, _, _ := strings.Cut(path.Base(p.Name), ":")
		values[name] = p.Value
	}
	return values, nil
}

// signedRequest is a GetParameters request of Systems Manager with Signature Version 4.
func signedRequest(ctx context.Context, getenv func(string) string, input map[string]any) (*http.Request, error) {
	body, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	region := getenv("AWS_REGION")
	endpoint := cmp.Or(getenv("AWS_ENDPOINT_URL_SSM"), "https://ssm."+region+".api.aws")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "AmazonSSM.GetParameters")
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{
		AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: getenv("AWS_SESSION_TOKEN"),
	}
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]),
		"ssm", region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	return request, nil
}
