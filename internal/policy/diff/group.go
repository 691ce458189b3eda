package diff

import (
	"slices"
	"strconv"
	"strings"

	"github.com/podid/podid/internal/policy"
)

// grouping collects what differs. For one principal, action and resource it gathers the contexts, and says them as conditions; then it joins
// requests that differ alike.
type grouping struct {
	principal principal
	action    sample
	resource  sample
	tried     int
	changed   map[Change]*contexts
	found     []finding
}

// contexts are the assignments under which one request changes in one way.
type contexts struct {
	list    [][]int
	example Example
}

type finding struct {
	change                      Change
	principal, action, resource string
	contexts                    *contexts
	tried                       int
}

func (g *grouping) begin(p principal, a, r sample, tried int) {
	g.principal, g.action, g.resource, g.tried = p, a, r, tried
	g.changed = nil
}

func changeOf(before, after policy.Outcome) (Change, bool) {
	switch {
	case before == after:
		return "", false
	case after == policy.Allow:
		return NewlyAllowed, true
	case before == policy.Allow:
		return NewlyDenied, true
	case before == policy.ExplicitDeny:
		return NoLongerRefused, true
	}
	return NewlyRefused, true
}

func (g *grouping) compare(r *policy.Request, sets [2]*policy.Set, assignment []int) {
	before, after := policy.Evaluate(r, sets[0]).Outcome, policy.Evaluate(r, sets[1]).Outcome
	change, ok := changeOf(before, after)
	if !ok {
		return
	}
	if g.changed == nil {
		g.changed = make(map[Change]*contexts)
	}
	c := g.changed[change]
	if c == nil {
		c = &contexts{example: Example{
			Principal: r.Principal.ARN, Action: r.Action, Resource: r.Resource, Old: before, New: after, Context: map[string][]string{},
		}}
		r.Context.All(func(key string, values []string) bool {
			c.example.Context[key] = slices.Clone(values)
			return true
		})
		g.changed[change] = c
	}
	c.list = append(c.list, assignment)
}

// order is the order of a report: what is newly allowed comes first.
var order = [...]Change{NewlyAllowed, NewlyDenied, NoLongerRefused, NewlyRefused}

func (g *grouping) end() {
	for _, change := range order {
		if c := g.changed[change]; c != nil {
			g.found = append(g.found, finding{change, g.principal.label, g.action.label, g.resource.label, c, g.tried})
		}
	}
}

// differences joins the findings: first those that differ in the action alone, then in the resource, then in the principal.
func (g *grouping) differences(sp *space) []Difference {
	out := []Difference{}
	for _, change := range order {
		for _, f := range g.found {
			if f.change != change {
				continue
			}
			d := Difference{
				Change: change, Actions: []string{f.action}, Resources: []string{f.resource}, When: sp.when(f.contexts.list, f.tried), Example: f.contexts.example,
			}
			if f.principal != "" {
				d.Principals = []string{f.principal}
			}
			out = append(out, d)
		}
	}
	actions := func(d *Difference) *[]string { return &d.Actions }
	resources := func(d *Difference) *[]string { return &d.Resources }
	principals := func(d *Difference) *[]string { return &d.Principals }
	for _, list := range [...]func(*Difference) *[]string{actions, resources, principals} {
		out = join(out, list)
	}
	return out
}

// join merges differences that are alike but for one list.
func join(in []Difference, list func(*Difference) *[]string) []Difference {
	out := in[:0:0]
	at := map[string]int{}
	for _, d := range in {
		rest := d
		*list(&rest) = nil
		key := strings.Join([]string{
			string(rest.Change), strings.Join(rest.Actions, "\x00"), strings.Join(rest.Resources, "\x00"), strings.Join(rest.Principals, "\x00"),
			strings.Join(rest.When, "\x00"),
		}, "\x01")
		i, known := at[key]
		if !known {
			at[key] = len(out)
			out = append(out, d)
			continue
		}
		to := list(&out[i])
		for _, v := range *list(&d) {
			if !slices.Contains(*to, v) {
				*to = append(slices.Clip(*to), v)
			}
		}
	}
	return out
}

// when says assignments in words: for each key that matters the values that occur. Where the occurring values in all their
// combinations are more than the assignments, it says so.
func (sp *space) when(list [][]int, tried int) []string {
	if len(list) == tried {
		return nil
	}
	var out []string
	combinations := 1
	for i := range sp.keys {
		var seen []int
		for _, assignment := range list {
			if !slices.Contains(seen, assignment[i]) {
				seen = append(seen, assignment[i])
			}
		}
		combinations *= len(seen)
		if len(seen) == len(sp.keys[i].values) {
			continue
		}
		slices.Sort(seen)
		var words []string
		for _, v := range seen {
			words = append(words, wordsOf(sp.keys[i].values[v]))
		}
		out = append(out, sp.keys[i].name+" is "+strings.Join(words, " or "))
	}
	if combinations != len(list) {
		out = append(out, "in some combinations of condition values, as in the example")
	}
	return out
}

func wordsOf(values []string) string {
	switch {
	case values == nil:
		return "absent"
	case len(values) == 0:
		return "present without values"
	case len(values) == 1 && values[0] == otherValue:
		return "another value"
	}
	var out []string
	for _, v := range values {
		out = append(out, strconv.Quote(v))
	}
	return strings.Join(out, " and ")
}
