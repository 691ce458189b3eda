package plan_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/plan"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	var done []string
	step := func(action plan.Action, what string, fail error) plan.Step {
		return plan.Step{Action: action, What: what, Detail: []string{"of " + what}, Do: func(context.Context) error {
			done = append(done, what)
			return fail
		}}
	}
	full := errors.New("full")
	p := plan.Plan{
		step(plan.Unchanged, "a", nil), step(plan.Create, "b", nil),
		{Action: plan.Update, What: "nothing to do by itself"},
		step(plan.Update, "c", full), step(plan.Delete, "d", nil),
	}
	err := p.Execute(t.Context())
	if !errors.Is(err, full) || err.Error() != "update c: full" {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"b", "c"}, done); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if p.Empty() || !p[:1].Empty() {
		t.Error("a plan is empty when, and only when, nothing changes")
	}
	var out strings.Builder
	p[:2].Print(&out)
	if diff := cmp.Diff("  unchanged  a\n               of a\n  create     b\n               of b\n", out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
