package cluster

import (
	"context"
	"slices"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/pattern"
	"github.com/podid/podid/internal/store"
)

// Preview says what an association for a service account or a pattern has to do with those that there are.
type Preview struct {
	Winner  *Association // of a service account: the association whose role its pods get
	Before  []*Association
	After   []*Association
	Refusal string // why such an association could not be made; what its role, policy and tags are is not looked at
	LeftOut int    // how many of Before and After are not listed
}

// maxPreview bounds the lists of a preview.
const maxPreview = 1000

// Preview looks at what a service account, or the pattern of an association that may or may not be there, matches. Of a service account Winner and
// After are the associations that match it. Of a pattern Before are the associations that take service accounts from it, the exact ones among
// them, and After those from which it takes some.
func (r *Registry) Preview(ctx context.Context, account, cluster, namespace, serviceAccount string) (*Preview, error) {
	c, err := r.Get(ctx, account, cluster)
	if err != nil {
		return nil, err
	}
	p := pattern.Pair{Namespace: namespace, ServiceAccount: serviceAccount}
	if p.Is() {
		if err := checkPattern(p); err != nil {
			return nil, err
		}
		if err := r.db.Sync(ctx); err != nil {
			return nil, err
		}
		return r.previewPattern(c, p), nil
	}
	if err := CheckServiceAccount(namespace, serviceAccount); err != nil {
		return nil, err
	}
	winner, err := r.Lookup(ctx, account, cluster, namespace, serviceAccount)
	if err != nil {
		if fault.Of(err).Kind == fault.NotFound {
			return &Preview{}, nil
		}
		return nil, err
	}
	out := &Preview{Winner: winner}
	s := r.db.Snapshot()
	if winner.pair() == p {
		out.Refusal = exists(winner.ID)
	}
	for _, name := range r.patternsOf(s, account, cluster).All(namespace, serviceAccount) {
		a, ok := associations.Get(s, store.Key{account, cluster, name.Namespace, name.ServiceAccount})
		if ok && a.ID != winner.ID && a.pair().Compare(winner.pair()) > 0 {
			out.After = append(out.After, a)
		}
	}
	out.cut()
	return out, nil
}

func (r *Registry) previewPattern(c *Cluster, p pattern.Pair) *Preview {
	out := &Preview{}
	for a := range values(associations, r.db.Snapshot(), c.key()) {
		other := a.pair()
		if !p.Overlap(other) {
			continue
		}
		switch order := p.Compare(other); {
		case order == 0:
			out.Refusal = exists(a.ID)
		case order > 0:
			out.Before = append(out.Before, a)
		default:
			out.After = append(out.After, a)
		}
	}
	if err := c.checkIdentity(p.Namespace, p.ServiceAccount); err != nil {
		out.Refusal = fault.Of(err).Public
	}
	for _, list := range [][]*Association{out.Before, out.After} {
		slices.SortStableFunc(list, func(a, b *Association) int { return a.pair().Compare(b.pair()) })
	}
	out.cut()
	return out
}

func (p *Preview) cut() {
	for _, list := range []*[]*Association{&p.Before, &p.After} {
		if n := len(*list) - maxPreview; n > 0 {
			*list, p.LeftOut = (*list)[:maxPreview], p.LeftOut+n
		}
	}
}

// Subject is a service account of a namespace.
type Subject struct{ Namespace, ServiceAccount string }

// MatchedIdentity is a service account that a pattern matches.
type MatchedIdentity struct {
	Subject

	Winner *Association // whose role its pods get now; nil: nobody's
	Counts bool         // the association for the pattern is the one that counts, or would be
}

// maxIdentities is how many identities one question may have.
const maxIdentities = 1000

// PreviewIdentities tells which of the identities a pattern matches (or a single service account, which matches itself), in their order. The
// pattern's association may or may not be there.
func (r *Registry) PreviewIdentities(ctx context.Context, account, cluster string, of Subject, list []Subject) ([]MatchedIdentity, error) {
	if _, err := r.Get(ctx, account, cluster); err != nil {
		return nil, err
	}
	if len(list) > maxIdentities {
		return nil, fault.New(fault.Invalid, subjectAssociation, "A preview has at most %d identities, not %d", maxIdentities, len(list))
	}
	p := pattern.Pair(of)
	if p.Is() {
		if err := checkPattern(p); err != nil {
			return nil, err
		}
	} else if err := CheckServiceAccount(p.Namespace, p.ServiceAccount); err != nil {
		return nil, err
	}
	if err := r.db.Sync(ctx); err != nil {
		return nil, err
	}
	s := r.db.Snapshot()
	var matched []MatchedIdentity
	for _, id := range list {
		if err := CheckServiceAccount(id.Namespace, id.ServiceAccount); err != nil {
			return nil, err
		}
		if !p.Match(id.Namespace, id.ServiceAccount) {
			continue
		}
		m := MatchedIdentity{Subject: id, Counts: true}
		if winner, ok := r.find(s, account, cluster, id.Namespace, id.ServiceAccount); ok {
			m.Winner, m.Counts = winner, p.Compare(winner.pair()) <= 0
		}
		matched = append(matched, m)
	}
	return matched, nil
}
