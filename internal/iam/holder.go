package iam

import "iter"

// Holder is a user, a group or a role, as far as managed policies go.
type Holder struct {
	Kind     string // "user", "group", "role"
	Name     string
	ID       string
	Path     string
	Attached []string
	Boundary string
}

// Holders yields everything of an account that can hold a managed policy: groups, roles, users, each in the order of names.
func (d *Directory) Holders(account string) iter.Seq[Holder] {
	return func(yield func(Holder) bool) {
		for g := range d.AllGroups(account) {
			if !yield(Holder{subjectGroup, g.Name, g.ID, g.Path, g.Attached, ""}) {
				return
			}
		}
		for r := range d.AllRoles(account) {
			if !yield(Holder{subjectRole, r.Name, r.ID, r.Path, r.Attached, r.Boundary}) {
				return
			}
		}
		for u := range d.AllUsers(account) {
			if !yield(Holder{subjectUser, u.Name, u.ID, u.Path, u.Attached, u.Boundary}) {
				return
			}
		}
	}
}
