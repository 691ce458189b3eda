package policy

import "strings"

// family groups the condition operators that compare in the same way.
type family uint8

const (
	familyString family = iota
	familyNumeric
	familyDate
	familyBool
	familyBinary
	familyIP
	familyARN
	familyNull
)

// relation is how a request value (left) has to stand to a policy value (right).
type relation uint8

const (
	equal relation = iota
	equalFold
	like
	less
	lessEqual
	greater
	greaterEqual
)

// quantifier is the set prefix of an operator.
type quantifier uint8

const (
	single quantifier = iota
	forAllValues
	forAnyValue
)

// operator is a condition operator taken apart. spec: iam-policy.md 5.2, 5.3
type operator struct {
	name     string // canonical, without prefix and suffix
	family   family
	relation relation
	negated  bool
	ifExists bool
	set      quantifier
}

// String is the operator in canonical spelling.
func (o operator) String() string {
	s := o.name
	switch o.set {
	case forAllValues:
		s = "ForAllValues:" + s
	case forAnyValue:
		s = "ForAnyValue:" + s
	case single:
	}
	if o.ifExists {
		s += "IfExists"
	}
	return s
}

var operators = [...]operator{
	{name: "StringEquals", family: familyString},
	{name: "StringNotEquals", family: familyString, negated: true},
	{name: "StringEqualsIgnoreCase", family: familyString, relation: equalFold},
	{name: "StringNotEqualsIgnoreCase", family: familyString, relation: equalFold, negated: true},
	{name: "StringLike", family: familyString, relation: like},
	{name: "StringNotLike", family: familyString, relation: like, negated: true},
	{name: "NumericEquals", family: familyNumeric},
	{name: "NumericNotEquals", family: familyNumeric, negated: true},
	{name: "NumericLessThan", family: familyNumeric, relation: less},
	{name: "NumericLessThanEquals", family: familyNumeric, relation: lessEqual},
	{name: "NumericGreaterThan", family: familyNumeric, relation: greater},
	{name: "NumericGreaterThanEquals", family: familyNumeric, relation: greaterEqual},
	{name: "DateEquals", family: familyDate},
	{name: "DateNotEquals", family: familyDate, negated: true},
	{name: "DateLessThan", family: familyDate, relation: less},
	{name: "DateLessThanEquals", family: familyDate, relation: lessEqual},
	{name: "DateGreaterThan", family: familyDate, relation: greater},
	{name: "DateGreaterThanEquals", family: familyDate, relation: greaterEqual},
	{name: "Bool", family: familyBool},
	{name: "BinaryEquals", family: familyBinary},
	{name: "IpAddress", family: familyIP},
	{name: "NotIpAddress", family: familyIP, negated: true},
	{name: "ArnEquals", family: familyARN, relation: like},
	{name: "ArnLike", family: familyARN, relation: like},
	{name: "ArnNotEquals", family: familyARN, relation: like, negated: true},
	{name: "ArnNotLike", family: familyARN, relation: like, negated: true},
	{name: "Null", family: familyNull},
}

// parseOperator reads an operator name in any letter case. Null takes neither a set prefix nor IfExists.
func parseOperator(name string) (operator, bool) {
	rest, set := name, single
	if r, ok := cutPrefixFold(rest, "ForAllValues:"); ok {
		rest, set = r, forAllValues
	} else if r, ok := cutPrefixFold(rest, "ForAnyValue:"); ok {
		rest, set = r, forAnyValue
	}
	base, ifExists := rest, false
	if n := len(rest) - len("IfExists"); n > 0 && strings.EqualFold(rest[n:], "IfExists") {
		base, ifExists = rest[:n], true
	}
	for _, o := range operators {
		if strings.EqualFold(o.name, base) {
			o.set, o.ifExists = set, ifExists
			return o, o.family != familyNull || set == single && !ifExists
		}
	}
	return operator{}, false
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// takesVariables reports whether the operator's values may hold policy variables. spec: iam-policy.md 4
func (o operator) takesVariables() bool { return o.family == familyString || o.family == familyARN }
