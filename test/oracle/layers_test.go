package oracle_test

import (
	"encoding/json"
	"testing"

	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/test/oracle"
	"github.com/podid/podid/test/oracle/reference"
)

// shrinks draws questions and takes away one layer after the other. What limits may only ever have refused; what grants may only ever
// have allowed, but for its denies. spec: iam-policy.md 6.4, 16
func shrinks(t *testing.T, questions int, seed uint64) {
	t.Helper()
	oracle.NewGenerator(seed).Questions(questions, func(c reference.Case) bool {
		set, err := oracle.Set(c.Policies)
		if err != nil {
			t.Fatal(err)
		}
		r := oracle.Request(c)
		with := policy.Evaluate(r, set)
		check := func(layer string, without policy.Set, limits bool) {
			d := policy.Evaluate(r, &without)
			grown := with.Outcome == policy.Allow && d.Outcome != policy.Allow
			shrunk := with.Outcome == policy.ImplicitDeny && d.Outcome == policy.Allow
			if limits && grown || !limits && shrunk || d.Outcome == policy.ExplicitDeny && with.Outcome != policy.ExplicitDeny {
				text, _ := json.Marshal(c)
				t.Errorf("seed %d: %s with its %s policies, %s without:\n%s", seed, with.Outcome, layer, d.Outcome, text)
			}
		}
		without := *set
		without.Boundary = nil
		check("boundary", without, true)
		without = *set
		without.SCP = nil
		check("service control", without, true)
		without = *set
		without.RCP = nil
		check("resource control", without, true)
		if c.Principal.Type != "federatedUser" { // who has no permissions of its own without one
			without = *set
			without.Session = nil
			check("session", without, true)
		}
		without = *set
		without.Identity = nil
		check("identity", without, false)
		if c.Policies.Trust == nil { // without its trust policy a role is another sort of resource
			without = *set
			without.Resource = nil
			check("resource", without, false)
		}
		return !t.Failed()
	})
}

func TestLayersShrinkAndGrant(t *testing.T) {
	t.Parallel()
	shrinks(t, 20_000, 3)
}

func FuzzLayers(f *testing.F) {
	for seed := range uint64(3) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { shrinks(t, 50, seed) })
}
