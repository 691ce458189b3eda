package policy

import (
	"net/netip"
	"strings"
)

// Public reports whether S3 Block Public Access calls the bucket policy public: unless every Allow statement is limited by fixed values
// to known principals, networks or sources, it is. Deny statements do not count. spec: iam-policy.md 11.4
func (d *Document) Public() bool {
	for i := range d.statements {
		if s := &d.statements[i]; !s.deny && !s.fixedPrincipals() && !s.fixedConditions() {
			return true
		}
	}
	return false
}

func (s *statement) fixedPrincipals() bool {
	if s.principals == nil || s.principals.not {
		return false
	}
	for _, e := range s.principals.entries {
		if e.kind == entryEveryone || e.kind == entryEveryAWS {
			return false
		}
	}
	return true
}

// fixedConditions reports whether one condition limits the statement; conditions are ANDed, so one is enough.
func (s *statement) fixedConditions() bool {
	for i := range s.conditions {
		if s.conditions[i].fixed() {
			return true
		}
	}
	return false
}

// limitingKeys are the keys whose fixed values make a statement non-public.
var limitingKeys = [...]string{
	"aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalServiceName",
	"aws:PrincipalServiceNamesList", "aws:SourceArn", "aws:SourceVpc", "aws:SourceVpce", "aws:SourceOwner", "aws:SourceAccount",
	"s3:x-amz-server-side-encryption-aws-kms-key-id", "aws:userid", "s3:DataAccessPointArn", "s3:DataAccessPointAccount",
}

func (c *condition) fixed() bool {
	o := c.operator
	if o.negated || o.ifExists || o.set == forAllValues || len(c.operands) == 0 {
		return false
	}
	if strings.EqualFold(c.key.name, "aws:SourceIp") {
		return o.family == familyIP && c.narrowBlocks()
	}
	if o.family != familyString && o.family != familyARN || !contains(limitingKeys[:], c.key.name) {
		return false
	}
	accessPoint := strings.EqualFold(c.key.name, "s3:DataAccessPointArn")
	for i := range c.operands {
		p := &c.operands[i].pattern
		if p.shape != shapeExact && (!accessPoint || p.variables || !fixedAccount(p.source)) {
			return false
		}
	}
	return true
}

// fixedAccount reports whether only the resource part of an access point's ARN is open.
func fixedAccount(source string) bool {
	f := strings.SplitN(source, ":", 6)
	return len(f) == 6 && !strings.ContainsAny(strings.Join(f[:5], ":"), "*?") && strings.HasPrefix(f[5], "accesspoint/")
}

// narrowBlocks reports whether all address blocks are private or no broader than /8 (IPv4) and /32 (IPv6).
func (c *condition) narrowBlocks() bool {
	for i := range c.operands {
		b := c.operands[i].block
		least := 8
		if b.Addr().Is6() {
			least = 32
		}
		if !c.operands[i].valid || b.Bits() < least && !privateBlock(b) {
			return false
		}
	}
	return true
}

func privateBlock(b netip.Prefix) bool {
	return b.Addr().IsPrivate() && b.Bits() >= 7 // fc00::/7, the broadest private block
}
