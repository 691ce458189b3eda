// Package compat makes docs/compat: what each service of podid supports, read off the tables that answer its requests, so that the
// documents cannot say what the code does not do.
package compat

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/s3api"
)

// document is the page of one service. The client, where AWS has the service, says which operations there are on AWS.
func document(title, where string, s *api.Typed, client any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nWritten by `go test ./test/compat -update` from the operation table in `%s`; a test holds the two together.\n", title, where)
	here := make([]string, 0, len(s.Operations))
	for _, o := range s.Operations {
		here = append(here, o.Name)
	}
	if client != nil {
		all := operations(client)
		fmt.Fprintf(&b, "%d of the %d operations that AWS's SDK knows are here. The others are answered as unknown operations.\n", len(here), len(all))
		b.WriteString("\n\"Kept\" members are stored and shown again, and nothing acts on them; \"passed over\" ones are accepted and forgotten; a\n" +
			"\"refused\" one is an error that says so. An operation without a permission authorizes inside, or needs none.\n")
	}
	b.WriteString("\n| operation | permission | supported members | kept | passed over | refused |\n| --- | --- | --- | --- | --- | --- |\n")
	rows := slices.SortedFunc(slices.Values(s.Operations), func(a, b api.AnyOperation) int { return strings.Compare(a.Name, b.Name) })
	for _, o := range rows {
		permission := code(o.Action)
		if o.Unsigned {
			permission = "none: unsigned"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", o.Name, permission, codes(supported(&o.Description)),
			codes(named(o.Keeps)), codes(named(o.Ignores)), codes(named(o.Refuses)))
	}
	reasons(&b, rows)
	if client != nil {
		missing(&b, operations(client), here)
	}
	return b.String()
}

// reasons are why members are special, and the known differences.
func reasons(b *strings.Builder, rows []api.AnyOperation) {
	var members, differs []string
	for _, o := range rows {
		for _, list := range []struct {
			how     string
			members api.Members
		}{{"kept", o.Keeps}, {"passed over", o.Ignores}, {"refused", o.Refuses}} {
			for _, name := range slices.Sorted(maps.Keys(list.members)) {
				members = append(members, fmt.Sprintf("- %s `%s` is %s: %s\n", o.Name, name, list.how, list.members[name]))
			}
		}
		for _, text := range o.Differs {
			differs = append(differs, fmt.Sprintf("- %s: %s\n", o.Name, text))
		}
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"Known differences", differs}, {"Members that are not wholly supported", members}} {
		if len(part.lines) > 0 {
			fmt.Fprintf(b, "\n## %s\n\n%s", part.title, strings.Join(part.lines, ""))
		}
	}
}

func missing(b *strings.Builder, all, here []string) {
	var list []string
	for _, name := range all {
		if !slices.Contains(here, name) {
			list = append(list, name)
		}
	}
	if len(list) > 0 {
		fmt.Fprintf(b, "\n## Not here\n\n%s.\n", strings.Join(list, ", "))
	}
}

// supported are the members of the input that no list of exceptions names.
func supported(d *api.Description) []string {
	var names []string
	for f := range d.In.Fields() {
		if !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		_, kept := d.Keeps[f.Name]
		_, ignored := d.Ignores[f.Name]
		_, refused := d.Refuses[f.Name]
		switch {
		case f.Anonymous:
			inner := *d
			inner.In = f.Type
			names = append(names, supported(&inner)...)
		case !kept && !ignored && !refused:
			names = append(names, f.Name)
		}
	}
	return names
}

func named(m api.Members) []string { return slices.Sorted(maps.Keys(m)) }

// operations are the methods of an SDK's client that are operations: func(Context, *XInput, ...func(*Options)) (*XOutput, error).
func operations(client any) []string {
	var names []string
	for m := range reflect.TypeOf(client).Methods() {
		if m.Type.NumIn() == 4 && m.Type.NumOut() == 2 && m.Type.In(2).Kind() == reflect.Pointer &&
			m.Type.In(2).Elem().Name() == m.Name+"Input" {
			names = append(names, m.Name)
		}
	}
	return names
}

// objects is the page of S3, whose table is of another kind.
func objects(client any) string {
	var b strings.Builder
	all := operations(client)
	rows := s3api.Table()
	here := make([]string, 0, len(rows))
	for _, r := range rows {
		here = append(here, r.Name)
	}
	fmt.Fprintf(&b, "# S3\n\nWritten by `go test ./test/compat -update` from the operation table in `internal/api/s3api`; a test holds the two together.\n"+
		"%d rows; AWS's SDK knows %d operations. The table is closed: anything else is answered with NotImplemented (501), never guessed at.\n"+
		"Buckets are addressed by path. Which stores differ in what is in docs/decisions and docs/spec/s3.md.\n", len(rows), len(all))
	b.WriteString("\n| operation | request | further query parameters |\n| --- | --- | --- |\n")
	slices.SortFunc(rows, func(a, b s3api.Row) int { return strings.Compare(a.Name+a.Request, b.Name+b.Request) })
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", r.Name, r.Request, codes(r.Query))
	}
	fmt.Fprintf(&b, "\n## Request headers\n\nWith `x-amz-meta-*` these mean something; any other `x-amz-` header is refused: %s.\n", codes(s3api.Headers()))
	missing(&b, all, here)
	return b.String()
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func codes(list []string) string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = code(text)
	}
	return strings.Join(out, ", ")
}
