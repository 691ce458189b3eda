package authz

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/credential"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
)

// checkSessionPolicies holds that every session policy is one: inline documents are valid, and managed ones are there, of the account
// or of AWS. spec: iam-policy.md 2
func (a *Authorizer) checkSessionPolicies(documents, arns []string, account string) error {
	total := 0
	for _, text := range documents {
		if _, err := policy.Parse(policy.Session, text); err != nil {
			return fault.New(fault.Invalid, "policy document", "%s", err.Error())
		}
		total += utf8.RuneCountInString(text)
	}
	for _, policyARN := range arns {
		total += len(policyARN)
		name, err := arn.Parse(policyARN)
		if _, ok := a.iam.FindPolicy(policyARN); !ok || err != nil || name.Account != account && name.Account != awsAccount {
			return fault.New(fault.Invalid, "policy document", "ARN %s is not valid: there is no such policy in the account %s", policyARN, account)
		}
	}
	if total > maxSessionPolicy {
		return fault.New(fault.Limit, "session policy",
			"Packed size of session policies is over the limit: they may have %d characters together", maxSessionPolicy)
	}
	return nil
}

// awsAccount stands where the account id is in the ARNs of AWS's own managed policies.
const awsAccount = "aws"

// session gathers a session's policies. A managed one that is gone denies: it may have held a Deny.
func (a *Authorizer) session(g *gathered, s *credential.Session) {
	for _, text := range s.SessionPolicies {
		g.limit(policy.NewSource(text).As(policy.Session), "")
	}
	for _, policyARN := range s.PolicyARNs {
		document := policy.NewSource("").As(policy.Session)
		if p, ok := a.iam.FindPolicy(policyARN); ok {
			document = p.Document().As(policy.Session)
		}
		g.limit(document, policyARN)
	}
}

func (g *gathered) limit(d *policy.Document, name string) {
	g.set.Session = append(g.set.Session, d)
	if g.names != nil {
		g.names.Session = append(g.names.Session, name)
	}
}

// maxPacked is how many bytes session policies and tags may pack into. A policy of the longest plain text stays below it whatever is in
// it, 50 tags of the longest do not, and a session that keeps to it fits its token. spec: iam-policy.md 7.5
const maxPacked = 2048

// PackedSize is the share of [maxPacked] that a session's policies and tags take, in percent; 0 where it has neither.
func PackedSize(s *credential.Session) int {
	return packed(s.SessionPolicies, s.PolicyARNs, s.SessionTags)
}

// checkPacked refuses what does not pack. What is short enough as it is is not packed: pods' sessions come here by the thousand.
func checkPacked(documents, arns []string, tags map[string]string) error {
	plain := 0
	for _, list := range [][]string{documents, arns} {
		for _, text := range list {
			plain += len(text) + 1
		}
	}
	for k, v := range tags {
		plain += len(k) + len(v) + 2
	}
	if plain < maxPacked {
		return nil
	}
	percent := packed(documents, arns, tags)
	if percent <= 100 {
		return nil
	}
	if len(documents)+len(arns) == 0 {
		return fault.New(fault.Limit, "session policy", "Packed size of session tags consumes %d%% of allotted space.", percent)
	}
	return fault.New(fault.Limit, "session policy", "Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)
}

func packed(documents, arns []string, tags map[string]string) int {
	if len(documents)+len(arns)+len(tags) == 0 {
		return 0
	}
	var plain, small bytes.Buffer
	for _, text := range documents {
		if json.Compact(&plain, []byte(text)) != nil {
			plain.WriteString(text)
		}
		plain.WriteByte(0)
	}
	plain.WriteString(strings.Join(arns, "\x00"))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		plain.WriteString("\x00" + k + "\x00" + tags[k])
	}
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&small)
	_, _ = w.Write(plain.Bytes()) // a buffer takes every write
	_ = w.Close()
	size := min(small.Len(), plain.Len())
	return (100*size + maxPacked - 1) / maxPacked
}

// packers keeps the machinery of deflate, which is large.
var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestCompression) // the level is a valid one
	return w
}}
