package iam

import (
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/store"
)

// Summary is what an account has of everything, and how much it may have, by AWS's names for the numbers.
func (d *Directory) Summary(account string) map[string]int {
	s, key := d.db.Snapshot(), store.Key{account}
	versions := 0
	for _, p := range policies.All(s, key) {
		versions += len(p.Versions)
	}
	rootKeys := 0
	if a, ok := accounts.Get(s, key); ok {
		rootKeys = min(len(a.RootKeys), 1) // a flag
	}
	summary := map[string]int{
		"Users":                    count(users, s, key),
		"Groups":                   count(groups, s, key),
		"Roles":                    count(roles, s, key),
		"Policies":                 count(policies, s, key),
		"PolicyVersionsInUse":      versions,
		"InstanceProfiles":         count(profiles, s, key),
		"Providers":                count(providers, s, key),
		"AccountAccessKeysPresent": rootKeys,
		"VersionsPerPolicyQuota":   maxVersions,

		// What there is none of.
		"AccountMFAEnabled": 0, "AccountPasswordPresent": 0, "AccountSigningCertificatesPresent": 0, "MFADevices": 0, "MFADevicesInUse": 0,
		"ServerCertificates": 0, "ServerCertificatesQuota": 0, "SigningCertificatesPerUserQuota": 0, "GlobalEndpointTokenVersion": 1,
	}
	for called, name := range map[string]quota.Name{
		"UsersQuota": quota.UsersPerAccount, "GroupsQuota": quota.GroupsPerAccount, "RolesQuota": quota.RolesPerAccount,
		"PoliciesQuota": quota.PoliciesPerAccount, "InstanceProfilesQuota": quota.InstanceProfiles,
		"GroupsPerUserQuota": quota.GroupsPerUser, "AccessKeysPerUserQuota": quota.AccessKeysPerUser,
		"AttachedPoliciesPerUserQuota": quota.AttachedPoliciesPerUser, "AttachedPoliciesPerGroupQuota": quota.AttachedPoliciesPerGroup,
		"AttachedPoliciesPerRoleQuota": quota.AttachedPoliciesPerRole, "UserPolicySizeQuota": quota.InlinePolicySizePerUser,
		"GroupPolicySizeQuota": quota.InlinePolicySizePerGroup, "RolePolicySizeQuota": quota.InlinePolicySizePerRole,
		"PolicySizeQuota": quota.ManagedPolicySize, "AssumeRolePolicySizeQuota": quota.TrustPolicySize,
	} {
		summary[called] = d.quotas.Of(name)
	}
	summary["PolicyVersionsInUseQuota"] = summary["PoliciesQuota"] * maxVersions
	return summary
}
