package policy

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a document; the language itself needs seven levels.
const maxDepth = 16

// node is one JSON value with the place it was read from. encoding/json is not used because it keeps the last of two
// equal names silently, folds the case of names, and forgets positions.
type node struct {
	kind    byte   // one of { [ " 0 t n: object, array, string, number, boolean, null
	text    string // the decoded string, or the literal text of a number or boolean
	members []member
	items   []node
	pos     int
}

type member struct {
	name  string
	pos   int
	value node
}

// scalar reports whether n may stand as a condition value.
func (n *node) scalar() bool { return n.kind == '"' || n.kind == '0' || n.kind == 't' }

// reader is a strict JSON reader over one document.
type reader struct {
	s   string
	pos int
}

// readJSON reads the one value that text must consist of.
func readJSON(text string) (node, *SyntaxError) {
	r := &reader{s: text}
	n, err := r.value(0)
	if err != nil {
		return node{}, err
	}
	r.space()
	if r.pos < len(r.s) {
		return node{}, r.fail(r.pos, "text after the end of the document")
	}
	return n, nil
}

func (r *reader) fail(pos int, detail string) *SyntaxError {
	return syntaxAt(r.s, pos, textSyntax, detail)
}

func (r *reader) space() {
	for r.pos < len(r.s) {
		switch r.s[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// next skips white space and returns the byte it stands on, 0 at the end.
func (r *reader) next() byte {
	r.space()
	if r.pos == len(r.s) {
		return 0
	}
	return r.s[r.pos]
}

func (r *reader) value(depth int) (node, *SyntaxError) {
	if depth > maxDepth {
		return node{}, r.fail(r.pos, "nested too deeply")
	}
	c := r.next()
	switch {
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"':
		pos := r.pos
		s, err := r.str()
		return node{kind: '"', text: s, pos: pos}, err
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	case c == 't' || c == 'f' || c == 'n':
		return r.word()
	case c == 0 && r.pos == len(r.s):
		return node{}, r.fail(r.pos, "the document ends too early")
	}
	return node{}, r.fail(r.pos, "not a JSON value")
}

func (r *reader) object(depth int) (node, *SyntaxError) {
	n := node{kind: '{', pos: r.pos}
	r.pos++
	if r.next() == '}' {
		r.pos++
		return n, nil
	}
	seen := map[string]struct{}{}
	for {
		if r.next() != '"' {
			return n, r.fail(r.pos, "an element name in double quotes is expected")
		}
		m := member{pos: r.pos}
		var err *SyntaxError
		if m.name, err = r.str(); err != nil {
			return n, err
		}
		if _, dup := seen[m.name]; dup {
			return n, r.fail(m.pos, "duplicate element "+strconv.Quote(m.name))
		}
		seen[m.name] = struct{}{}
		if r.next() != ':' {
			return n, r.fail(r.pos, "a colon is expected")
		}
		r.pos++
		if m.value, err = r.value(depth + 1); err != nil {
			return n, err
		}
		n.members = append(n.members, m)
		switch r.next() {
		case ',':
			r.pos++
		case '}':
			r.pos++
			return n, nil
		default:
			return n, r.fail(r.pos, "a comma or a closing brace is expected")
		}
	}
}

func (r *reader) array(depth int) (node, *SyntaxError) {
	n := node{kind: '[', pos: r.pos}
	r.pos++
	if r.next() == ']' {
		r.pos++
		return n, nil
	}
	for {
		item, err := r.value(depth + 1)
		if err != nil {
			return n, err
		}
		n.items = append(n.items, item)
		switch r.next() {
		case ',':
			r.pos++
		case ']':
			r.pos++
			return n, nil
		default:
			return n, r.fail(r.pos, "a comma or a closing bracket is expected")
		}
	}
}

// number follows the JSON grammar and keeps the text: numbers in a policy are compared as written.
func (r *reader) number() (node, *SyntaxError) {
	start := r.pos
	if r.s[r.pos] == '-' {
		r.pos++
	}
	whole := r.digits()
	if whole == 0 || whole > 1 && r.s[r.pos-whole] == '0' {
		return node{}, r.fail(start, "not a JSON number")
	}
	if r.pos < len(r.s) && r.s[r.pos] == '.' {
		r.pos++
		if r.digits() == 0 {
			return node{}, r.fail(start, "not a JSON number")
		}
	}
	if r.pos < len(r.s) && (r.s[r.pos] == 'e' || r.s[r.pos] == 'E') {
		r.pos++
		if r.pos < len(r.s) && (r.s[r.pos] == '+' || r.s[r.pos] == '-') {
			r.pos++
		}
		if r.digits() == 0 {
			return node{}, r.fail(start, "not a JSON number")
		}
	}
	return node{kind: '0', text: r.s[start:r.pos], pos: start}, nil
}

func (r *reader) digits() int {
	start := r.pos
	for r.pos < len(r.s) && r.s[r.pos] >= '0' && r.s[r.pos] <= '9' {
		r.pos++
	}
	return r.pos - start
}

func (r *reader) word() (node, *SyntaxError) {
	start := r.pos
	for _, w := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(r.s[start:], w) {
			r.pos += len(w)
			kind := byte('t')
			if w == "null" {
				kind = 'n'
			}
			return node{kind: kind, text: w, pos: start}, nil
		}
	}
	return node{}, r.fail(start, "not a JSON value")
}

// str reads a string; the reader stands on its opening quote.
func (r *reader) str() (string, *SyntaxError) {
	start := r.pos
	r.pos++
	from := r.pos
	var b []byte // nil until the first escape
	for r.pos < len(r.s) {
		switch c := r.s[r.pos]; {
		case c == '"':
			s := r.s[from:r.pos]
			r.pos++
			if b == nil {
				return s, nil
			}
			return string(append(b, s...)), nil
		case c < ' ':
			return "", r.fail(r.pos, "control character in a string")
		case c == '\\':
			b = append(b, r.s[from:r.pos]...)
			var err *SyntaxError
			if b, err = r.escape(b); err != nil {
				return "", err
			}
			from = r.pos
		default:
			r.pos++
		}
	}
	return "", r.fail(start, "string without a closing quote")
}

func (r *reader) escape(b []byte) ([]byte, *SyntaxError) {
	start := r.pos
	if r.pos+1 >= len(r.s) {
		return b, r.fail(start, "unfinished escape")
	}
	c := r.s[r.pos+1]
	r.pos += 2
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return append(b, "\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return b, r.fail(start, "unknown escape")
	}
	u, ok := r.hex4()
	if !ok {
		return b, r.fail(start, "unknown escape")
	}
	if utf16.IsSurrogate(u) {
		if !strings.HasPrefix(r.s[r.pos:], `\u`) {
			return b, r.fail(start, "half of a surrogate pair")
		}
		r.pos += 2
		low, ok := r.hex4()
		if u = utf16.DecodeRune(u, low); !ok || u == utf8.RuneError {
			return b, r.fail(start, "half of a surrogate pair")
		}
	}
	return utf8.AppendRune(b, u), nil
}

func (r *reader) hex4() (rune, bool) {
	if r.pos+4 > len(r.s) {
		return 0, false
	}
	u, err := strconv.ParseUint(r.s[r.pos:r.pos+4], 16, 16)
	if err != nil {
		return 0, false
	}
	r.pos += 4
	return rune(u), true
}
