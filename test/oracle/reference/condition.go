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
	passes := func(v string) bool {
		any := slices.ContainsFunc(values, func(operand string) bool {
			return q.compare(strings.Replace(name, "not", "", 1), v, operand, variables)
		})
		return any != negated
	}
	switch {
	case !present && ifExists:
		return true
	case len(values) == 0 && (all || ifExists):
		return !present
	case all:
		return !slices.ContainsFunc(have, func(v string) bool { return !passes(v) })
	case some:
		return len(values) > 0 && slices.ContainsFunc(have, passes)
	case !present:
		return negated
	case multivalued(key) || len(have) != 1:
		return false
	}
	return passes(have[0])
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
		return inside(value, operand)
	case strings.HasPrefix(name, "numeric"):
		v, ok := number(value)
		o, fine := number(operand)
		return ok && fine && stands(strings.TrimPrefix(name, "numeric"), v.Cmp(o))
	case strings.HasPrefix(name, "date"):
		v, ok := instant(value)
		o, fine := instant(operand)
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
