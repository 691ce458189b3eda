package eksapi_test

import (
	"reflect"
	"strings"
	"testing"

	smithy "github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"

	"github.com/podid/podid/internal/api"
)

// TestStructsAreTheModel holds what the codec relies on: a member's name is its Go field's with a lower first letter, and labels and
// query parameters are called as members are.
func TestStructsAreTheModel(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		name := s.operation.ID().Name
		seen := map[reflect.Type]bool{}
		compare(t, name, reflect.TypeOf(s.input), s.in, seen)
		compare(t, name, reflect.TypeOf(s.output), s.out, seen)
		http := api.HTTPOf(s.operation)
		if http.Method == "" || http.URI == "" {
			t.Errorf("%s has no place in the schema", name)
		}
		labels := 0
		for member, schema := range s.in.Members() {
			if _, ok := smithy.SchemaTrait[*traits.HTTPLabel](schema); ok {
				labels++
				if !strings.Contains(http.URI, "{"+member+"}") {
					t.Errorf("%s: the label %s is not in %s", name, member, http.URI)
				}
			}
			if q, ok := smithy.SchemaTrait[*traits.HTTPQuery](schema); ok && q.Name != member {
				t.Errorf("%s: the query parameter %s is the member %s", name, q.Name, member)
			}
		}
		if labels != strings.Count(http.URI, "{") {
			t.Errorf("%s: %d labels for %s", name, labels, http.URI)
		}
	}
}

func compare(t *testing.T, where string, v reflect.Type, s *smithy.Schema, seen map[reflect.Type]bool) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		compare(t, where, v.Elem(), s, seen)
	case reflect.Slice:
		if v.Elem().Kind() != reflect.Uint8 {
			compare(t, where, v.Elem(), s.ListMember(), seen)
		}
	case reflect.Map:
		compare(t, where, v.Elem(), s.MapValue(), seen)
	case reflect.Struct:
		if v.PkgPath() == "time" || seen[v] {
			return
		}
		seen[v] = true
		members := s.Members()
		fields := 0
		for f := range v.Fields() {
			if !f.IsExported() || f.Name == "ResultMetadata" {
				continue
			}
			fields++
			name := strings.ToLower(f.Name[:1]) + f.Name[1:]
			member, ok := members[name]
			if !ok {
				t.Errorf("%s: %s.%s is no member of the model", where, v, f.Name)
				continue
			}
			compare(t, where+"."+name, f.Type, member, seen)
		}
		if fields != len(members) {
			t.Errorf("%s: %s has %d fields, the model %d members", where, v, fields, len(members))
		}
	default:
	}
}
