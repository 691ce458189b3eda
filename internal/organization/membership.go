package organization

import (
	"slices"

	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
)

// Membership is what follows for one account from its organization. It is shared by all who ask and never changed.
type Membership struct {
	Organization string   // o-...
	Paths        []string // the one value of aws:PrincipalOrgPaths: o-.../r-.../ou-.../

	// The levels of policies, the root first, and what each policy is called. They are empty for a management account, and where the
	// type of policy is not enabled.
	SCP, RCP           [][]*policy.Document
	SCPNames, RCPNames [][]string
}

// derived is what follows from one state of an organization for each of its accounts.
type derived map[string]*Membership

// Of tells what an account's organization means for it; nil: it is in none. It takes no lock, and allocates only for the first
// question after an organization has changed.
func (d *Directory) Of(account string) *Membership {
	if account == "" {
		return nil
	}
	s := d.db.Snapshot()
	m, ok := memberships.Get(s, store.Key{account})
	if !ok {
		return nil
	}
	o, ok := organizations.Get(s, store.Key{m.Organization})
	if !ok {
		return lost(m.Organization)
	}
	all := o.derived.Load()
	if all == nil {
		// Several may compute it at once: they come to the same, as policies change with their organization's record only.
		computed := derive(s, o)
		all = &computed
		o.derived.Store(all)
	}
	if found := (*all)[account]; found != nil {
		return found
	}
	return lost(m.Organization)
}

// lost is the membership of an account whose place cannot be read: it may do nothing, and nothing may be done to it.
func lost(organization string) *Membership {
	return &Membership{
		Organization: organization,
		SCP:          [][]*policy.Document{{policy.NewSource("").As(policy.SCP)}}, SCPNames: [][]string{{"unreadable"}},
		RCP: [][]*policy.Document{{policy.NewSource("").As(policy.RCP)}}, RCPNames: [][]string{{"unreadable"}},
	}
}

// levels are those of one place in the tree, with those above it.
type levels struct {
	path     string
	docs     map[Type][][]*policy.Document
	names    map[Type][][]string
	unbroken bool // the way up ends at the root
}

func derive(s *store.Snapshot, o *Organization) derived {
	w := &walk{s: s, o: o, known: map[string]*levels{}}
	all := make(derived, len(o.Accounts))
	for id, account := range o.Accounts {
		above := w.place(account.Parent, 0)
		if !above.unbroken {
			all[id] = lost(o.ID)
			continue
		}
		m := &Membership{Organization: o.ID, Paths: []string{above.path}}
		if id != o.Management {
			own := w.below(above, account.Attached)
			m.SCP, m.SCPNames = own.docs[SCP], own.names[SCP]
			m.RCP, m.RCPNames = own.docs[RCP], own.names[RCP]
		}
		all[id] = m
	}
	return all
}

// walk goes up a tree and remembers the places where it has been.
type walk struct {
	s     *store.Snapshot
	o     *Organization
	known map[string]*levels
}

func (w *walk) place(id string, depth int) *levels {
	if l := w.known[id]; l != nil {
		return l
	}
	l := &levels{}
	switch unit := w.o.Units[id]; {
	case id == w.o.RootID:
		l = w.below(&levels{path: w.o.ID + "/", unbroken: true}, w.o.Attached)
		l.path += id + "/"
	case unit != nil && depth <= maxDepth:
		l = w.below(w.place(unit.Parent, depth+1), unit.Attached)
		l.path += id + "/"
	}
	w.known[id] = l
	return l
}

// below adds the policies of one more place, of the types that are enabled.
func (w *walk) below(above *levels, attached []string) *levels {
	l := &levels{path: above.path, unbroken: above.unbroken, docs: make(map[Type][][]*policy.Document), names: make(map[Type][][]string)}
	for _, t := range w.o.Types {
		docs, names := []*policy.Document{}, []string{}
		for _, id := range attached {
			if of := w.o.typeOf(id); of == t || of == "" { // what is attached and not known denies
				docs, names = append(docs, w.document(id, t)), append(names, id)
			}
		}
		l.docs[t] = append(slices.Clip(above.docs[t]), docs)
		l.names[t] = append(slices.Clip(above.names[t]), names)
	}
	return l
}

func (w *walk) document(id string, t Type) *policy.Document {
	if id == FullAccess(t) {
		return managed[t].Content.As(t.kind())
	}
	p, ok := policies.Get(w.s, store.Key{w.o.ID, id})
	if !ok {
		return policy.NewSource("").As(t.kind()) // denies
	}
	return p.Content.As(t.kind())
}
