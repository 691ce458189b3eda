package cluster

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
)

// The scopes of an access policy.
const (
	ClusterScope   = "cluster"
	NamespaceScope = "namespace"
)

const (
	subjectAccessPolicy = "access policy"

	maxScopeNamespaces = 50
	accessPolicyPrefix = "arn:" + arn.Partition + ":eks::aws:cluster-access-policy/"
	clusterAdminPolicy = accessPolicyPrefix + "AmazonEKSClusterAdminPolicy"
)

// accessPolicies are the names of the access policies of EKS that an access entry may have, in order.
var accessPolicies = []string{
	"AmazonEKSAdminPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSAutoNodePolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSEditPolicy",
	"AmazonEKSSecretReaderPolicy", "AmazonEKSViewPolicy",
}

// AccessPolicy is a set of Kubernetes permissions that EKS has a name for. Here it is a name.
type AccessPolicy struct {
	Name, ARN string
}

// AccessPolicies lists the access policies in the order of names.
func AccessPolicies() []AccessPolicy {
	list := make([]AccessPolicy, 0, len(accessPolicies))
	for _, name := range accessPolicies {
		list = append(list, AccessPolicy{Name: name, ARN: accessPolicyPrefix + name})
	}
	return list
}

// AssociatedPolicy is an access policy that an access entry has.
type AssociatedPolicy struct {
	ARN          string    `json:"arn"`
	Scope        string    `json:"scope"`
	Namespaces   []string  `json:"namespaces,omitempty"`
	AssociatedAt time.Time `json:"associatedAt"`
	ModifiedAt   time.Time `json:"modifiedAt"`
}

// check holds the scope, and that the policy exists.
func (p *AssociatedPolicy) check() error {
	name, ok := strings.CutPrefix(p.ARN, accessPolicyPrefix)
	if !ok || !slices.Contains(accessPolicies, name) {
		return fault.New(fault.NotFound, subjectAccessPolicy, "The specified policyArn could not be found. "+
			"You can view the available access policies with 'list-access-policies'.")
	}
	switch {
	case p.Scope == ClusterScope && len(p.Namespaces) == 0:
		return nil
	case p.Scope == ClusterScope:
		return badEntry("An access scope of type cluster has no namespaces")
	case p.Scope != NamespaceScope:
		return badEntry("The type of the access scope is cluster or namespace, not %s", quoted(p.Scope))
	case len(p.Namespaces) == 0 || len(p.Namespaces) > maxScopeNamespaces:
		return badEntry("An access scope of type namespace has 1 to %d namespaces", maxScopeNamespaces)
	}
	for _, n := range p.Namespaces {
		// The last character may be the wildcard, as in dev-*.
		bare := strings.TrimSuffix(n, "*")
		if bare != n && (bare == "" || strings.HasSuffix(bare, "-")) {
			bare += "x"
		}
		if err := checkNamespace(bare); err != nil {
			return badEntry("%s", fault.Of(err).Public)
		}
	}
	return nil
}

// AssociateAccessPolicy gives an access policy to an access entry; one that it has already gets the scope that is given.
func (r *Registry) AssociateAccessPolicy(ctx context.Context, account, cluster, principal string, p AssociatedPolicy) (*AssociatedPolicy, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	out := new(AssociatedPolicy)
	_, err := r.changeEntry(ctx, account, cluster, principal, func(e *AccessEntry) error {
		if !entryTypes[e.Type].policies {
			return badEntry("An access entry of type %s has no access policies", e.Type)
		}
		*out = p
		out.AssociatedAt, out.ModifiedAt = e.ModifiedAt, e.ModifiedAt
		i, had := slices.BinarySearchFunc(e.Policies, p.ARN, byARN)
		if had {
			out.AssociatedAt = e.Policies[i].AssociatedAt
			e.Policies[i] = *out
		} else {
			e.Policies = slices.Insert(e.Policies, i, *out)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DisassociateAccessPolicy takes an access policy from an access entry.
func (r *Registry) DisassociateAccessPolicy(ctx context.Context, account, cluster, principal, policyARN string) (*AccessEntry, error) {
	return r.changeEntry(ctx, account, cluster, principal, func(e *AccessEntry) error {
		i, had := slices.BinarySearchFunc(e.Policies, policyARN, byARN)
		if !had {
			return fault.New(fault.NotFound, subjectAccessPolicy, "The specified policyArn is not associated with the access entry")
		}
		e.Policies = slices.Delete(e.Policies, i, i+1)
		return nil
	})
}

func byARN(p AssociatedPolicy, policyARN string) int { return strings.Compare(p.ARN, policyARN) }
