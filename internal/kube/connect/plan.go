package connect

import "github.com/podid/podid/internal/plan"

// What connecting takes, step by step, is shown as every plan is.
type (
	Action = plan.Action
	Step   = plan.Step
	Plan   = plan.Plan
)

// The actions.
const (
	Create    = plan.Create
	Update    = plan.Update
	Delete    = plan.Delete
	Unchanged = plan.Unchanged
)
