// Package quota holds the limits on how much there may be: AWS's defaults, and what the operator of a control plane set instead.
//
// It counts nothing. Who owns the things that are counted asks [Set.Of] for the limit and words the refusal as AWS does.
//
// spec: pod-identity.md 6.6, 8; iam-policy.md 2
package quota

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Name is a quota, as people write it: "associations-per-cluster".
type Name string

// The quotas. Those of IAM are named after AWS's own names for them (RolesPerAccount), which its refusals quote.
const (
	AssociationsPerCluster   Name = "associations-per-cluster"
	ClustersPerAccount       Name = "clusters-per-account"
	RegisteredClusters       Name = "registered-clusters-per-account"
	NodegroupsPerCluster     Name = "nodegroups-per-cluster"
	AccessEntriesPerCluster  Name = "access-entries-per-cluster"
	UsersPerAccount          Name = "users-per-account"
	GroupsPerAccount         Name = "groups-per-account"
	RolesPerAccount          Name = "roles-per-account"
	PoliciesPerAccount       Name = "policies-per-account"
	InstanceProfiles         Name = "instance-profiles-per-account"
	ProvidersPerAccount      Name = "oidc-providers-per-account"
	AttachedPoliciesPerUser  Name = "attached-policies-per-user"
	AttachedPoliciesPerGroup Name = "attached-policies-per-group"
	AttachedPoliciesPerRole  Name = "attached-policies-per-role"
	GroupsPerUser            Name = "groups-per-user"
	AccessKeysPerUser        Name = "access-keys-per-user"
	TrustPolicySize          Name = "trust-policy-size"
	ManagedPolicySize        Name = "managed-policy-size"
	InlinePolicySizePerUser  Name = "inline-policy-size-per-user"
	InlinePolicySizePerGroup Name = "inline-policy-size-per-group"
	InlinePolicySizePerRole  Name = "inline-policy-size-per-role"
	BucketsPerAccount        Name = "buckets-per-account"
	AccountsPerOrganization  Name = "accounts-per-organization"
	UnitsPerOrganization     Name = "organizational-units-per-organization"
	SCPsPerTarget            Name = "scps-per-target"
	RCPsPerTarget            Name = "rcps-per-target"
	SCPSize                  Name = "scp-size"
	RCPSize                  Name = "rcp-size"
)

// Quota is one limit.
type Quota struct {
	Name    Name
	Default int
	About   string // what is counted, for a person
}

// quotas are all of them, in the order in which people are shown them.
var quotas = []Quota{
	{AssociationsPerCluster, 5000, "pod identity associations of a cluster"},
	{ClustersPerAccount, 100, "clusters of an account"},
	{RegisteredClusters, 10, "registered clusters of an account"},
	{NodegroupsPerCluster, 30, "node groups of a cluster"},
	{AccessEntriesPerCluster, 500, "access entries of a cluster"},
	{UsersPerAccount, 5000, "IAM users of an account"},
	{GroupsPerAccount, 300, "IAM groups of an account"},
	{RolesPerAccount, 1000, "IAM roles of an account"},
	{PoliciesPerAccount, 1500, "customer managed policies of an account"},
	{InstanceProfiles, 1000, "instance profiles of an account"},
	{ProvidersPerAccount, 100, "OpenID Connect providers of an account"},
	{AttachedPoliciesPerUser, 10, "managed policies attached to a user"},
	{AttachedPoliciesPerGroup, 10, "managed policies attached to a group"},
	{AttachedPoliciesPerRole, 10, "managed policies attached to a role"},
	{GroupsPerUser, 10, "groups that a user is in"},
	{AccessKeysPerUser, 2, "access keys of a user"},
	{TrustPolicySize, 2048, "characters of a role's trust policy, white space not counted"},
	{ManagedPolicySize, 6144, "characters of a managed policy, white space not counted"},
	{InlinePolicySizePerUser, 2048, "characters of a user's inline policies together"},
	{InlinePolicySizePerGroup, 5120, "characters of a group's inline policies together"},
	{InlinePolicySizePerRole, 10240, "characters of a role's inline policies together"},
	{BucketsPerAccount, 10000, "buckets of an account"},
	{AccountsPerOrganization, 10, "accounts of an organization, the management account among them"},
	{UnitsPerOrganization, 2000, "organizational units of an organization"},
	{SCPsPerTarget, 10, "service control policies attached to a root, unit or account"},
	{RCPsPerTarget, 5, "resource control policies attached to a root, unit or account"},
	{SCPSize, 10240, "characters of a service control policy"},
	{RCPSize, 5120, "characters of a resource control policy"},
}

// All are the quotas with their defaults.
func All() []Quota { return slices.Clone(quotas) }

// Set is the quotas of one control plane. The zero Set is AWS's defaults. It must not be changed while it is in use.
type Set struct {
	set map[Name]int
}

// Of is a limit. A name that is not one of this package's allows nothing.
func (s Set) Of(name Name) int {
	if n, ok := s.set[name]; ok {
		return n
	}
	if i := slices.IndexFunc(quotas, func(q Quota) bool { return q.Name == name }); i >= 0 {
		return quotas[i].Default
	}
	return 0
}

// maxValue keeps arithmetic on limits far from overflow.
const maxValue = 1 << 30

// Parse reads settings of the form NAME=NUMBER; of two for one name the later counts. A number is 0 or more.
func Parse(settings []string) (Set, error) {
	s := Set{set: make(map[Name]int)}
	for _, setting := range settings {
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return Set{}, fmt.Errorf("quota %q: want NAME=NUMBER", setting)
		}
		if !slices.ContainsFunc(quotas, func(q Quota) bool { return q.Name == Name(name) }) {
			return Set{}, fmt.Errorf("there is no quota %q; there are %s", name, strings.Join(names(), ", "))
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxValue {
			return Set{}, fmt.Errorf("quota %s: %q is not a number from 0 to %d", name, value, maxValue)
		}
		s.set[Name(name)] = n
	}
	return s, nil
}

// With is the set with one quota set to n: for tests and for callers that have no text to parse.
func (s Set) With(name Name, n int) Set {
	set := maps.Clone(s.set)
	if set == nil {
		set = make(map[Name]int)
	}
	set[name] = n
	return Set{set: set}
}

func names() []string {
	list := make([]string, len(quotas))
	for i, q := range quotas {
		list[i] = string(q.Name)
	}
	return list
}
