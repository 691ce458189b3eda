package policy

// statement is one statement, compiled.
type statement struct {
	index       int // in the document, from zero
	pos         int
	sid         string
	deny        bool
	principals  *principals // nil in identity policies
	notAction   bool
	actions     []actionPattern
	notResource bool
	resources   []pattern
	conditions  []condition
}

// matchesPrincipal is the level at which the statement is meant for the caller; direct where there is no Principal element.
// A Deny with NotPrincipal is for every user and role that has a permissions boundary, whoever is listed.
func (s *statement) matchesPrincipal(r *Request, bounded bool) level {
	switch {
	case s.principals == nil:
		return levelDirect
	case !s.principals.not:
		return s.principals.names(r)
	case s.deny && bounded:
		return levelDirect
	case s.deny && s.principals.exempts(r), !s.deny && s.principals.names(r) != levelNone:
		return levelNone
	}
	return levelDirect
}

func (s *statement) matchesAction(action string) bool {
	for i := range s.actions {
		if s.actions[i].match(action) {
			return !s.notAction
		}
	}
	return s.notAction
}

// matchesResource decides Resource and NotResource. When a variable of a NotResource entry has no value, nobody can say what is
// excluded: a Deny applies then, an Allow does not. spec: iam-policy.md 4
func (s *statement) matchesResource(resource string, c *Context) bool {
	unresolved := false
	for i := range s.resources {
		ok, resolved := s.resources[i].match(resource, c)
		if ok {
			return !s.notResource
		}
		unresolved = unresolved || !resolved
	}
	return s.notResource && (!unresolved || s.deny)
}

func (s *statement) matchesConditions(c *Context) bool {
	for i := range s.conditions {
		if !s.conditions[i].holds(c) {
			return false
		}
	}
	return true
}

// applies decides everything but the action, which the index has decided, and returns the principal level or none.
func (s *statement) applies(r *Request, bounded bool) level {
	if !s.matchesResource(r.Resource, r.Context) {
		return levelNone
	}
	l := s.matchesPrincipal(r, bounded)
	if l == levelNone || !s.matchesConditions(r.Context) {
		return levelNone
	}
	return l
}
