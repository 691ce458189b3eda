package policy

import (
	"net/netip"
	"strings"
)

// condition is one operator and key of a Condition block with its values, compiled. spec: iam-policy.md 5
type condition struct {
	operator operator
	key      contextKey
	operands []operand
	pos      int
}

// operand is one policy value in the form its operator compares. A value that cannot be read is not valid: it equals nothing.
type operand struct {
	source  string
	valid   bool
	pattern pattern // String, Arn
	number  decimal
	instant instant
	block   netip.Prefix
	truth   bool   // Bool, Null
	base64  string // canonical
}

func compileOperand(o operator, source string, variables bool) (operand, error) {
	v := operand{source: source}
	var err error
	switch o.family {
	case familyString, familyARN:
		d := dialect{wildcards: o.relation == like, variables: variables, arn: o.family == familyARN}
		v.pattern, err = compilePattern(source, d)
		v.valid = err == nil
	case familyNumeric:
		v.number, v.valid = parseDecimal(source)
	case familyDate:
		v.instant, v.valid = parseInstant(source)
	case familyBool, familyNull:
		v.truth, v.valid = parseBool(source)
	case familyBinary:
		v.base64, v.valid = canonicalBase64(source)
	case familyIP:
		v.block, v.valid = parseBlock(source)
	}
	return v, err
}

// holds evaluates the condition against the request's keys.
func (c *condition) holds(ctx *Context) bool {
	values, present := ctx.lookup(&c.key)
	switch {
	case c.operator.family == familyNull:
		return c.null(present)
	case !present && c.operator.ifExists:
		return true
	case c.operator.ifExists && len(c.operands) == 0:
		return false // of either polarity. spec: iam-policy.md 5.3
	case c.operator.set == forAllValues:
		if len(c.operands) == 0 {
			return !present
		}
		for _, v := range values {
			if !c.passes(v, ctx) {
				return false
			}
		}
		return true
	case c.operator.set == forAnyValue:
		if len(c.operands) == 0 {
			return false
		}
		for _, v := range values {
			if c.passes(v, ctx) {
				return true
			}
		}
		return false
	case !present:
		return c.operator.negated
	case c.key.multi || len(values) != 1:
		return false // a multivalued key needs a set operator, for either polarity
	}
	return c.passes(values[0], ctx)
}

func (c *condition) null(present bool) bool {
	for i := range c.operands {
		if v := &c.operands[i]; v.valid && v.truth != present {
			return true
		}
	}
	return false
}

// passes compares one request value with all policy values: one must match, for a negated operator none may.
func (c *condition) passes(value string, ctx *Context) bool {
	return c.matchesAny(value, ctx) != c.operator.negated
}

func (c *condition) matchesAny(value string, ctx *Context) bool {
	switch c.operator.family {
	case familyString:
		return c.matchesString(value, ctx)
	case familyARN:
		return strings.Count(value, ":") >= arnColons && c.matchesString(value, ctx)
	case familyNumeric:
		return c.matchesNumber(value)
	case familyDate:
		return c.matchesInstant(value)
	case familyBool:
		truth, ok := parseBool(value)
		for i := range c.operands {
			if v := &c.operands[i]; ok && v.valid && v.truth == truth {
				return true
			}
		}
	case familyBinary:
		for i := range c.operands {
			if v := &c.operands[i]; v.valid && v.base64 == value {
				return true
			}
		}
	case familyIP:
		return c.matchesAddress(value)
	case familyNull:
	}
	return false
}

func (c *condition) matchesString(value string, ctx *Context) bool {
	for i := range c.operands {
		p := &c.operands[i].pattern
		if c.operator.relation == equalFold {
			if p.matchFold(value, ctx) {
				return true
			}
		} else if ok, _ := p.match(value, ctx); ok {
			return true
		}
	}
	return false
}

// matchFold is match under case folding, for patterns without wildcards.
func (p *pattern) matchFold(text string, ctx *Context) bool {
	if p.shape == shapeExact {
		return strings.EqualFold(text, p.text)
	}
	if !p.resolves(ctx) {
		return false
	}
	ok := true
	for i := 0; ok && i < len(p.tokens); i++ {
		text, ok = cutFold(text, p.tokens[i].expand(ctx))
	}
	return ok && text == ""
}

func (c *condition) matchesNumber(value string) bool {
	n, ok := parseDecimal(value)
	for i := range c.operands {
		if v := &c.operands[i]; ok && v.valid && c.operator.relation.stands(n.compare(v.number)) {
			return true
		}
	}
	return false
}

func (c *condition) matchesInstant(value string) bool {
	t, ok := parseInstant(value)
	for i := range c.operands {
		if v := &c.operands[i]; ok && v.valid && c.operator.relation.stands(t.compare(v.instant)) {
			return true
		}
	}
	return false
}

func (c *condition) matchesAddress(value string) bool {
	a, ok := parseAddress(value)
	for i := range c.operands {
		if v := &c.operands[i]; ok && v.valid && v.block.Contains(a) {
			return true
		}
	}
	return false
}

// stands reports whether a comparison of the request value with the policy value came out as the relation asks.
func (r relation) stands(comparison int) bool {
	switch r {
	case less:
		return comparison < 0
	case lessEqual:
		return comparison <= 0
	case greater:
		return comparison > 0
	case greaterEqual:
		return comparison >= 0
	case equal, equalFold, like:
	}
	return comparison == 0
}
