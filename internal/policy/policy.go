// Package policy reads, judges and explains IAM policies.
//
// It owns the policy language: the grammar and AWS's texts for documents that break it ([Parse]), a compiled form, the evaluation
// of one request against every policy that bears on it ([Evaluate]), and the account of how that came out ([Explain]).
//
// It promises to be a pure function of its arguments. It knows no clock, no store and no wire; it never panics on what a stranger
// wrote; [Evaluate] allocates nothing, takes no lock, and its cost is bounded by the size of the documents times the length of the
// request, whatever the wildcards. Whatever cannot be understood denies.
//
//	doc, err := policy.Parse(policy.Identity, text)
//	d := policy.Evaluate(&policy.Request{...}, &policy.Set{Identity: []*policy.Document{doc}})
//	if d.Outcome != policy.Allow { ... policy.Explain(...).Sentence() }
//
// A document goes through four forms, one file each: JSON with positions (json.go), a draft whose elements are sorted out
// (grammar.go), a valid document (validate.go), and compiled statements behind an index (compile.go, index.go).
//
// spec: iam-policy.md
package policy

// Kind is what a document is attached to; it decides which elements the document must and must not have.
type Kind uint8

// The kinds of policy. spec: iam-policy.md 1.2
const (
	Identity Kind = iota // managed and inline policies of users, groups and roles
	Boundary             // a managed policy used as a permissions boundary
	Session              // passed when a role is assumed
	SCP                  // service control policy
	RCP                  // resource control policy
	Trust                // who may assume a role
	Bucket               // an S3 bucket policy; stands for resource policies in general
)

// String names the kind as the AccessDenied text does.
func (k Kind) String() string {
	switch k {
	case Identity:
		return "identity-based"
	case Boundary:
		return "permissions boundary"
	case Session:
		return "session"
	case SCP:
		return "service control"
	case RCP:
		return "resource control"
	case Trust:
		return "role trust"
	case Bucket:
		return "resource-based"
	}
	return "unknown"
}

// The versions of the language. spec: iam-policy.md 1.3
const (
	version2012 = "2012-10-17"
	version2008 = "2008-10-17"
)

// Document is one policy, valid and compiled. It is immutable.
type Document struct {
	kind       Kind
	text       string
	version    string
	id         string
	statements []statement
	denies     index
	allows     index
	broken     *SyntaxError // the text does not compile; the document denies everything
}

// Parse reads a document that somebody wants to attach: it must be valid in every respect that AWS checks when it is written.
// The error is a [*SyntaxError]. Quotas are not checked here, because they count several documents together: see [Size].
//
// spec: iam-policy.md 1, 12
func Parse(kind Kind, text string) (*Document, error) {
	d, err := compile(kind, text, writing)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Compile reads a document at rest. It accepts what [Parse] accepts, and what AWS keeps evaluating although it takes no new documents
// of the sort: identity policies of version 2008-10-17, ARNs with wildcards in the service field, resource policies of services
// other than S3.
func Compile(kind Kind, text string) (*Document, error) {
	d, err := compile(kind, text, reading)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Kind is what the document was compiled as.
func (d *Document) Kind() Kind { return d.kind }

// Text is the document as it was written.
func (d *Document) Text() string { return d.text }

// Err says why the document does not compile, or is nil. A document with an error denies everything.
func (d *Document) Err() error {
	if d.broken == nil {
		return nil
	}
	return d.broken
}

// Len is the number of statements.
func (d *Document) Len() int { return len(d.statements) }

// Sid is the Sid of statement i, or empty.
func (d *Document) Sid(i int) string { return d.statements[i].sid }
