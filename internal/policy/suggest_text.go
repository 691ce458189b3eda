package policy

import (
	"fmt"
	"strings"
)

// Sentence says in words what the edit does.
func (e *Edit) Sentence() string {
	switch e.Change {
	case AddValue:
		return fmt.Sprintf("add %q to %s of %s%s", e.Value, e.list(), e.where(), e.remark())
	case RemoveValue:
		return fmt.Sprintf("remove %q from %s of %s%s", e.Value, e.list(), e.where(), e.remark())
	case AddStatement:
		return "add a statement to " + e.document()
	case AddDocument:
		article := "a"
		if e.Layer == IdentityLayer {
			article = "an"
		}
		return fmt.Sprintf("attach %s %s", article, e.Layer.policy())
	case RemoveStatement:
		return fmt.Sprintf("remove %s; it no longer denies anybody then", e.where())
	case ExemptCaller:
		return fmt.Sprintf("exempt %s from %s; it is exempt from all that the statement denies then", e.Value, e.where())
	case SetKey:
		return fmt.Sprintf("send the request with %s = %q, which %s asks for", e.Key, e.Value, e.where())
	}
	return ""
}

func (e *Edit) list() string {
	if e.Element == "Condition" {
		return e.Operator + " " + e.Key
	}
	return e.Element
}

func (e *Edit) remark() string {
	if !e.Wider {
		return ""
	}
	return "; the statement then allows more than this request"
}

func (e *Edit) document() string {
	if e.Document == "" {
		return "the " + e.Layer.policy()
	}
	return e.Document
}

func (e *Edit) where() string { return "the " + e.Statement.String() }

// String names the statement for people: what it is, and where it stands.
func (r *StatementRef) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s statement", r.Effect)
	if r.Sid != "" {
		fmt.Fprintf(&b, " %q", r.Sid)
	}
	if r.Document == "" {
		fmt.Fprintf(&b, " of the %s (line %d, column %d)", r.Layer.policy(), r.Line, r.Column)
		return b.String()
	}
	fmt.Fprintf(&b, " at %s:%d:%d", r.Document, r.Line, r.Column)
	return b.String()
}
