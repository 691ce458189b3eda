package conformance

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What scenarios say of answers means what README.md says.
func TestCompare(t *testing.T) {
	t.Parallel()
	variables := map[string]any{"run": "abc", "kept": map[string]any{"Arn": "arn:x"}}
	const output = `{"Role": {"Arn": "arn:x", "Tags": [{"Key": "a.b"}], "Doc": "%7B%22Version%22%3A%22v%22%7D", "Empty": "", "None": [], "No": false,
		"At": 1767323045, "Map": {"a.b": "c"}}}`
	for path, tests := range map[string][]struct {
		want any
		ok   bool
	}{
		"role.ARN":           {{"arn:x", true}, {"*", true}, {"${kept.Arn}", true}, {"${kept.Else}", false}, {"arn:y", false}, {nil, false}},
		"Role.Tags.#":        {{1.0, true}, {2.0, false}},
		"Role.Tags.0.Key":    {{"a.b", true}},
		"Role.Tags.1.Key":    {{nil, true}, {"*", false}},
		"Role.Doc":           {{map[string]any{"Version": "v"}, true}, {`{"Version": "v"}`, true}, {`{"Version": "w"}`, false}, {map[string]any{"Version": "w"}, false}},
		"Role.Doc.Version":   {{"v", true}},
		"Role.Empty":         {{nil, true}, {"*", false}, {"", true}},
		"Role.None":          {{nil, true}, {"*", false}},
		"Role.No":            {{false, true}, {nil, false}, {true, false}},
		"Role.At":            {{"2026-01-02T03:04:05Z", true}, {"2026-01-02T05:04:05+02:00", true}, {"2026-01-02T03:04:06Z", false}},
		"Role.Map":           {{map[string]any{"a.b": "c"}, true}, {map[string]any{}, false}},
		"Role.Absent.#":      {{0.0, true}},
		"Role.Absent.Deeper": {{nil, true}},
	} {
		for _, test := range tests {
			var o map[string]any
			if err := json.Unmarshal([]byte(output), &o); err != nil {
				t.Fatal(err)
			}
			if wrong := compare(o, map[string]any{path: test.want}, variables); (len(wrong) == 0) != test.ok {
				t.Errorf("%s = %v: got %q, want ok %t", path, test.want, wrong, test.ok)
			}
		}
	}
}

func TestSubstitute(t *testing.T) {
	t.Parallel()
	variables := map[string]any{"run": "abc", "n": 1.0, "kept": map[string]any{"Arn": "arn:x"}}
	got, err := substitute(map[string]any{"${run}:sub": []any{"x-${run}", "${n}", "${kept.Arn}/${aws:username}"}}, variables)
	if want := any(map[string]any{"abc:sub": []any{"x-abc", 1.0, "arn:x/${aws:username}"}}); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, text := range []string{"${else}", "x-${n}", "${kept.Else}"} {
		if got, err := substitute(text, variables); err == nil {
			t.Errorf("%s: got %v, want an error", text, got)
		}
	}
}
