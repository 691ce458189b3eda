package lint

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"

	"github.com/podid/podid/internal/policy"
)

// operator is a condition operator's name taken apart, in lower case.
type operator struct {
	base     string
	set      string // "forallvalues", "foranyvalue" or empty
	ifExists bool
}

func splitOperator(name string) operator {
	o := operator{base: strings.ToLower(name)}
	if set, base, ok := strings.Cut(o.base, ":"); ok {
		o.set, o.base = set, base
	}
	o.base, o.ifExists = strings.CutSuffix(o.base, "ifexists")
	return o
}

// operatorWords are the parts of operator names in their one spelling.
var operatorWords = strings.Fields(`ForAllValues: ForAnyValue: StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase
StringLike StringNotLike NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals
DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals Bool BinaryEquals IpAddress NotIpAddress
ArnEquals ArnLike ArnNotEquals ArnNotLike Null IfExists`)

// canonicalOperator is the spelling of the reference.
func canonicalOperator(name string) string {
	o := splitOperator(name)
	var out string
	for _, w := range operatorWords {
		switch strings.ToLower(w) {
		case o.set + ":":
			out = w + out
		case o.base:
			out += w
		}
	}
	if o.ifExists {
		out += "IfExists"
	}
	return out
}

func (c *checker) conditions(s *policy.Statement) {
	if !s.Unconditional && len(s.Conditions) == 0 {
		c.add("empty-condition", s.Offset, "Condition without an operator")
	}
	for i := range s.Conditions {
		block := &s.Conditions[i]
		name := block.Name.Value
		if len(block.Keys) == 0 {
			c.add("empty-condition", block.Name.Offset, "%s without a condition key", name)
			continue
		}
		if canonical := canonicalOperator(name); canonical != name {
			c.add("operator-case", block.Name.Offset, "%s is written %s", name, canonical)
		}
		for j := range block.Keys {
			c.condition(s, splitOperator(name), name, &block.Keys[j])
		}
	}
	c.pairs(s)
}

func (c *checker) condition(s *policy.Statement, o operator, name string, k *policy.ConditionKey) {
	key, found, complete := findKey(k.Name.Value)
	at := k.Name.Offset
	switch {
	case !found && complete:
		c.add("unknown-condition-key", at, "there is no condition key %s", k.Name.Value)
	case found && strings.EqualFold(key.name, "aws:SourceOwner"):
		c.add("deprecated-key", at, "aws:SourceOwner is deprecated; aws:SourceAccount takes its place")
	case found && o.base != "null" && !key.typ.fits(o.base):
		c.add("condition-type-mismatch", at, "%s holds a %s value, which %s does not compare", key.name, key.typ, name)
	}
	if found && o.base != "null" {
		c.setOperator(s, o, key, k)
	}
	if len(k.Values) == 0 {
		c.add("empty-list", at, "%s has no values", k.Name.Value)
	}
	if o.base == "bool" && len(k.Values) > 1 {
		c.add("multiple-bool-values", k.Values[1].Offset, "%s has %d values; true and false together match whatever the request has", k.Name.Value, len(k.Values))
	}
	if allowed := o.base == "bool" && !o.ifExists && !allows(s); allowed && strings.EqualFold(k.Name.Value, "aws:MultiFactorAuthPresent") &&
		len(k.Values) == 1 && strings.EqualFold(k.Values[0].Value, "false") {
		c.add("mfa-bool-deny", at, "aws:MultiFactorAuthPresent is absent for long-term keys, and then this Deny does not apply; BoolIfExists covers them")
	}
	for i := range k.Values {
		c.value(o, name, k.Name.Value, &k.Values[i])
	}
	c.redundantValues(o, k)
}

