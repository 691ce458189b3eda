package api

import (
	"maps"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// hidden is what a record shows in place of a secret. spec: pod-identity.md 2.6 (CloudTrail)
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// secretMembers are the names of members, in any service's structs, whose values never reach a record.
var secretMembers = map[string]bool{
	"Token": true, "WebIdentityToken": true, "SecretAccessKey": true, "SessionToken": true, "Password": true,
	"NewPassword": true, "OldPassword": true, "TokenCode": true, "SAMLAssertion": true, "PrivateKey": true,
}

// memberName is the JSON name of a Go field of an SDK struct: the model's names begin with a lower-case letter.
func memberName(field string) string {
	r, n := utf8.DecodeRuneInString(field)
	return string(unicode.ToLower(r)) + field[n:]
}

// wireName is the JSON name of a member. podid's own structs say it in a tag.
func wireName(f reflect.StructField) string {
	if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
		return name
	}
	return memberName(f.Name)
}

// form is a way to write an SDK struct down: how its members are spelled, and whether secrets are replaced.
type form struct {
	name func(reflect.StructField) string
	hide bool
}

// plain is the form of the REST-JSON services and, with hide, of records.
func plain(v reflect.Value, hide bool) any { return form{name: wireName, hide: hide}.plain(v) }

// plain turns an SDK struct into what encoding/json writes as the service's wire form: members as they are spelled there, absent
// when nil or an empty enum, times as seconds since the epoch.
func (f form) plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return f.plain(v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return float64(t.UnixMilli()) / 1000
		}
		return f.structure(v)
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes() // encoding/json writes base64
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = f.plain(v.Index(i))
		}
		return list
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = f.plain(it.Value())
		}
		return m
	case reflect.String:
		return v.String()
	default:
		return v.Interface()
	}
}

func (f form) structure(v reflect.Value) map[string]any {
	m := make(map[string]any, v.NumField())
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Name == "ResultMetadata" {
			continue
		}
		value := f.plain(v.Field(i))
		if value == nil || (value == "" && field.Type.Kind() == reflect.String) {
			continue
		}
		if f.hide && secretMembers[field.Name] {
			value = hidden
		}
		if field.Anonymous {
			if inner, ok := value.(map[string]any); ok {
				maps.Copy(m, inner)
				continue
			}
		}
		m[f.name(field)] = value
	}
	return m
}

// recorded is the form of an input or output that goes into a record.
func recorded(v any) map[string]any {
	if v == nil {
		return nil
	}
	m, _ := plain(reflect.ValueOf(v), true).(map[string]any)
	if len(m) == 0 {
		return nil
	}
	return m
}

// fieldByMember finds the field for the name of a label or query parameter, which has one spelling. Embedded structs are
// looked through.
func fieldByMember(v reflect.Value, name string) reflect.Value {
	for _, f := range reflect.VisibleFields(v.Type()) {
		if f.IsExported() && !f.Anonymous && wireName(f) == name {
			if field, err := v.FieldByIndexErr(f.Index); err == nil {
				return field
			}
		}
	}
	return reflect.Value{}
}
