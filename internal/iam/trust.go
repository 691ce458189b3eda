package iam

import (
	"cmp"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// checkTrust holds the rules of a trust policy: its grammar, its size, and that every AWS principal it names exists. A role that
// is being made does not exist yet and cannot trust itself.
//
// The policy is kept with unique ids in place of the ARNs of users and roles: one that is deleted and made again under its old
// name is somebody else and is not let in. [Directory.Printed] turns them back.
//
// spec: iam-policy.md 1.5, 9, 12
func checkTrust(tx *store.Tx, r *Role, quotas quota.Set) error {
	doc, err := parseDocument(policy.Trust, r.Trust)
	if err != nil {
		return err
	}
	if most := quotas.Of(quota.TrustPolicySize); policy.Size(doc.Text()) > most {
		return fault.New(fault.Limit, subjectRole, "Cannot exceed quota for ACLSizePerRole: %d", most)
	}
	known := txReader{tx: tx}
	text, err := byID(&known, doc)
	if known.err != nil {
		return known.err
	}
	if err != nil {
		return err
	}
	r.Trust = policy.NewSource(text)
	return nil
}

// byID is a document's text with unique ids in place of the ARNs of users and roles. A principal that does not exist is
// fault.Invalid, subject "policy document".
func byID(known reader, doc *policy.Document) (string, error) {
	ids := map[string]string{}
	for _, p := range doc.Principals() {
		if p.Type != "AWS" {
			continue
		}
		id, ok := principalID(known, p.Value)
		if !ok {
			return "", fault.New(fault.Invalid, subjectDocument, "%s", p.Refused().Message)
		}
		ids[p.Value] = id
	}
	return policy.ReplacePrincipals(doc.Text(), func(name string) string { return cmp.Or(ids[name], name) })
}

// ByID is the text under which the policy of a resource is kept: with unique ids in place of the ARNs of users and roles, as in
// a trust policy. fault.Invalid when it names a principal of type AWS that does not exist. spec: iam-policy.md 9
func (d *Directory) ByID(doc *policy.Document) (string, error) {
	return byID(snapshotReader{d.db.Snapshot()}, doc)
}

// Printed is the text of a stored trust or resource policy as it is shown: with the ARNs of the users and roles that still exist. Of those that do
// not, the unique id is all that is left.
func (d *Directory) Printed(kept *policy.Source) string {
	s := d.db.Snapshot()
	text, err := policy.ReplacePrincipals(kept.String(), func(id string) string {
		if p, ok := uniqueIDs.Get(s, store.Key{id}); ok {
			return p.ARN
		}
		return id
	})
	if err != nil {
		return kept.String()
	}
	return text
}
