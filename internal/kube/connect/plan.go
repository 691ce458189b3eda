package connect

import "github.com/podid/podid/internal/plan"

type (
	// Plan is what connecting takes, shown as every plan is.
	Plan = plan.Plan
	// Step is one step of it.
	Step = plan.Step
	// Action is what a step does.
	Action = plan.Action
)

// The actions.
const (
	Create    = plan.Create
	Update    = plan.Update
	Delete    = plan.Delete
	Unchanged = plan.Unchanged
)
