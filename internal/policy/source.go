package policy

import (
	"sync/atomic"
)

// Source is a document at rest: the text that was stored, and its compiled form once somebody asked for it. It marshals as its text.
// A *Source may be shared; the zero Source is an empty text, which does not compile and so denies.
type Source struct {
	text string
	// compiled is the last kind that was asked for. A stored document is nearly always read as one kind; a managed policy that is also
	// somebody's boundary alternates between two, hence two places.
	compiled [2]atomic.Pointer[Document]
}

// NewSource wraps text without a look at it.
func NewSource(text string) *Source { return &Source{text: text} }

// String is the text.
func (s *Source) String() string {
	if s == nil {
		return ""
	}
	return s.text
}

// As compiles the document for one use. It never returns nil: a document that does not compile denies everything, and its Err says why.
func (s *Source) As(kind Kind) *Document {
	if s == nil {
		return broken(kind, "", syntaxAt("", 0, textSyntax, "no document"))
	}
	kept := &s.compiled[0]
	if kind == Boundary || kind == Session {
		kept = &s.compiled[1]
	}
	if d := kept.Load(); d != nil && d.kind == kind {
		return d
	}
	d, err := compile(kind, s.text, reading)
	if err != nil {
		d = broken(kind, s.text, err)
	}
	kept.Store(d)
	return d
}

// MarshalText returns the text.
func (s *Source) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// UnmarshalText takes the text over; a compiled form is forgotten.
func (s *Source) UnmarshalText(text []byte) error {
	s.text = string(text)
	for i := range s.compiled {
		s.compiled[i].Store(nil)
	}
	return nil
}

// broken is what stands in for a document that does not compile: one statement that denies everything to everybody.
func broken(kind Kind, text string, err *SyntaxError) *Document {
	d := &Document{kind: kind, text: text, version: version2012, broken: err}
	d.statements = []statement{{
		deny:      true,
		actions:   []actionPattern{compileAction(word{text: "*"})},
		resources: []pattern{{shape: shapeAny, source: "*"}},
	}}
	d.denies, d.allows = newIndex(d.statements, true), newIndex(d.statements, false)
	return d
}
