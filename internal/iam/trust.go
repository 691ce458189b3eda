package iam

import (
	"encoding/json"
	"iter"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
)

// checkTrust holds the rules of a trust policy: its grammar, its size, and that every AWS principal it names exists. It fills
// TrustIDs. A role that is being made does not exist yet and cannot trust itself.
//
// spec: iam-policy.md 1.5, 9, 12
func (d *Directory) checkTrust(tx *store.Tx, r *Role) error {
	if _, err := parseDocument(policy.Trust, r.Trust); err != nil {
		return err
	}
	if policy.Size(r.Trust.String()) > policy.TrustQuota {
		return fault.New(fault.Limit, subjectRole, "Cannot exceed quota for ACLSizePerRole: %d", policy.TrustQuota)
	}
	ids := map[string]string{}
	for name := range awsPrincipals(r.Trust.String()) {
		id, ok, err := d.principalID(tx, name)
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.Invalid, subjectDocument, `Invalid principal in policy: "AWS":"%s"`, name)
		}
		if id != "" {
			ids[name] = id
		}
	}
	r.TrustIDs = ids
	return nil
}

// principalID tells whether a principal of a policy exists here, and its unique id where it is a user or a role.
func (d *Directory) principalID(tx *store.Tx, name string) (id string, ok bool, err error) {
	if name == "*" {
		return "", true, nil
	}
	if strings.HasPrefix(name, prefixUser) || strings.HasPrefix(name, prefixRole) {
		return name, d.idExists(name), nil
	}
	account, resource := name, "root"
	if a, err := arn.Parse(name); err == nil {
		if a.Partition != arn.Partition || a.Region != "" || a.Service != "iam" && a.Service != "sts" {
			return "", false, nil
		}
		account, resource = a.Account, a.Service+":"+a.Resource
	}
	if _, known, err := accounts.Read(tx, store.Key{account}); err != nil || !known {
		return "", false, err
	}
	kind, rest, _ := strings.Cut(resource, "/")
	switch kind {
	case "root", "iam:root":
		return "", true, nil
	case "iam:user":
		u, ok, err := users.Read(tx, named(account, lastElement(rest)))
		if err != nil || !ok || u.ARN() != name {
			return "", false, err
		}
		return u.ID, true, nil
	case "iam:role":
		r, ok, err := roles.Read(tx, named(account, lastElement(rest)))
		if err != nil || !ok || r.ARN() != name {
			return "", false, err
		}
		return r.ID, true, nil
	case "sts:assumed-role":
		role, session, _ := strings.Cut(rest, "/")
		r, ok, err := roles.Read(tx, named(account, role))
		return "", ok && session != "" && r.Name == role, err
	case "sts:federated-user":
		return "", rest != "", nil
	}
	return "", false, nil
}

// idExists looks for the user or role with a unique id. Ids never come back, so a picture that is a moment old is good enough.
func (d *Directory) idExists(id string) bool {
	s := d.db.Snapshot()
	for u := range values(users, s, nil) {
		if u.ID == id {
			return true
		}
	}
	for r := range values(roles, s, nil) {
		if r.ID == id {
			return true
		}
	}
	return false
}

func lastElement(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// awsPrincipals yields the AWS principals of a document that policy.Parse has accepted.
func awsPrincipals(text string) iter.Seq[string] {
	type statement struct {
		Principal json.RawMessage
	}
	return func(yield func(string) bool) {
		var doc struct{ Statement json.RawMessage }
		if json.Unmarshal([]byte(text), &doc) != nil {
			return
		}
		for _, s := range oneOrMany[statement](doc.Statement) {
			var typed struct{ AWS json.RawMessage }
			if json.Unmarshal(s.Principal, &typed) != nil {
				continue // "*"
			}
			for _, name := range oneOrMany[string](typed.AWS) {
				if !yield(name) {
					return
				}
			}
		}
	}
}

// oneOrMany reads a JSON value that is a T or a list of T.
func oneOrMany[T any](data json.RawMessage) []T {
	var many []T
	if json.Unmarshal(data, &many) == nil {
		return many
	}
	var one T
	if json.Unmarshal(data, &one) == nil {
		return []T{one}
	}
	return nil
}
