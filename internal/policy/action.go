package policy

import "strings"

// actionPattern is an action pattern in lower case. spec: iam-policy.md 3.2
type actionPattern struct {
	text   string
	prefix int  // bytes before the first wildcard
	exact  bool // no wildcard
	source string
	pos    int
}

func compileAction(w word) actionPattern {
	text := strings.ToLower(w.text)
	prefix := strings.IndexAny(text, "*?")
	p := actionPattern{text: text, prefix: prefix, source: w.text, pos: w.pos}
	if prefix < 0 {
		p.prefix, p.exact = len(text), true
	}
	return p
}

// match compares ignoring ASCII case. Like matchTokens it returns to the last star only.
func (p *actionPattern) match(action string) bool {
	if p.exact && len(action) != len(p.text) {
		return false
	}
	pattern := p.text
	i, pos := 0, 0
	star, from := -1, 0
	for {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			if i++; i == len(pattern) {
				return true
			}
			star, from = i, pos
			continue
		case pos == len(action):
			return i == len(pattern)
		case i < len(pattern) && pattern[i] == '?':
			i++
			pos += runeSize(action[pos:])
			continue
		case i < len(pattern) && pattern[i] == lower(action[pos]):
			i++
			pos++
			continue
		case star < 0:
			return false
		}
		from += runeSize(action[from:])
		i, pos = star, from
	}
}
