package cost

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// value is what a graph has at some path: something known, nothing (raw is nil), or something that it
// does not tell, which hidden explains.
type value struct {
	raw    any
	hidden string
}

func (v value) absent() bool { return v.raw == nil && v.hidden == "" }

const (
	isSecret  = "is a secret"
	isUnknown = "is not known before the update"
)

// Markers of Pulumi's wire format (pulumi/sdk, go/common/resource/sig and plugin/rpc.go) and of its
// JSON previews.
const (
	signatureKey    = "4dabf18193072939515e22adb298388d"
	secretSignature = "1b47061264138c4ac30d75fd1eb44270"
	outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
	secretText      = "[secret]"
)

var unknownMarkers = map[string]bool{
	"1c4a061d-8072-4f0a-a4cb-0ff528b18fe7": true, // of a boolean
	"3eeb2bf0-c639-47a8-9e75-3b44932eb421": true, // number
	"04da6b54-80e4-46f7-96ec-b56ff0331ba9": true, // string; what JSON previews have for every type
	"6a19a0b0-7e62-4c92-b797-7f8e31da9cc2": true, // array
	"030794c1-ac77-496b-92df-f27374a8bd58": true, // asset
	"e48ece36-62e2-4504-bad9-02848725956a": true, // archive
	"dd056dcd-154b-4c76-9bd3-c8f88648b5ff": true, // object
	"<computed>":                           true,
	"[unknown]":                            true,
}

// open takes a value out of its wrapping.
func open(raw any) value {
	switch v := raw.(type) {
	case string:
		if v == secretText {
			return value{hidden: isSecret}
		}
		if unknownMarkers[v] {
			return value{hidden: isUnknown}
		}
	case map[string]any:
		switch v[signatureKey] {
		case secretSignature: // with --show-secrets its plaintext is there, as JSON
			text, ok := v["plaintext"].(string)
			var inner any
			if !ok || json.Unmarshal([]byte(text), &inner) != nil {
				return value{hidden: isSecret}
			}
			return open(inner)
		case outputSignature:
			inner, ok := v["value"]
			if !ok {
				return value{hidden: isUnknown}
			}
			return open(inner)
		}
	}
	return value{raw: raw}
}

// at is the input at a path of nested objects, where the first element of a list stands for it; where there
// is none, the output. An output that is zero or empty says nothing: the bridge to Terraform fills in those.
func (r Resource) at(path ...string) value {
	if v := walk(r.Inputs, path); !v.absent() {
		return v
	}
	v := walk(r.Outputs, path)
	switch v.raw {
	case "", 0.0, false:
		return value{}
	}
	if v.hidden != "" {
		return value{} // an output that is only known later is an input that nobody gave
	}
	return v
}

func walk(in map[string]any, path []string) value {
	v := value{raw: in}
	for _, key := range path {
		if list, ok := v.raw.([]any); ok {
			if len(list) == 0 {
				return value{}
			}
			v = open(list[0])
		}
		if v.hidden != "" {
			return v
		}
		m, ok := v.raw.(map[string]any)
		if !ok {
			return value{}
		}
		v = open(m[key])
	}
	return v
}

// each returns the objects of the list (or the one object) at a path, each as a resource of its own
// with r's name, so that the same readers work on them.
func (r Resource) each(path ...string) ([]Resource, value) {
	v := r.at(path...)
	list, ok := v.raw.([]any)
	if !ok && v.raw != nil {
		list = []any{v.raw}
	}
	var out []Resource
	for _, raw := range list {
		one := open(raw)
		if one.hidden != "" {
			return nil, one
		}
		if m, ok := one.raw.(map[string]any); ok {
			inner := r
			inner.Inputs, inner.Outputs = m, nil
			out = append(out, inner)
		}
	}
	return out, v
}

// decimal parses a whole number or decimal: "256" and "0.5", but not "1 vCPU", "NaN" or "0x1".
func decimal(text string) (float64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(text, "xXpP_") {
		return 0, false
	}
	return f, true
}

// asNumber reads a number, or a string that is one.
func asNumber(v value) (float64, error) {
	switch raw := v.raw.(type) {
	case float64:
		if raw >= 0 {
			return raw, nil
		}
	case string:
		if f, ok := decimal(strings.TrimSpace(raw)); ok && f >= 0 {
			return f, nil
		}
	}
	return 0, fmt.Errorf("is %s, no number that can be priced", short(v.raw))
}

// asVCPU reads the CPU of a Fargate task in vCPU: "256" units, or "1 vCPU" or ".25 vcpu" as ECS spells it.
func asVCPU(v value) (float64, error) {
	if text, ok := v.raw.(string); ok {
		if n, cut := strings.CutSuffix(strings.ToLower(strings.TrimSpace(text)), "vcpu"); cut {
			if f, ok := decimal(strings.TrimSpace(n)); ok && f >= 0 {
				return f, nil
			}
		}
	}
	units, err := asNumber(v)
	return units / 1024, err
}

// asGB reads the memory of a Fargate task in GB: "512" MiB, or "2 GB" or "1gb" as ECS spells it.
func asGB(v value) (float64, error) {
	if text, ok := v.raw.(string); ok {
		if n, cut := strings.CutSuffix(strings.ToLower(strings.TrimSpace(text)), "gb"); cut {
			if f, ok := decimal(strings.TrimSpace(n)); ok && f >= 0 {
				return f, nil
			}
		}
	}
	mib, err := asNumber(v)
	return mib / 1024, err
}

// short is a value in few characters, for a message.
func short(raw any) string {
	text := fmt.Sprintf("%q", fmt.Sprint(raw))
	if len(text) > 40 {
		return text[:36] + `..."`
	}
	return text
}
