package s3api

import (
	"maps"
	"slices"
	"strings"
)

// Row is what the table of operations says of one of them, for documents.
type Row struct {
	Name     string
	Request  string   // PUT /bucket/key?uploadId
	Query    []string // the further query parameters that it takes
	ReadOnly bool
}

// Table is the closed table of operations: what is not in it is refused.
func Table() []Row {
	paths := map[level]string{onService: "/", onBucket: "/bucket", onObject: "/bucket/key"}
	rows := make([]Row, 0, len(operations))
	for _, o := range operations {
		request := o.method + " " + paths[o.on]
		if o.marker != "" {
			request += "?" + o.marker
		}
		if o.copies {
			request += ", x-amz-copy-source"
		}
		rows = append(rows, Row{Name: o.name, Request: request, Query: slices.Clone(o.query), ReadOnly: o.readOnly})
	}
	return rows
}

// Headers are the request headers that mean something here, in lower case and in order. Any other x-amz- header is refused.
func Headers() []string {
	names := slices.Concat(slices.Collect(maps.Keys(forwarded)), slices.Collect(maps.Keys(consumed)))
	for i, name := range names {
		names[i] = strings.ToLower(name)
	}
	slices.Sort(names)
	return names
}
