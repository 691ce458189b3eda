package policy

import (
	"strings"
	"unicode/utf8"
)

// shape is how a pattern can be decided most cheaply.
type shape uint8

const (
	shapeExact   shape = iota // text is all of it
	shapeAny                  // a lone star
	shapePrefix               // text and a star
	shapeSuffix               // a star and text
	shapeGeneral              // tokens
)

type tokenKind uint8

const (
	literal   tokenKind = iota
	variable            // the value of a context key, taken literally
	one                 // ? in the free part
	star                // * in the free part
	oneField            // ? before the fifth colon of an ARN: no colon
	starField           // * before the fifth colon of an ARN: no colon
)

type token struct {
	kind     tokenKind
	text     string // literal; default of a variable
	key      contextKey
	fallback bool // the variable has a default
}

// pattern is a compiled resource or string pattern. Wildcards of an ARN pattern never cross one of the first five colons, which
// comes to comparing field by field: the colons of the pattern are literal, so they can only meet the colons of the value.
// spec: iam-policy.md 3.1, 3.3, 4
type pattern struct {
	shape     shape
	variables bool
	text      string // see shape; for shapeGeneral the leading literal
	tokens    []token
	automaton *automaton // instead of tokens where those would be slow
	least     int        // bytes that every match has at least
	source    string
}

// dialect says what is special in a pattern.
type dialect struct {
	wildcards bool
	variables bool
	arn       bool
}

const arnColons = 5

// compilePattern reads source. It fails on a malformed policy variable.
func compilePattern(source string, d dialect) (pattern, error) {
	p := pattern{source: source}
	tokens, err := d.tokens(source)
	if err != nil {
		return p, err
	}
	for _, t := range tokens {
		switch t.kind {
		case literal:
			p.least += len(t.text)
		case one, oneField:
			p.least++
		case variable:
			p.variables = true
		case star, starField:
		}
	}
	switch {
	case len(tokens) == 0:
		p.shape = shapeExact
	case len(tokens) == 1 && tokens[0].kind == literal:
		p.shape, p.text = shapeExact, tokens[0].text
	case len(tokens) == 1 && tokens[0].kind == star:
		p.shape = shapeAny
	case len(tokens) == 2 && tokens[0].kind == literal && tokens[1].kind == star:
		p.shape, p.text = shapePrefix, tokens[0].text
	case len(tokens) == 2 && tokens[0].kind == star && tokens[1].kind == literal:
		p.shape, p.text = shapeSuffix, tokens[1].text
	default:
		p.shape, p.tokens, p.automaton = shapeGeneral, tokens, newAutomaton(tokens)
		if tokens[0].kind == literal {
			p.text = tokens[0].text
		}
	}
	return p, nil
}

// prefix is text with which every match begins.
func (p *pattern) prefix() string {
	if p.shape == shapeSuffix {
		return ""
	}
	return p.text
}

func (d dialect) tokens(source string) ([]token, error) {
	var out []token
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			out = append(out, token{kind: literal, text: lit.String()})
			lit.Reset()
		}
	}
	if d.arn && source == "*" {
		return []token{{kind: star}}, nil
	}
	colons := 0
	for i := 0; i < len(source); {
		inField := d.arn && colons < arnColons
		switch c := source[i]; {
		case d.variables && strings.HasPrefix(source[i:], "${"):
			v, size, err := readVariable(source[i:])
			if err != nil {
				return nil, err
			}
			i += size
			if v.kind == literal {
				lit.WriteString(v.text)
				continue
			}
			flush()
			out = append(out, v)
			continue
		case d.wildcards && c == '*':
			flush()
			t := token{kind: star}
			if inField {
				t.kind = starField
			}
			if len(out) == 0 || out[len(out)-1].kind != t.kind {
				out = append(out, t)
			}
		case d.wildcards && c == '?':
			flush()
			t := token{kind: one}
			if inField {
				t.kind = oneField
			}
			out = append(out, t)
		default:
			if c == ':' {
				colons++
			}
			lit.WriteByte(c)
		}
		i++
	}
	flush()
	return out, nil
}

// match reports whether text matches, and whether all variables of the pattern had a value. Without one nothing matches.
func (p *pattern) match(text string, c *Context) (ok, resolved bool) {
	switch p.shape {
	case shapeExact:
		return text == p.text, true
	case shapeAny:
		return true, true
	case shapePrefix:
		return strings.HasPrefix(text, p.text), true
	case shapeSuffix:
		return strings.HasSuffix(text, p.text), true
	case shapeGeneral:
	}
	if p.variables && !p.resolves(c) {
		return false, false
	}
	if len(text) < p.least || !strings.HasPrefix(text, p.text) {
		return false, true
	}
	if p.automaton != nil {
		return p.automaton.match(text), true
	}
	return matchTokens(p.tokens, text, c), true
}

func (p *pattern) resolves(c *Context) bool {
	for i := range p.tokens {
		if t := &p.tokens[i]; t.kind == variable && !t.fallback {
			if _, ok := c.variable(&t.key); !ok {
				return false
			}
		}
	}
	return true
}

// expand is the text that a literal or variable token stands for.
func (t *token) expand(c *Context) string {
	if t.kind == variable {
		if v, ok := c.variable(&t.key); ok {
			return v
		}
	}
	return t.text
}

// matchTokens walks tokens and text with one point of return, the last star: whatever an earlier star could take over, the
// later one can take as well. Stars within an ARN field keep this true, because the colon that ends the field fixes the place
// of everything after it. After a star it jumps to the next occurrence of the literal behind it.
func matchTokens(tokens []token, text string, c *Context) bool {
	i, pos := 0, 0
	last, from := -1, 0
	for {
		if i < len(tokens) {
			t := &tokens[i]
			switch t.kind {
			case star, starField:
				if i++; i == len(tokens) {
					return t.kind == star || strings.IndexByte(text[pos:], ':') < 0
				}
				last, from = i-1, pos
				if !jump(tokens, last, text, &from) {
					return false
				}
				pos = from
				continue
			case one, oneField:
				if pos < len(text) && (t.kind == one || text[pos] != ':') {
					pos += runeSize(text[pos:])
					i++
					continue
				}
			case literal, variable:
				if s := t.expand(c); strings.HasPrefix(text[pos:], s) {
					pos += len(s)
					i++
					continue
				}
			}
		} else if pos == len(text) {
			return true
		}
		if last < 0 || from >= len(text) || tokens[last].kind == starField && text[from] == ':' {
			return false
		}
		from += runeSize(text[from:])
		if !jump(tokens, last, text, &from) {
			return false
		}
		i, pos = last+1, from
	}
}

// jump moves from to the next place at which the literal behind the star can begin, if there is a literal.
func jump(tokens []token, last int, text string, from *int) bool {
	next := &tokens[last+1]
	if next.kind != literal {
		return true
	}
	var step int
	if last+2 == len(tokens) {
		if step = len(text) - len(next.text) - *from; step < 0 || text[*from+step:] != next.text {
			return false
		}
	} else if step = strings.Index(text[*from:], next.text); step < 0 {
		return false
	}
	if tokens[last].kind == starField && strings.IndexByte(text[*from:*from+step], ':') >= 0 {
		return false
	}
	*from += step
	return true
}

func runeSize(s string) int {
	if s[0] < utf8.RuneSelf {
		return 1
	}
	_, size := utf8.DecodeRuneInString(s)
	return size
}
