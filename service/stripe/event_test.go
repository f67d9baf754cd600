package stripe

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"shoplab/service/shop"
)

func TestParseEvent(t *testing.T) {
	const envelope = `{"id":"evt_1","object":"event","api_version":%q,"created":1700000000,"type":%q,"data":{"object":%s}}`
	const intent = `{"id":"pi_1","object":"payment_intent","amount":4999,"amount_received":4999,"currency":"usd"}`
	tests := []struct {
		name, version, typ, object string
		want                       shop.Event
	}{
		{
			"succeeded", "2023-10-16", "payment_intent.succeeded", intent,
			shop.Event{Type: shop.EventSucceeded, IntentID: "pi_1", AmountCents: 4999, Currency: "usd"},
		},
		{
			"failed", "2023-10-16", "payment_intent.payment_failed",
			`{"id":"pi_1","amount":4999,"amount_received":0,"currency":"usd","last_payment_error":{"code":"card_declined"}}`,
			shop.Event{Type: shop.EventFailed, IntentID: "pi_1", Currency: "usd"},
		},
		{
			"canceled", "2023-10-16", "payment_intent.canceled", `{"id":"pi_1","currency":"usd"}`,
			shop.Event{Type: shop.EventCanceled, IntentID: "pi_1", Currency: "usd"},
		},
		{
			"charge refunded", "2023-10-16", "charge.refunded",
			`{"id":"ch_1","object":"charge","payment_intent":"pi_1","amount":4999,"amount_refunded":1000,"currency":"usd"}`,
			shop.Event{Type: shop.EventChargeRefunded, IntentID: "pi_1"},
		},
		{
			"refunded charge of no intent", "2023-10-16", "charge.refunded",
			`{"id":"ch_1","payment_intent":null,"amount_refunded":1000,"currency":"usd"}`,
			shop.Event{Type: shop.EventChargeRefunded},
		},
		{
			"refund made", "2023-10-16", "refund.created",
			`{"id":"re_1","object":"refund","payment_intent":"pi_1","amount":1000,"currency":"usd","status":"pending"}`,
			shop.Event{
				Type: shop.EventRefund, IntentID: "pi_1",
				Return: shop.Return{ID: "re_1", AmountCents: 1000, Status: shop.ReturnPending},
			},
		},
		{
			"refund updated", "2023-10-16", "refund.updated",
			`{"id":"re_1","payment_intent":"pi_1","amount":1000,"status":"succeeded"}`,
			shop.Event{
				Type: shop.EventRefund, IntentID: "pi_1",
				Return: shop.Return{ID: "re_1", AmountCents: 1000, Status: shop.ReturnSucceeded},
			},
		},
		{
			"refund failed", "2025-03-31.basil", "refund.failed",
			`{"id":"re_1","payment_intent":"pi_1","amount":1000,"status":"failed","failure_reason":"lost_or_stolen_card"}`,
			shop.Event{
				Type: shop.EventRefund, IntentID: "pi_1",
				Return: shop.Return{ID: "re_1", AmountCents: 1000, Status: shop.ReturnFailed},
			},
		},
		{
			"refund failed, in the older words", "2023-10-16", "charge.refund.updated",
			`{"id":"re_1","payment_intent":"pi_1","amount":1000,"status":"canceled"}`,
			shop.Event{
				Type: shop.EventRefund, IntentID: "pi_1",
				Return: shop.Return{ID: "re_1", AmountCents: 1000, Status: shop.ReturnFailed},
			},
		},
		{
			"disputed", "2023-10-16", "charge.dispute.created",
			`{"id":"dp_1","object":"dispute","payment_intent":"pi_1","amount":4999,"status":"needs_response"}`,
			shop.Event{
				Type: shop.EventDispute, IntentID: "pi_1",
				Return: shop.Return{ID: "dp_1", Dispute: true, AmountCents: 4999, Status: shop.ReturnPending},
			},
		},
		{
			"inquiry", "2023-10-16", "charge.dispute.created",
			`{"id":"dp_1","payment_intent":"pi_1","amount":4999,"status":"warning_needs_response"}`,
			shop.Event{
				Type: shop.EventDispute, IntentID: "pi_1",
				Return: shop.Return{ID: "dp_1", Dispute: true, Status: shop.ReturnPending},
			},
		},
		{
			"dispute won", "2023-10-16", "charge.dispute.closed",
			`{"id":"dp_1","payment_intent":"pi_1","amount":4999,"status":"won"}`,
			shop.Event{
				Type: shop.EventDispute, IntentID: "pi_1",
				Return: shop.Return{ID: "dp_1", Dispute: true, AmountCents: 4999, Status: shop.ReturnFailed},
			},
		},
		{
			"dispute lost", "2023-10-16", "charge.dispute.closed",
			`{"id":"dp_1","payment_intent":"pi_1","amount":4999,"status":"lost"}`,
			shop.Event{
				Type: shop.EventDispute, IntentID: "pi_1",
				Return: shop.Return{ID: "dp_1", Dispute: true, AmountCents: 4999, Status: shop.ReturnSucceeded},
			},
		},
		{
			"partly received in another currency", "2023-10-16", "payment_intent.succeeded",
			`{"id":"pi_1","amount":4999,"amount_received":1,"currency":"eur"}`,
			shop.Event{Type: shop.EventSucceeded, IntentID: "pi_1", AmountCents: 1, Currency: "eur"},
		},
		{
			"another API version", "2025-03-31.basil", "payment_intent.succeeded", intent,
			shop.Event{Type: shop.EventSucceeded, IntentID: "pi_1", AmountCents: 4999, Currency: "usd"},
		},
		{
			"a type that the shop does not act on", "2023-10-16", "customer.created", `{"id":"cus_1"}`,
			shop.Event{Type: "customer.created"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.ID, tt.want.CreatedAt = "evt_1", time.Unix(1700000000, 0).UTC()
			body := fmt.Appendf(nil, envelope, tt.version, tt.typ, tt.object)
			got, err := parseEvent(body, sign(body, testSecret, time.Now()), testSecret, false, slog.New(slog.DiscardHandler))
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestParseEventRefusesWhatIsNotSigned(t *testing.T) {
	body, good := signedEvent(shop.EventSucceeded, "pi_1", 4999, "usd")
	_, v1, _ := strings.Cut(good, ",")
	now := time.Now()
	tests := []struct {
		name, signature string
		body            []byte
		code            shop.Code
	}{
		{"no signature", "", body, shop.CodeBadSignature},
		{"no header at all but words", "hello", body, shop.CodeBadSignature},
		{"another secret", sign(body, "whsec_other", now), body, shop.CodeBadSignature},
		{"another body", good, []byte(strings.Replace(string(body), "4999", "1", 1)), shop.CodeBadSignature},
		{"another time", fmt.Sprintf("t=%d,%s", now.Add(time.Minute).Unix(), v1), body, shop.CodeBadSignature},
		{"too old", sign(body, testSecret, now.Add(-6*time.Minute)), body, shop.CodeBadSignature},
		{"an older scheme", strings.Replace(good, "v1=", "v0=", 1), body, shop.CodeBadSignature},
		{"signed but no JSON", sign([]byte("{"), testSecret, now), []byte("{"), shop.CodeBadSignature},
		{"one of two signatures during a change of secrets", good + ",v1=00", body, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseEvent(tt.body, tt.signature, testSecret, false, slog.New(slog.DiscardHandler))
			if shop.CodeOf(err) != tt.code {
				t.Errorf("err = %v, want code %q", err, tt.code)
			}
		})
	}
}

// TestParseEventRefusesWhatIsNotOurs: signed with our secret, and still not about this shop's money.
func TestParseEventRefusesWhatIsNotOurs(t *testing.T) {
	const intent = `"data":{"object":{"id":"pi_1","amount_received":4999,"currency":"usd"}}`
	for name, tt := range map[string]struct {
		body     string
		livemode bool
	}{
		"without an id":      {`{"type":"payment_intent.succeeded",` + intent + `}`, false},
		"with an empty id":   {`{"id":"","type":"payment_intent.succeeded",` + intent + `}`, false},
		"live in a test":     {`{"id":"evt_1","livemode":true,"type":"payment_intent.succeeded",` + intent + `}`, false},
		"a test when live":   {`{"id":"evt_1","livemode":false,"type":"payment_intent.succeeded",` + intent + `}`, true},
		"another account's":  {`{"id":"evt_1","account":"acct_1","type":"payment_intent.succeeded",` + intent + `}`, false},
		"without data":       {`{"id":"evt_1","type":"payment_intent.succeeded"}`, false},
		"with a broken part": {`{"id":"evt_1","type":"refund.updated","data":{"object":{"amount":"x"}}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(tt.body)
			e, err := parseEvent(body, sign(body, testSecret, time.Now()), testSecret, tt.livemode,
				slog.New(slog.DiscardHandler))
			if shop.CodeOf(err) != shop.CodeEventRefused {
				t.Errorf("got %+v, %v", e, err)
			}
		})
	}
}

// TestParseEventWithoutASecret: nobody may sign with the empty key.
func TestParseEventWithoutASecret(t *testing.T) {
	body, _ := signedEvent(shop.EventSucceeded, "pi_1", 4999, "usd")
	for _, signature := range []string{"", sign(body, "", time.Now()), sign(body, testSecret, time.Now())} {
		if e, err := parseEvent(body, signature,
			"", false, slog.New(slog.DiscardHandler)); shop.CodeOf(err) != shop.CodeWebhooksOff {
			t.Errorf("got %+v, %v", e, err)
		}
	}
}

// FuzzParseEvent holds two things: what is not signed never passes, and what is signed never
// panics and never comes out as anything but an event or a client's error.
func FuzzParseEvent(f *testing.F) {
	for _, typ := range []shop.EventType{
		shop.EventSucceeded, shop.EventFailed, shop.EventCanceled, shop.EventChargeRefunded, shop.EventRefund,
		shop.EventDispute,
	} {
		body, signature := signedEvent(typ, "pi_1", 4999, "usd")
		f.Add(body, signature)
	}
	f.Add([]byte(`{"type":"charge.refunded"}`), "t=1,v1=00")
	f.Add([]byte(`{"type":"charge.refunded","data":{"object":7}}`), "t=,v1")
	f.Add([]byte(`{"type":"payment_intent.succeeded","data":null}`), "")
	f.Add([]byte(`null`), ",,==")
	log := slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		if _, err := parseEvent(body, signature,
			"whsec_unknown_to_the_fuzzer", false, log); shop.CodeOf(err) != shop.CodeBadSignature {
			t.Fatalf("forged: %v", err)
		}
		_, err := parseEvent(body, sign(body, testSecret, time.Now()), testSecret, false, log)
		if shop.CodeOf(err) == shop.CodeInternal {
			t.Fatalf("signed: %v", err)
		}
	})
}
