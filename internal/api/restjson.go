package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/podid/podid/internal/fault"
)

// RESTJSON is the REST-JSON 1 protocol: EKS, EKS Auth and podid's own service. spec: pod-identity.md 0.3
type RESTJSON struct{}

var _ Protocol = RESTJSON{}

// find routes by method and raw path: labels are percent-encoded by clients, slashes in ARNs included.
func (RESTJSON) find(r *http.Request, _ []byte, ops []AnyOperation) (*AnyOperation, url.Values, error) {
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range ops {
		if ops[i].HTTP.Method != r.Method {
			continue
		}
		if labels, ok := matchURI(ops[i].HTTP.URI, segments); ok {
			return &ops[i], labels, nil
		}
	}
	return nil, nil, fault.New(fault.NotFound, "operation", "No operation of this service answers %s %s",
		bounded(r.Method, 20), bounded(r.URL.Path, 200))
}

// matchURI matches the segments of a path against a template and returns the values of its labels.
func matchURI(template string, segments []string) (url.Values, bool) {
	parts := strings.Split(strings.TrimPrefix(template, "/"), "/")
	if len(parts) != len(segments) {
		return nil, false
	}
	labels := url.Values{}
	for i, p := range parts {
		name, isLabel := strings.CutPrefix(p, "{")
		if !isLabel {
			if p != segments[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil || value == "" || !utf8.ValidString(value) {
			return nil, false
		}
		labels.Set(strings.TrimSuffix(name, "}"), value)
	}
	return labels, true
}

func (RESTJSON) decode(r *http.Request, body []byte, labels url.Values, in any) error {
	v := reflect.ValueOf(in).Elem()
	if len(body) > 0 && r.Method != http.MethodGet {
		if err := json.Unmarshal(body, in); err != nil {
			return fault.New(fault.Invalid, "body", "The request body is not the JSON that this operation expects").Because(err)
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.New(fault.Invalid, "body", "The query string is malformed").Because(err)
	}
	// Members that have a place in the path have no other one, and only requests without a body of their own have parameters: what
	// else is in the query is ignored, as what is unknown in a body is. Both are set after the body, so that none can replace the
	// resource that the path names.
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		query = nil
	}
	for name := range labels {
		delete(query, name)
	}
	for _, values := range []url.Values{query, labels} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if err := setText(fieldByMember(v, name), values[name]); err != nil {
				return fault.New(fault.Invalid, "parameter", "The value of %s is not valid", bounded(name, 100)).Because(err)
			}
		}
	}
	for name := range labels {
		if !fieldByMember(v, name).IsValid() {
			return fmt.Errorf("%T has no member for the label %s", in, name)
		}
	}
	return nil
}

var errRepeated = errors.New("given more than once")

// setText sets a field from text: strings, enums, numbers, booleans and lists of strings. An unknown field is ignored.
func setText(f reflect.Value, list []string) error {
	if !f.IsValid() || len(list) == 0 {
		return nil
	}
	if len(list) > 1 && f.Kind() != reflect.Slice {
		return errRepeated // two readers could pick different ones
	}
	switch f.Kind() {
	case reflect.Pointer:
		p := reflect.New(f.Type().Elem())
		if err := setText(p.Elem(), list); err != nil {
			return err
		}
		f.Set(p)
	case reflect.String:
		f.SetString(list[0])
	case reflect.Bool:
		b, err := strconv.ParseBool(list[0])
		if err != nil {
			return err
		}
		f.SetBool(b)
	case reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(list[0], 10, f.Type().Bits())
		if err != nil {
			return err
		}
		f.SetInt(n)
	case reflect.Slice:
		if f.Type().Elem().Kind() != reflect.String {
			return nil
		}
		s := reflect.MakeSlice(f.Type(), len(list), len(list))
		for i, text := range list {
			s.Index(i).SetString(text)
		}
		f.Set(s)
	}
	return nil
}

func (RESTJSON) encode(w http.ResponseWriter, _ *AnyOperation, out any, _ string) error {
	answer := plain(reflect.ValueOf(out), false)
	if answer == nil {
		answer = struct{}{} // an operation that answers nothing
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

func (RESTJSON) fail(w http.ResponseWriter, s Shape, text string, members map[string]string, _ string) {
	body := make(map[string]string, len(members)+1)
	maps.Copy(body, members)
	body["message"] = text
	encoded, _ := json.Marshal(body) // a map of strings always encodes
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", s.Code)
	w.WriteHeader(s.Status)
	_, _ = w.Write(encoded) // the caller is gone: nothing is left to tell
}

func (RESTJSON) front() Faults { return JSONFront }
