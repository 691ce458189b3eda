package cases

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/podid/podid/internal/policy"
)

// document asks whether a text would be accepted as a policy.
type document struct {
	remarks

	PolicyType string `json:"policyType"`
	Document   string `json:"document"`
	Valid      bool   `json:"valid"`
	Message    string `json:"message"`
}

var policyTypes = map[string]policy.Kind{
	"identity": policy.Identity, "boundary": policy.Boundary, "session": policy.Session, "scp": policy.SCP, "rcp": policy.RCP,
	"trust": policy.Trust, "resource-s3": policy.Bucket,
}

func (d *document) run(out *Result) {
	out.Expect = validity(d.Valid)
	kind, ok := policyTypes[d.PolicyType]
	if !ok {
		out.Decision, out.Why = "error", fmt.Sprintf("unknown policyType %q", d.PolicyType)
		return
	}
	_, err := policy.Parse(kind, d.Document)
	out.Decision = validity(err == nil)
	if err == nil {
		return
	}
	out.Why = err.Error()
	if syntax, ok := errors.AsType[*policy.SyntaxError](err); ok && d.Message != "" && syntax.Message != d.Message {
		out.Why += fmt.Sprintf("; the row expects the text %q", d.Message)
	}
}

func validity(valid bool) string {
	if valid {
		return "valid"
	}
	return "invalid"
}

// equivalence asks whether two documents mean the same.
type equivalence struct {
	remarks

	PolicyType string          `json:"policyType"`
	A          json.RawMessage `json:"a"`
	B          json.RawMessage `json:"b"`
	Equivalent bool            `json:"equivalent"`
}

func (e *equivalence) run(out *Result) error {
	out.Expect = truth(e.Equivalent, "equivalent")
	same, err := policy.Equivalent(asText(e.A), asText(e.B))
	out.Decision = truth(same, "equivalent")
	return err
}

// publicity asks whether S3 calls a bucket policy public.
type publicity struct {
	remarks

	Policy json.RawMessage `json:"policy"`
	Public bool            `json:"public"`
}

func (p *publicity) run(out *Result) error {
	out.Expect = truth(p.Public, "public")
	d, err := policy.Compile(policy.Bucket, asText(p.Policy))
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	out.Decision = truth(d.Public(), "public")
	return nil
}

func truth(b bool, name string) string {
	if b {
		return name
	}
	return "not " + name
}

// asText is a document that is given as an object or as a string that holds one.
func asText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