func (c *checker) setOperator(s *policy.Statement, o operator, key conditionKey, k *policy.ConditionKey) {
	at := k.Name.Offset
	switch {
	case key.multi && o.set == "":
		c.add("missing-set-operator", at, "%s holds several values: put ForAllValues: or ForAnyValue: before the operator", key.name)
	case !key.multi && o.set != "":
		c.add("set-operator-on-single-value", at, "%s holds one value: the operator needs no set prefix", key.name)
	case o.set == "forallvalues" && allows(s) && !has(s, k.Name.Value, func(n string) bool { return strings.EqualFold(n, "Null") }):
		c.add("for-all-values-allow", at, `the request may come without %s; add "Null": {"%s": "false"}`, key.name, k.Name.Value)
	}
}

func (c *checker) value(o operator, name, key string, v *policy.Text) {
	switch {
	case strings.HasPrefix(o.base, "numeric"):
		if _, err := strconv.ParseFloat(v.Value, 64); err != nil || strings.Trim(v.Value, "+-.0123456789") != "" {
			c.add("invalid-value", v.Offset, "%q is not a number", v.Value)
		}
	case o.base == "bool" || o.base == "null":
		if !strings.EqualFold(v.Value, "true") && !strings.EqualFold(v.Value, "false") {
			c.add("invalid-value", v.Offset, "%q is neither true nor false", v.Value)
		}
	case o.base == "binaryequals":
		if _, err := base64.StdEncoding.DecodeString(v.Value); err != nil {
			c.add("invalid-value", v.Offset, "%q is not base64", v.Value)
		}
	case strings.HasSuffix(o.base, "ipaddress"):
		c.address(key, v)
	case strings.HasPrefix(o.base, "date"):
		if len(v.Value) > 4 && strings.Trim(v.Value, "0123456789") == "" && !strings.EqualFold(key, "aws:EpochTime") {
			c.add("epoch-date", v.Offset, "%s is a date in seconds since 1970; write it as 2026-01-31T00:00:00Z", v.Value)
		}
	case strings.HasPrefix(o.base, "string"):
		plain := strings.NewReplacer("${*}", "", "${?}", "").Replace(v.Value)
		if !strings.HasSuffix(o.base, "like") && strings.ContainsAny(plain, "*?") {
			c.add("wildcard-without-like", v.Offset, "%s takes the wildcard in %q literally; StringLike or StringNotLike does not", name, v.Value)
		}
	}
	if !c.o.Variables() && strings.Contains(v.Value, "${") {
		c.add("variable-in-old-version", v.Offset, "%q is ordinary text in this version", v.Value)
	}
}

func (c *checker) address(key string, v *policy.Text) {
	p, err := netip.ParsePrefix(v.Value)
	if a, e := netip.ParseAddr(v.Value); err != nil && e == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		c.add("invalid-value", v.Offset, "%q is neither an address nor a CIDR block", v.Value)
	case p.Masked().Addr() != p.Addr():
		c.add("cidr-host-bits", v.Offset, "%s means %s", v.Value, p.Masked())
	case strings.EqualFold(key, "aws:SourceIp") && p.Addr().IsPrivate():
		c.add("private-source-ip", v.Offset, "%s is private; aws:SourceIp is the public address (aws:VpcSourceIp is the one inside a VPC)", v.Value)
	}
}

// pairs looks for condition keys that need another one beside them.
func (c *checker) pairs(s *policy.Statement) {
	for i := range s.Conditions {
		o := splitOperator(s.Conditions[i].Name.Value)
		for j := range s.Conditions[i].Keys {
			k := &s.Conditions[i].Keys[j].Name
			switch {
			case strings.EqualFold(k.Value, "aws:Ec2InstanceSourcePrivateIPv4") && !has(s, "aws:Ec2InstanceSourceVpc", anyOperator):
				c.add("missing-paired-key", k.Offset, "add a condition on aws:Ec2InstanceSourceVpc")
			case strings.EqualFold(k.Value, "aws:SourceIp") && o.base == "notipaddress" && !allows(s) &&
				!has(s, "aws:ViaAWSService", anyOperator) && !has(s, "aws:PrincipalIsAWSService", anyOperator):
				c.add("source-ip-without-via-service", k.Offset, `add "Bool": {"aws:ViaAWSService": "false"}, or services that act for the caller are denied`)
			}
		}
	}
}
