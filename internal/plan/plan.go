// Package plan is what will be done, in order, shown before any of it is: for the verbs that change more than one thing.
package plan

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// Action is what a step does to a thing.
type Action string

// The actions.
const (
	Create    Action = "create"
	Update    Action = "update"
	Delete    Action = "delete"
	Unchanged Action = "unchanged"
)

// Step is one thing that is made, changed or removed.
type Step struct {
	Action Action
	What   string   // "role podid-agent-prod"
	Detail []string // lines below it, for what a person should read before saying yes

	Do func(context.Context) error // nil: nothing
}

// Plan is what will be done, in this order.
type Plan []Step

// Print writes a line for each step, and its details.
func (p Plan) Print(w io.Writer) {
	for _, s := range p {
		fmt.Fprintf(w, "  %-10s %s\n", s.Action, s.What)
		for _, line := range s.Detail {
			fmt.Fprintf(w, "  %-10s   %s\n", "", line)
		}
	}
}

// Empty reports whether everything is as it is to be.
func (p Plan) Empty() bool {
	return !slices.ContainsFunc(p, func(s Step) bool { return s.Action != Unchanged })
}

// Execute does it, and stops at the first step that fails. What was done stays: the next run goes on from there.
func (p Plan) Execute(ctx context.Context) error {
	for _, s := range p {
		if s.Action == Unchanged || s.Do == nil {
			continue
		}
		if err := s.Do(ctx); err != nil {
			return fmt.Errorf("%s %s: %w", s.Action, s.What, err)
		}
	}
	return nil
}
