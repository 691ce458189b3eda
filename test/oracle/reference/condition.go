package reference

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// multivalued reports whether a key is documented to hold several values. spec: iam-policy.md 10, 7.3
func multivalued(key string) bool {
	key = strings.ToLower(key)
	many := strings.Fields("aws:principalorgpaths aws:principalservicenameslist aws:calledvia aws:sourceorgpaths aws:tagkeys " +
		"aws:resourceorgpaths sts:transitivetagkeys s3:requestobjecttagkeys")
	host, claim, _ := strings.Cut(key, ":")
	return slices.Contains(many, key) || claim == "amr" && strings.Contains(host, ".")
}

// holds decides one operator on one key. spec: iam-policy.md 5
func (q *question) holds(operator, key string, values []string, variables bool) bool {
	name := strings.ToLower(operator)
	name, all := strings.CutPrefix(name, "forallvalues:")
	name, some := strings.CutPrefix(name, "foranyvalue:")
	name, ifExists := strings.CutSuffix(name, "ifexists")
	have, present := q.keys[strings.ToLower(key)]

	if name == "null" {
		return slices.ContainsFunc(values, func(v string) bool {
			return strings.EqualFold(v, "true") && !present || strings.EqualFold(v, "false") && present
		})
	}
	negated := strings.Contains(name, "not")
	positive := strings.Replace(name, "not", "", 1)
	passes := func(v string) bool {
		if negated && slices.ContainsFunc(values, func(operand string) bool { return q.unreadable(positive, v, operand, variables) }) {
			return false
		}
		return slices.ContainsFunc(values, func(operand string) bool { return q.compare(positive, v, operand, variables) }) != negated
	}
	switch {
	case !present && ifExists && (!some || !q.has(AnyValueIfExists)):
		return true
	case len(values) == 0 && (all || ifExists) && !q.has(EmptyList):
		return !present
	case all:
		return !slices.ContainsFunc(have, func(v string) bool { return !passes(v) })
	case some:
		return (len(values) > 0 || q.has(EmptyList)) && slices.ContainsFunc(have, passes)
	case !present:
		return negated
	case multivalued(key) || len(have) != 1:
		return false
	}
	return passes(have[0])
}

// unreadable reports whether a negated operator fails on an operand that it cannot compare; by the specification none does.
func (q *question) unreadable(name, value, operand string, variables bool) bool {
	malformed := false
	switch {
	case strings.HasPrefix(name, "string"):
		_, ok := q.expand(operand, true, variables)
		return !ok && q.has(UnresolvedNegated)
	case strings.HasPrefix(name, "arn"):
		p, ok := q.expand(operand, true, variables)
		if !ok && sameHead(p, value) && q.has(UnresolvedNegated) {
			return true
		}
		malformed = strings.Count(value, ":") < 5
	case strings.HasPrefix(name, "numeric"):
		_, ok := number(value)
		malformed = !ok
	case strings.HasPrefix(name, "date"):
		_, ok := instant(value)
		malformed = !ok
	case name == "ipaddress":
		_, err := netip.ParseAddr(value)
		if host := !strings.Contains(operand, "/"); host && q.has(HostAgainstFamily) && strings.Contains(operand, ":") != strings.Contains(value, ":") {
			return err == nil
		}
		malformed = err != nil
	}
	return malformed && q.has(MalformedNegated)
}

// compare is the positive form of an operator on one value and one operand. What cannot be read is equal to nothing.
func (q *question) compare(name, value, operand string, variables bool) bool {
	switch {
	case name == "stringequalsignorecase":
		p, ok := q.expand(operand, false, variables)
		return ok && strings.EqualFold(text(p), value)
	case name == "stringequals", name == "stringlike":
		p, ok := q.expand(operand, name == "stringlike", variables)
		return ok && covers(p, value)
	case strings.HasPrefix(name, "arn"):
		p, ok := q.expand(operand, true, variables)
		return ok && coversARN(p, value)
	case name == "bool":
		v, o := strings.ToLower(value), strings.ToLower(operand)
		return v == o && (v == "true" || v == "false")
	case name == "binaryequals":
		v, err := base64.StdEncoding.DecodeString(value)
		o, wrong := base64.StdEncoding.DecodeString(operand)
		return err == nil && wrong == nil && bytes.Equal(v, o)
	case name == "ipaddress":
		switch {
		case q.has(CIDRZero) && strings.HasSuffix(operand, "/0"):
			return value+"/0" == operand
		case q.has(MappedAddress) && strings.HasPrefix(value, "::ffff:") && !strings.Contains(operand, ":"):
			return false
		}
		return inside(value, operand)
	case strings.HasPrefix(name, "numeric"):
		v, ok := number(value)
		o, fine := number(operand)
		return ok && fine && stands(strings.TrimPrefix(name, "numeric"), v.Cmp(o))
	case strings.HasPrefix(name, "date"):
		v, ok := q.instant(value)
		o, fine := q.instant(operand)
		return ok && fine && stands(strings.TrimPrefix(name, "date"), v.Cmp(o))
	}
	return false
}

func text(p []element) string {
	var b strings.Builder
	for _, e := range p {
		b.WriteRune(e.r)
	}
	return b.String()
}

func stands(relation string, c int) bool {
	switch relation {
	case "lessthan":
		return c < 0
	case "lessthanequals":
		return c <= 0
	case "greaterthan":
		return c > 0
	case "greaterthanequals":
		return c >= 0
	}
	return c == 0
}

var decimal = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

func number(s string) (*big.Rat, bool) {
	if !decimal.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

var layouts = []string{
	"2006", "2006-01", "2006-01-02", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02T15:04", "2006-01-02T15:04:05",
}

var epoch = regexp.MustCompile(`^-?[0-9]+$`)

// instant is a date; with EpochInMilliseconds it is not brought to one unit.
func (q *question) instant(s string) (*big.Rat, bool) {
	r, ok := instant(s)
	switch {
	case !ok || !q.has(EpochInMilliseconds):
		return r, ok
	case epoch.MatchString(s):
		return number(s)
	}
	return r.Mul(r, big.NewRat(1000, 1)), true
}

// instant is a date as seconds since the epoch.
func instant(s string) (*big.Rat, bool) {
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			r := new(big.Rat).SetInt64(t.Unix())
			return r.Add(r, big.NewRat(int64(t.Nanosecond()), 1e9)), true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return new(big.Rat).SetInt64(n), err == nil && epoch.MatchString(s)
}

func inside(value, operand string) bool {
	a, err := netip.ParseAddr(value)
	if err != nil || a.Zone() != "" {
		return false
	}
	if !strings.Contains(operand, "/") {
		o, err := netip.ParseAddr(operand)
		return err == nil && a.Unmap() == o.Unmap()
	}
	block, err := netip.ParsePrefix(operand)
	if err != nil {
		return false
	}
	if block.Addr().Is4In6() && block.Bits() >= 96 {
		block = netip.PrefixFrom(block.Addr().Unmap(), block.Bits()-96)
	}
	return block.Contains(a.Unmap())
}
