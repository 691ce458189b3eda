// Package cases reads and runs authorization cases: questions to the policy engine with the answer that is expected, one JSON object a
// line. Users test their policies with them, and the engine's own corpus (internal/policy/testdata) is written in them.
//
// A row is read strictly: an unknown member, or a policy that does not compile, makes the row fail with a cause. It never stops the run.
//
// spec: authorization-cases.md
package cases

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Case is one row.
type Case struct {
	ID   string
	Line int   // in its file, from one
	Err  error // why the row cannot be read; it then fails
	row  any   // *decision, *document, *equivalence or *publicity
}

// Result is what became of a case.
type Result struct {
	ID       string `json:"id"`
	Decision string `json:"decision"`
	Expect   string `json:"expect"`
	Pass     bool   `json:"pass"`
	Why      string `json:"why,omitempty"`
	Line     int    `json:"-"`
}

// maxLine bounds a row: several policies of the greatest length fit.
const maxLine = 4 << 20

// Read yields the rows of r. Blank lines are skipped. A failure of r itself ends the sequence with a case that carries it.
func Read(r io.Reader) iter.Seq[Case] {
	return func(yield func(Case) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 64<<10), maxLine)
		n := 0
		for lines.Scan() {
			n++
			text := bytes.TrimSpace(bytes.TrimPrefix(lines.Bytes(), []byte("\ufeff")))
			if len(text) == 0 {
				continue
			}
			c := parse(text)
			c.Line = n
			if !yield(c) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Case{Line: n + 1, Err: fmt.Errorf("cannot read on: %w", err)})
		}
	}
}

// parse reads one row; its members tell which kind it is.
func parse(text []byte) Case {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return Case{Err: fmt.Errorf("not a JSON object: %w", err)}
	}
	var c Case
	if err := json.Unmarshal(members["id"], &c.ID); err != nil || c.ID == "" {
		c.Err = errors.New("a row needs an id, a string")
		return c
	}
	kinds := [...]struct {
		member string
		row    any
	}{{"policies", &decision{}}, {"document", &document{}}, {"equivalent", &equivalence{}}, {"public", &publicity{}}}
	for _, k := range kinds {
		if _, ok := members[k.member]; ok {
			c.row, c.Err = k.row, strict(text, k.row)
			return c
		}
	}
	c.Err = errors.New("a row has one of the members policies, document, equivalent and public")
	return c
}

// strict decodes text and refuses unknown members.
func strict(text []byte, into any) error {
	if err := uniqueMembers(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// uniqueMembers refuses a row in which a member of the row itself stands twice; encoding/json would keep the last.
func uniqueMembers(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		s, _ := name.(string)
		if seen[s] {
			return fmt.Errorf("member %q twice", s)
		}
		seen[s] = true
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return err
		}
	}
	return nil
}

// remarks are the members that mean nothing to the engine.
type remarks struct {
	ID          string          `json:"id"`
	Description string          `json:"description"`
	Source      json.RawMessage `json:"source"`
	Why         json.RawMessage `json:"why"`
	Category    json.RawMessage `json:"category"`
}

// Run decides the case.
func (c *Case) Run() Result {
	out := Result{ID: c.ID, Line: c.Line}
	if c.Err != nil {
		out.Decision, out.Why = "error", c.Err.Error()
		return out
	}
	var err error
	switch row := c.row.(type) {
	case *decision:
		err = row.run(&out)
	case *document:
		row.run(&out)
	case *equivalence:
		err = row.run(&out)
	case *publicity:
		err = row.run(&out)
	}
	if err != nil {
		out.Decision, out.Why = "error", err.Error()
		return out
	}
	out.Pass = out.Decision == out.Expect
	return out
}
