package platform

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"shoplab/contract"
	"shoplab/service/lambda"
)

// TestEndToEndStripe takes stage 5 to real payments as docs/deploy.md says: keys first, then the webhooks' secret,
// which Stripe tells once the endpoint is there. An execution environment reads its secrets once, so another secret has
// to be another version of the function.
func TestEndToEndStripe(t *testing.T) {
	account, stack := newAccount(t), "stage5"
	account.stack(t, stack, "image", anImage, "payments", contract.PaymentsStripe)
	account.fails(t, stack, "shoplab:payments stripe needs shoplab:stripeSecretKey",
		"shoplab:payments stripe needs shoplab:stripePublishableKey")
	account.config(t, stack, "stripePublishableKey", "pk_test_e2e")
	account.secret(t, stack, "stripeSecretKey", "sk_test_e2e1")
	if out := account.pulumi(t, "up", "-s", stack, "--yes", "--skip-preview"); !bytes.Contains(out,
		[]byte(translationPrice)) {
		t.Errorf("up does not say what the NAT gateway costs:\n%s", out)
	}
	outputs := account.outputs(t, stack)
	if want := strings.TrimSuffix(outputs["url"], `"`) + `/api/webhooks/stripe"`; outputs["webhooks"] != want {
		t.Errorf("webhooks go to %s, want %s", outputs["webhooks"], want)
	}
	account.pulumi(t, "preview", "-s", stack, "--refresh", "--diff", "--expect-no-changes")
	if usd := account.priceOf(t, stack, "network-nat"); math.Abs(usd-36.50) > 0.001 {
		t.Errorf("lab cost prices the NAT gateway and its address at %.2f USD a month", usd)
	}
	version, parameters := account.live(t, stack)
	if version != "1" || !strings.Contains(parameters, "/STRIPE_SECRET_KEY:1") ||
		strings.Contains(parameters, contract.EnvStripeWebhookSecret) {
		t.Errorf("version %s serves with %s", version, parameters)
	}
	account.secret(t, stack, "stripeSecretKey", "sk_test_e2e2")
	account.secret(t, stack, "stripeWebhookSecret", "whsec_e2e")
	account.up(t, stack)
	version, parameters = account.live(t, stack)
	if version != "2" || !strings.Contains(parameters, "/STRIPE_SECRET_KEY:2") ||
		!strings.Contains(parameters, "/STRIPE_WEBHOOK_SECRET:1") {
		t.Errorf("after other secrets version %s serves with %s", version, parameters)
	}
	read, err := lambda.Parameters(t.Context(), parameters, func(name string) string { // as the function does
		return account.variable(strings.TrimSuffix(name, "_SSM")) // one endpoint is all services'
	})
	if err != nil || read[contract.EnvStripeSecretKey] != "sk_test_e2e2" ||
		read[contract.EnvStripeWebhookSecret] != "whsec_e2e" || read[contract.EnvDatabaseURL] == "" {
		t.Errorf("the function reads %d secrets, and not those that were set: %v", len(read), err)
	}
	account.pulumi(t, "preview", "-s", stack, "--diff", "--expect-no-changes")
	for _, key := range []string{"sk_test_e2e", "whsec_e2e"} {
		if bytes.Contains(account.pulumi(t, "stack", "export", "-s", stack), []byte(key)) {
			t.Errorf("the state has %s in the clear", key)
		}
	}
	account.down(t, stack)
}

// secret sets a key's value, encrypted.
func (a *account) secret(t *testing.T, stack, key, value string) {
	t.Helper()
	a.pulumi(t, "config", "set", "-s", stack, "--secret", key, value)
}

// live is the version of the function that serves, and the parameters from which the function reads its secrets.
func (a *account) live(t *testing.T, stack string) (version, parameters string) {
	t.Helper()
	var state struct {
		Deployment struct {
			Resources []struct {
				Type    string
				Outputs struct {
					FunctionVersion string
					Environment     struct{ Variables map[string]string }
				}
			}
		}
	}
	if err := json.Unmarshal(a.pulumi(t, "stack", "export", "-s", stack), &state); err != nil {
		t.Fatal(err)
	}
	for _, res := range state.Deployment.Resources {
		switch res.Type {
		case "aws:lambda/alias:Alias":
			version = res.Outputs.FunctionVersion
		case "aws:lambda/function:Function":
			parameters = res.Outputs.Environment.Variables[contract.EnvParameters]
		}
	}
	return version, parameters
}

// priceOf is what the laboratory says that resources whose names begin alike cost in a stack as it is, in USD a month.
func (a *account) priceOf(t *testing.T, stack, prefix string) (usd float64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(a.repository, "bin", "lab"), "cost", "-", "--json")
	cmd.Dir, cmd.Env, cmd.Stdin = a.repository, a.env, bytes.NewReader(a.pulumi(t, "stack", "export", "-s", stack))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lab cost: %v\n%s", err, out)
	}
	var document struct {
		Estimates []struct {
			Lines []struct {
				Resource string
				USD      float64
			}
		}
	}
	if err := json.Unmarshal(out, &document); err != nil || len(document.Estimates) != 1 {
		t.Fatalf("lab cost: %v\n%s", err, out)
	}
	for _, line := range document.Estimates[0].Lines {
		if strings.HasPrefix(line.Resource, prefix) {
			usd += line.USD
		}
	}
	return usd
}
