package api

import (
	"net/http"
	"net/url"
	"strings"
)

// DecodeQuery reads a form into the input of the action it names; every action is known.
func DecodeQuery(form string, in any) error {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/"}}
	q := Query{Version: "1"}
	_, found, err := q.find(r, []byte(form), []AnyOperation{{Description: Description{Name: "Act"}}})
	if err != nil {
		return err
	}
	return q.decode(r, nil, found, in)
}

// MatchURI matches a raw path against a template.
func MatchURI(template, path string) (url.Values, bool) {
	return matchURI(template, strings.Split(strings.TrimPrefix(path, "/"), "/"))
}

// DecodeJSON11 reads a body of the AWS JSON 1.1 protocol.
func DecodeJSON11(body string, in any) error { return JSON11{}.decode(nil, []byte(body), nil, in) }
