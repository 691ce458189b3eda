package arn

// Organization is an organization; management is the account that made it, whose id stands in every ARN of what is in it.
func Organization(management, id string) string {
	return global("organizations", management, "organization/"+id)
}

// OrganizationRoot is the root of an organization.
func OrganizationRoot(management, organization, id string) string {
	return global("organizations", management, "root/"+organization+"/"+id)
}

// OrganizationalUnit is an organizational unit.
func OrganizationalUnit(management, organization, id string) string {
	return global("organizations", management, "ou/"+organization+"/"+id)
}

// OrganizationAccount is an account as a member of an organization.
func OrganizationAccount(management, organization, account string) string {
	return global("organizations", management, "account/"+organization+"/"+account)
}

// OrganizationPolicy is a policy of an organization; kind is the policy type in lower case.
func OrganizationPolicy(management, organization, kind, id string) string {
	return global("organizations", management, "policy/"+organization+"/"+kind+"/"+id)
}

// ManagedOrganizationPolicy is a policy that AWS wrote and every organization has.
func ManagedOrganizationPolicy(kind, id string) string {
	return global("organizations", "aws", "policy/"+kind+"/"+id)
}

// Invitation is the handshake of an invitation.
func Invitation(management, organization, id string) string {
	return global("organizations", management, "handshake/"+organization+"/invite/"+id)
}
