package iam

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/policy"
)

//go:embed awspolicy/*.json
var awsDocuments embed.FS

// awsCatalogue are the managed policies that every account has and nobody can change. Their documents say what each policy is for in
// terms of the services that are here and of those that tools name.
type awsCatalogue struct {
	ordered []*ManagedPolicy // by name, ignoring case
	byARN   map[string]*ManagedPolicy
}

// awsSince is when the policies came to be, as far as those who ask are told: they are as old as podid's first copy of them.
var awsSince = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

var catalogue = sync.OnceValue(func() awsCatalogue {
	files, err := awsDocuments.ReadDir("awspolicy")
	if err != nil {
		panic(fmt.Sprintf("iam: the embedded policies: %v", err))
	}
	c := awsCatalogue{byARN: make(map[string]*ManagedPolicy, len(files))}
	for _, file := range files {
		p, err := readAWSPolicy(file.Name())
		if err != nil {
			panic(fmt.Sprintf("iam: the embedded policy %s: %v", file.Name(), err))
		}
		c.ordered, c.byARN[p.ARN()] = append(c.ordered, p), p
	}
	slices.SortFunc(c.ordered, func(a, b *ManagedPolicy) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return c
})

func readAWSPolicy(file string) (*ManagedPolicy, error) {
	text, err := awsDocuments.ReadFile("awspolicy/" + file)
	if err != nil {
		return nil, err
	}
	var kept struct {
		Path        string
		Description string
		Document    json.RawMessage
	}
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, err
	}
	var document bytes.Buffer
	if err := json.Compact(&document, kept.Document); err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(file, ".json")
	id := sha256.Sum256([]byte(name)) // the same on every replica
	return &ManagedPolicy{
		Account: awsAccount, Path: kept.Path, Name: name, Description: kept.Description,
		ID:        prefixPolicy + base32.StdEncoding.EncodeToString(id[:])[:entityIDLength-len(prefixPolicy)],
		CreatedAt: awsSince, UpdatedAt: awsSince, Default: "v1", NextVersion: 2,
		Versions: []PolicyVersion{{ID: "v1", Document: policy.NewSource(document.String()), CreatedAt: awsSince}},
	}, nil
}

func awsPolicy(policyARN string) (*ManagedPolicy, bool) {
	p, ok := catalogue().byARN[policyARN]
	return p, ok
}

// AWSPolicies yields the managed policies of AWS in the order of names, ignoring case. Their counts are zero: see
// [Directory.PolicyUses].
func (d *Directory) AWSPolicies() iter.Seq[*ManagedPolicy] { return slices.Values(catalogue().ordered) }

// PolicyUse is how often an account attached a policy, and how often it set it as a boundary.
type PolicyUse struct{ Attachments, Boundaries int }

// PolicyUses are an account's uses of AWS's managed policies, by ARN. One policy is everybody's, so that each account counts its own.
func (d *Directory) PolicyUses(account string) map[string]PolicyUse {
	uses := map[string]PolicyUse{}
	for holder := range d.Holders(account) {
		for _, policyARN := range holder.Attached {
			if isAWSPolicy(policyARN) {
				use := uses[policyARN]
				use.Attachments++
				uses[policyARN] = use
			}
		}
		if isAWSPolicy(holder.Boundary) {
			use := uses[holder.Boundary]
			use.Boundaries++
			uses[holder.Boundary] = use
		}
	}
	return uses
}

func isAWSPolicy(policyARN string) bool {
	return strings.HasPrefix(policyARN, arn.Policy(awsAccount, "/", ""))
}

// IsAWS tells whether a policy is one of AWS's.
func (p *ManagedPolicy) IsAWS() bool { return p.Account == awsAccount }
