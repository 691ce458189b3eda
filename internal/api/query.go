package api

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/podid/podid/internal/fault"
)

// Query is the AWS Query protocol of IAM and STS: a form in, XML out. spec: pod-identity.md 0.3, 6.4, 6.6
type Query struct {
	Namespace string // https://iam.amazonaws.com/doc/2010-05-08/
	Version   string // 2010-05-08

	// EmptyResults are the operations whose model declares an output that has no members: their answers hold an empty result element,
	// without which SDKs fail, while those of operations without output hold none.
	EmptyResults []string
}

var _ Protocol = Query{}

// Bounds of a form: how many parameters, and how deep a name like Tags.member.1.Key may nest.
const (
	maxParameters = 2000
	maxDepth      = 8
)

func (q Query) find(r *http.Request, body []byte, ops []AnyOperation) (*AnyOperation, url.Values, error) {
	text := r.URL.RawQuery
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/":
		text = string(body)
	case r.Method != http.MethodGet || r.URL.Path != "/":
		return nil, nil, fault.New(fault.NotFound, "operation", "Operations are called with POST or GET /, not %s %s",
			bounded(r.Method, 20), bounded(r.URL.Path, 200))
	}
	if strings.Count(text, "&") >= maxParameters {
		return nil, nil, fault.New(fault.Limit, "body", "A request has at most %d parameters", maxParameters)
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, nil, fault.New(fault.Invalid, "body", "The request is not a well-formed form").Because(err)
	}
	for name, values := range form {
		switch {
		case len(values) != 1:
			return nil, nil, repeated(name)
		case !utf8.ValidString(name) || !utf8.ValidString(values[0]):
			return nil, nil, fault.New(fault.Invalid, "body", "The parameter %q is not UTF-8", bounded(name, 100))
		}
	}
	action, version := form.Get("Action"), form.Get("Version")
	if version == "" || version == q.Version {
		for i := range ops {
			if ops[i].Name == action {
				return &ops[i], form, nil
			}
		}
	}
	return nil, nil, fault.New(fault.NotFound, "operation", "Could not find operation %s for version %s",
		bounded(action, 100), bounded(cmp.Or(version, q.Version), 20))
}

func repeated(name string) error {
	return fault.New(fault.Invalid, "body", "The parameter %s is given more than once", bounded(name, 100))
}

func (Query) decode(_ *http.Request, _ []byte, form url.Values, in any) error {
	var root node
	for _, name := range slices.Sorted(maps.Keys(form)) {
		path := strings.Split(name, ".")
		if len(path) > maxDepth {
			return fault.New(fault.Invalid, "body", "The parameter %s nests too deep", bounded(name, 100))
		}
		root.put(path, form[name][0])
	}
	return root.into(reflect.ValueOf(in).Elem(), "")
}

// node is a form as a tree: Tags.member.1.Key=team is Tags -> member -> 1 -> Key.
type node struct {
	text     string
	children map[string]*node
}

func (n *node) put(path []string, text string) {
	if len(path) == 0 {
		n.text = text
		return
	}
	if n.children == nil {
		n.children = map[string]*node{}
	}
	c := n.children[path[0]]
	if c == nil {
		c = &node{}
		n.children[path[0]] = c
	}
	c.put(path[1:], text)
}

func (n *node) into(v reflect.Value, name string) error {
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := n.into(p.Elem(), name); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Struct:
		return n.intoStruct(v)
	case reflect.Slice:
		return n.intoList(v, name)
	default:
		if n.children != nil {
			return fault.New(fault.Invalid, "parameter", "The parameter %s has no members", name)
		}
		if err := setText(v, []string{n.text}); err != nil {
			return fault.New(fault.Invalid, "parameter", "The value of %s is not valid", name).Because(err)
		}
		return nil
	}
}

