package api

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// Description is what an operation's row says of itself. Its fields mean what they mean in [Operation].
type Description struct {
	Name     string
	HTTP     HTTP
	Action   string
	Unsigned bool
	ReadOnly bool
	In, Out  reflect.Type // structs

	Refuses, Keeps, Ignores Members
	Differs                 []string
}

// check panics when the row speaks of a member that the input does not have: documents are made of these names.
func (d *Description) check() {
	for _, members := range []Members{d.Refuses, d.Keeps, d.Ignores} {
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if field, ok := d.In.FieldByName(name); !ok || !field.IsExported() {
				panic(fmt.Sprintf("api: %s has no member %s", d.In, name))
			}
		}
	}
}

// refused fails when an input has a member that the operation must not pass over in silence. Of several, the first by name is told.
func (d *Description) refused(in reflect.Value) error {
	for _, name := range slices.Sorted(maps.Keys(d.Refuses)) {
		v := in.FieldByName(name)
		if v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 {
			continue
		}
		return fault.New(fault.Invalid, "parameter", "podid does not support %s: %s", strings.ToLower(name[:1])+name[1:], d.Refuses[name])
	}
	return nil
}
