package cases_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/podid/podid/internal/policy/cases"
)

// TestCorpus runs the engine's own corpus, organised by rule; each row names the section of the specification that it comes from.
func TestCorpus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	seen := map[string]string{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for c := range cases.Read(f) {
			if other, twice := seen[c.ID]; twice {
				t.Errorf("%s:%d: id %q stands in %s too", name, c.Line, c.ID, other)
			}
			seen[c.ID] = name
			r := c.Run()
			if !r.Pass {
				t.Errorf("%s:%d: %s: got %s, want %s: %s", filepath.Base(name), c.Line, r.ID, r.Decision, r.Expect, r.Why)
			} else if strings.Contains(r.Why, "; the row expects the text") {
				t.Errorf("%s:%d: %s: %s", filepath.Base(name), c.Line, r.ID, r.Why)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(seen) < 500 {
		t.Errorf("%d rows, want at least 500", len(seen))
	}
}

func TestRowsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	const good = `{"id":"g","policies":{"identity":[]},"principal":{"account":"111122223333","arn":"arn:aws:iam::111122223333:user/a","type":"user"},"request":{"action":"s3:GetObject","resource":"*","resourceAccount":"111122223333","context":{}},"expect":"implicitDeny"}`
	for name, text := range map[string]string{
		"not JSON":           `{`,
		"no id":              strings.Replace(good, `"id":"g",`, "", 1),
		"no kind":            `{"id":"x"}`,
		"unknown member":     strings.Replace(good, `"expect"`, `"mood":1,"expect"`, 1),
		"unknown in nested":  strings.Replace(good, `"identity"`, `"idendity"`, 1),
		"member twice":       strings.Replace(good, `"expect"`, `"expect":"allow","expect"`, 1),
		"unknown expect":     strings.Replace(good, "implicitDeny", "maybe", 1),
		"unknown type":       strings.Replace(good, `"type":"user"`, `"type":"robot"`, 1),
		"policy not valid":   strings.Replace(good, `"identity":[]`, `"identity":[{"Version":"2012-10-17"}]`, 1),
		"unknown policyType": `{"id":"x","policyType":"tea","document":"{}","valid":false}`,
	} {
		got := slices.Collect(cases.Read(strings.NewReader("\n" + text + "\n" + good + "\n")))
		if len(got) != 2 {
			t.Fatalf("%s: %d rows, want 2", name, len(got))
		}
		if r := got[0].Run(); r.Pass || r.Why == "" || r.Line != 2 {
			t.Errorf("%s: %+v, want a failure with a cause on line 2", name, r)
		}
		if r := got[1].Run(); !r.Pass {
			t.Errorf("%s: the row after it: %+v", name, r)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"id":"x","policyType":"identity","document":"{}","valid":false}`)
	f.Add(`{"id":"x","policy":{"Statement":[]},"public":true}`)
	f.Add(`{"id":"x","a":{},"b":"{}","equivalent":true}`)
	f.Fuzz(func(_ *testing.T, text string) {
		for c := range cases.Read(strings.NewReader(text)) {
			c.Run()
		}
	})
}
