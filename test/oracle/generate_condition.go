package oracle

import "strings"

// subject is a condition key with its operators' family, and what policies and requests say about it.
type subject struct {
	key      string
	family   string
	operands []string
	values   []string
	many     bool
}

var subjects = []subject{
	{key: "aws:username", family: "String", operands: []string{"ann", "Ann", "a*", "*", "", "${aws:PrincipalTag/team}", "b?b"}, values: []string{"ann", "bob", "ANN"}},
	{
		key: "aws:PrincipalTag/team", family: "String", operands: []string{"ann", "${aws:username}", "${aws:username, 'bob'}", "b${?}b", "BOB", "*b"},
		values: []string{"ann", "bob", "b?b", "", "*"},
	},
	{key: "aws:TagKeys", family: "String", operands: []string{"ann", "b*", "C", "${aws:username}"}, values: []string{"ann", "bob", "c"}, many: true},
	{key: "s3:prefix", family: "String", operands: []string{"ann/*", "", "*", "${aws:username}/*"}, values: []string{"", "ann/x", "bob/"}},
	{
		key: "aws:MultiFactorAuthAge", family: "Numeric", operands: []string{"10", "10.0", "-1", "3600", "007"},
		values: []string{"10", "10.00", "3600", "-1", "x", "9.99"},
	},
	{
		key: "aws:CurrentTime", family: "Date", operands: []string{"2024-01-02", "2024-01-02T03:04:05Z", "1704164645", "2024-01-02T04:04:05+01:00", "2023"},
		values: []string{"2024-01-02T03:04:05Z", "2024-01-02T00:00:00Z", "1704164645", "2023-06-01T00:00:00Z", "soon"},
	},
	{key: "aws:SecureTransport", family: "Bool", operands: []string{"true", "false", "TRUE"}, values: []string{"true", "false", "True"}},
	{
		key: "aws:SourceIp", family: "Ip", operands: []string{"203.0.113.0/24", "203.0.113.7", "2001:db8::/32", "10.1.2.3/8", "0.0.0.0/0"},
		values: []string{"203.0.113.7", "10.9.9.9", "2001:db8::1", "::ffff:203.0.113.7", "nowhere"},
	},
	{
		key: "aws:SourceArn", family: "Arn",
		operands: []string{
			"arn:aws:sqs:*:111122223333:q", "arn:aws:s3:::b", "arn:aws:s3:::*", "arn:aws:sqs:eu-west-1:1*:?", "arn:aws:s3:::${aws:username}",
		},
		values: []string{"arn:aws:sqs:eu-west-1:111122223333:q", "arn:aws:s3:::b", "arn:aws:s3:::ann", "not-an-arn", "arn:aws:s3:::b:c/d"},
	},
	{key: "s3:x-amz-content-sha256", family: "Binary", operands: []string{"YWJj", "YQ=="}, values: []string{"YWJj", "YWI=", "!"}},
}

var operators = map[string][]string{
	"String": {
		"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike", "StringLike", "StringEquals",
	},
	"Numeric": {
		"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
	},
	"Date":   {"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"},
	"Bool":   {"Bool"},
	"Ip":     {"IpAddress", "NotIpAddress"},
	"Arn":    {"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"},
	"Binary": {"BinaryEquals"},
}

// condition draws a Condition of one or two operators.
func (g Generator) condition() object {
	out := object{}
	for range 1 + g.IntN(2) {
		s := pick(g, subjects)
		key := s.key
		if g.chance(10) {
			key = strings.ToUpper(key)
		}
		if g.chance(8) {
			out["Null"] = object{key: pick(g, []string{"true", "false"})}
			continue
		}
		name := pick(g, operators[s.family])
		if many := 12; s.many || g.chance(many) {
			name = pick(g, []string{"ForAllValues:", "ForAnyValue:", "ForAnyValue:", ""}) + name
		}
		if g.chance(15) {
			name += "IfExists"
		}
		values := some(g, s.operands, 1, 3)
		if g.chance(3) {
			values = []string{}
		}
		out[name] = object{key: g.list(values)}
	}
	return out
}

// context draws the keys of a request: some absent, some without values, a few with too many.
func (g Generator) context() map[string][]string {
	out := map[string][]string{}
	for _, s := range subjects {
		switch {
		case g.chance(35):
		case s.many:
			out[s.key] = some(g, s.values, 0, 3)
		case g.chance(4):
			out[s.key] = some(g, s.values, 0, 2)
		default:
			out[s.key] = some(g, s.values, 1, 1)
		}
	}
	return out
}