// intoStruct sets the members that the form has, in the model's order. A member is spelled as the struct has it or, for the few
// that the model spells so, with a lower-case first letter. What is no member is ignored, as AWS does.
func (n *node) intoStruct(v reflect.Value) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || n.children == nil {
			continue
		}
		c, other := n.children[f.Name], n.children[memberName(f.Name)]
		switch {
		case c != nil && other != nil:
			return repeated(f.Name)
		case c == nil:
			c = other
		}
		if c == nil {
			continue
		}
		if err := c.into(v.Field(i), f.Name); err != nil {
			return err
		}
	}
	return nil
}

// intoList reads Name.member.1, Name.member.2 and so on. A list with a gap, or in another form, is refused: a part of it would
// be lost, and a policy or a tag that is lost changes what the request means.
func (n *node) intoList(v reflect.Value, name string) error {
	items := map[string]*node{}
	if members := n.children["member"]; members != nil {
		items = members.children
	}
	if n.text != "" || len(n.children) > 1 || len(n.children) == 1 && len(items) == 0 {
		return fault.New(fault.Invalid, "parameter", "The list %s is not of the form %s.member.N", name, name)
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i := range list.Len() {
		c := items[strconv.Itoa(i+1)]
		if c == nil {
			return fault.New(fault.Invalid, "parameter", "The list %s must be numbered from 1 without a gap", name)
		}
		if err := c.into(list.Index(i), name); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func (q Query) encode(w http.ResponseWriter, op *AnyOperation, out any, requestID string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<%sResponse xmlns="%s">`, op.Name, q.Namespace)
	if v := reflect.ValueOf(out); v.Kind() == reflect.Pointer && !v.IsNil() && q.hasResult(op.Name, v.Type().Elem()) {
		b.WriteString("<" + op.Name + "Result>")
		writeXML(&b, v.Elem())
		b.WriteString("</" + op.Name + "Result>")
	}
	fmt.Fprintf(&b, `<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>`, requestID, op.Name)
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(b.Bytes())
	return err
}

// hasResult reports whether an answer has a result element. The SDK's types do not tell an output without members from none.
func (q Query) hasResult(operation string, out reflect.Type) bool {
	for f := range out.Fields() {
		if f.IsExported() && f.Name != "ResultMetadata" {
			return true
		}
	}
	return slices.Contains(q.EmptyResults, operation)
}

// writeXML writes the content of an element: the members of a struct by their Go names, lists as <member>, maps
// as <entry>, bytes in base64.
func writeXML(b *bytes.Buffer, v reflect.Value) {
	switch v.Kind() {
	case reflect.Invalid: // nil
	case reflect.Pointer, reflect.Interface:
		writeXML(b, v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			b.WriteString(t.UTC().Format(time.RFC3339))
			return
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Name == "ResultMetadata" || absent(v.Field(i)) {
				continue
			}
			b.WriteString("<" + f.Name + ">")
			writeXML(b, v.Field(i))
			b.WriteString("</" + f.Name + ">")
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b.WriteString(base64.StdEncoding.EncodeToString(v.Bytes()))
			return
		}
		for i := range v.Len() {
			b.WriteString("<member>")
			writeXML(b, v.Index(i))
			b.WriteString("</member>")
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			b.WriteString("<entry><key>")
			writeXML(b, it.Key())
			b.WriteString("</key><value>")
			writeXML(b, it.Value())
			b.WriteString("</value></entry>")
		}
	default:
		_ = xml.EscapeText(b, fmt.Append(nil, v.Interface())) // a buffer takes every write
	}
}

// absent reports whether a member is left out: nil, or an enum that was not set.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	default:
		return false
	}
}

type queryError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Namespace string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func (q Query) fail(w http.ResponseWriter, s Shape, text string, _ map[string]string, requestID string) {
	e := queryError{Namespace: q.Namespace, Type: "Sender", Code: s.Code, Message: text, RequestID: requestID}
	if s.Status >= http.StatusInternalServerError {
		e.Type = "Receiver"
	}
	body, _ := xml.Marshal(e) // a struct of strings always encodes
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(s.Status)
	_, _ = w.Write(body) // the caller is gone: nothing is left to tell
}

func (Query) front() Faults { return QueryFront }
