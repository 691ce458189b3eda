package inject_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/podid/podid/internal/kube/inject"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// divider parts what is given from what is expected.
const divider = "---\n"

// given is the first part of a golden file.
type given struct {
	Settings       json.RawMessage        // over the defaults
	Random         int64                  // what the dice show
	Associated     bool                   // the service account has an association
	LateBinding    bool                   // the namespace's label
	ServiceAccount *inject.ServiceAccount // nil: not known
	Pod            json.RawMessage
}

// expected is the second part.
type expected struct {
	Method inject.Method      `json:"method"`
	Patch  []inject.Operation `json:"patch"`
}

func (g *given) settings(t *testing.T) *inject.Settings {
	t.Helper()
	s := inject.Defaults()
	if g.Settings != nil {
		if err := yaml.UnmarshalStrict(g.Settings, &s); err != nil {
			t.Fatal(err)
		}
	}
	s.Random = func(n int64) int64 { return min(g.Random, n-1) }
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return &s
}

func (g *given) facts() inject.Facts {
	return inject.Facts{Associated: g.Associated, LateBinding: g.LateBinding, ServiceAccount: g.ServiceAccount}
}

// Each file is a pod with all that is known about it, and what it gets.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := bytes.Cut(content, []byte(divider))
			var g given
			if err := yaml.UnmarshalStrict(input, &g); err != nil {
				t.Fatal(err)
			}
			s := g.settings(t)
			pod, err := inject.ReadPod(g.Pod)
			if err != nil {
				t.Fatal(err)
			}
			method := s.Choose(g.facts())
			patch := s.Patch(pod, g.ServiceAccount, method)
			got, err := yaml.Marshal(expected{method, patch})
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, append(append(bytes.Clone(input), divider...), got...), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			checkApplies(t, s, g.Pod, patch, g.ServiceAccount, method)
		})
	}
}

// checkApplies holds what is true of every patch: it applies, it loses nothing, and after it there is nothing left to do.
func checkApplies(t *testing.T, s *inject.Settings, raw []byte, patch []inject.Operation, sa *inject.ServiceAccount, m inject.Method) {
	t.Helper()
	encoded, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	patched := raw
	if len(patch) > 0 {
		decoded, err := jsonpatch.DecodePatch(encoded)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		if patched, err = decoded.Apply(raw); err != nil {
			t.Fatalf("%s does not apply to %s: %v", encoded, raw, err)
		}
	}
	before, after := decode(t, raw), decode(t, patched)
	if lost := missing("", before, after); lost != "" {
		t.Errorf("%s was lost\nbefore %s\npatch %s\nafter %s", lost, raw, encoded, patched)
	}
	again, err := inject.ReadPod(patched)
	if err != nil {
		t.Fatalf("what was patched is no pod: %v", err)
	}
	if rest := s.Patch(again, sa, m); len(rest) > 0 {
		t.Errorf("once more, and there is more to do: %v\npod %s", rest, patched)
	}
}

func decode(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// missing is a path of what is in before and not in after, where members and items may have been added. The label of the pod is
// the one value that may change.
func missing(at string, before, after any) string {
	switch b := before.(type) {
	case nil:
		return "" // null is what nobody set
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok {
			return at
		}
		for name, v := range b {
			if p := at + "/" + name; p == "/metadata/labels/eks.amazonaws.com/pod-identity" {
				continue
			} else if _, ok := a[name]; !ok {
				return p
			} else if lost := missing(p, v, a[name]); lost != "" {
				return lost
			}
		}
		return ""
	case []any:
		a, ok := after.([]any)
		if !ok {
			return at
		}
		for _, v := range b { // in order, though others may be between them
			for {
				if len(a) == 0 {
					return at + "/-"
				}
				found := missing(at+"/-", v, a[0]) == ""
				a = a[1:]
				if found {
					break
				}
			}
		}
		return ""
	}
	if before != after {
		return at
	}
	return ""
}

// expirationIn is the lifetime of the token that a patch mounts.
func expirationIn(t *testing.T, patch []inject.Operation) int64 {
	t.Helper()
	encoded, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(encoded, []byte(`"expirationSeconds":`))
	seconds, _, _ := bytes.Cut(rest, []byte(","))
	var n int64
	if err := json.Unmarshal(seconds, &n); err != nil {
		t.Fatalf("no lifetime in %s", encoded)
	}
	return n
}
