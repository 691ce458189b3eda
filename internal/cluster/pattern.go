package cluster

import (
	"context"
	"strings"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/pattern"
	"github.com/podid/podid/internal/store"
)

// TagPatterns is the tag by which a cluster's owner lets associations be for patterns of service accounts: "true", or "false" as without it.
// It is a tag so that every client of EKS can set it, at CreateCluster or later. It cannot be turned off while there are patterns.
const TagPatterns = ownTags + "pattern-associations"

// maxTold is how many associations a refusal names.
const maxTold = 5

// Patterns tells whether associations of the cluster may be for patterns.
func (c *Cluster) Patterns() bool { return c.Tags[TagPatterns] == "true" }

// checkClusterTags holds the rules for a cluster's tags.
func checkClusterTags(tags map[string]string) error {
	if err := checkTags(tags, TagPatterns); err != nil {
		return err
	}
	if v, ok := tags[TagPatterns]; ok && v != "true" && v != "false" {
		return invalidTag("The tag %s has the value %s: it is true or false", TagPatterns, quoted(v))
	}
	return nil
}

// CheckIdentity holds the rules for what an association of a cluster is for: a service account, or where the cluster lets it, a pattern. That may
// have been turned on a moment ago through another replica, so before it refuses a pattern it makes sure.
func (r *Registry) CheckIdentity(ctx context.Context, c *Cluster, namespace, serviceAccount string) error {
	err := c.checkIdentity(namespace, serviceAccount)
	if err == nil || !(pattern.Pair{Namespace: namespace, ServiceAccount: serviceAccount}).Is() {
		return err
	}
	if err := r.db.Sync(ctx); err != nil {
		return err
	}
	if newer, ok := r.Find(c.Account, c.Name); ok {
		c = newer
	}
	return c.checkIdentity(namespace, serviceAccount)
}

func (c *Cluster) checkIdentity(namespace, serviceAccount string) error {
	p := pattern.Pair{Namespace: namespace, ServiceAccount: serviceAccount}
	if !p.Is() {
		return CheckServiceAccount(namespace, serviceAccount)
	}
	if !c.Patterns() {
		err := CheckServiceAccount(namespace, serviceAccount)
		if err == nil {
			return nil
		}
		return invalidName("%s. A * would make it a pattern: tag the cluster %s with %s=true to allow patterns",
			fault.Of(err).Public, c.Name, TagPatterns)
	}
	return checkPattern(p)
}

// checkPattern holds that a pattern could match a name.
func checkPattern(p pattern.Pair) error {
	if strings.Contains(p.Namespace, ".") || !patternText(p.Namespace, pattern.LongestNamespace) {
		return invalidName("The namespace %s is not valid: a pattern has one or more * and at most %d lower-case letters, digits and hyphens, "+
			"no two * together, and begins and ends with a *, a letter or a digit", quoted(p.Namespace), pattern.LongestNamespace)
	}
	if !patternText(p.ServiceAccount, pattern.LongestServiceAccount) {
		return invalidName("The service account %s is not valid: a pattern has one or more * and at most %d lower-case letters, digits, hyphens and dots, "+
			"no two * together, and begins and ends each part between dots with a *, a letter or a digit", quoted(p.ServiceAccount), pattern.LongestServiceAccount)
	}
	return nil
}

// patternText: a * stands for a letter as well as for more, so what is a name with a letter in its place can match one.
func patternText(s string, longest int) bool {
	literals := len(s) - strings.Count(s, "*")
	if literals > longest || strings.Contains(s, "**") {
		return false
	}
	return subdomain(strings.ReplaceAll(s, "*", "x"), len(s)) // its length was looked at
}

func (a *Association) pair() pattern.Pair {
	return pattern.Pair{Namespace: a.Namespace, ServiceAccount: a.ServiceAccount}
}

// Pattern tells whether the association is for a pattern of service accounts.
func (a *Association) Pattern() bool { return a.pair().Is() }

// patternGuard is written by whoever makes a pattern, and read by whoever must know that none was made meanwhile.
type patternGuard struct {
	Made int `json:"made"` // patterns that were ever made
}

// patternTurn waits until nobody else makes a pattern in the cluster through this replica: all of them write the guard, so at the same time only
// one of them would succeed, and the others begin again and again.
func (r *Registry) patternTurn(ctx context.Context, account, cluster string) (done func(), err error) {
	if _, err := r.Get(ctx, account, cluster); err != nil { // nobody gets a turn kept for what is not there
		return nil, err
	}
	held, _ := r.turns.LoadOrStore([2]string{account, cluster}, make(chan struct{}, 1))
	turn, _ := held.(chan struct{})
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, subjectAssociation, "Too many patterns are being made in the cluster %s; try again", cluster).Because(ctx.Err())
	}
}

// insertPattern refuses a pattern that could be as good as another one for some service account; nobody could tell then whose role that has.
// The others are looked for in the snapshot: one that was made since has written the guard, and the transaction comes to nothing.
func (r *Registry) insertPattern(tx *store.Tx, a *Association) error {
	cluster := store.Key{a.Account, a.Cluster}
	guard, ok, err := patternGuards.Read(tx, cluster)
	if err != nil {
		return err
	}
	if !ok {
		guard = &patternGuard{}
	}
	p := a.pair()
	for key, name := range associationPatterns.All(r.db.Snapshot(), cluster) {
		other := pattern.Pair(*name)
		if other != p && p.Compare(other) == 0 && p.Overlap(other) {
			return fault.New(fault.Exists, subjectAssociation, "Association already exists: %s. It is for the service accounts %s of the namespaces %s, "+
				"and %s of %s is neither more nor less specific, so that nothing would say which of them counts for a service account that both match",
				key[2], other.ServiceAccount, other.Namespace, p.ServiceAccount, p.Namespace).With("clusterName", a.Cluster)
		}
	}
	guard.Made++
	patternGuards.Put(tx, cluster, guard)
	associationPatterns.Put(tx, a.idKey(), &associationName{a.Namespace, a.ServiceAccount})
	return nil
}

// checkPatternsOff refuses to turn patterns off while there are some.
func (r *Registry) checkPatternsOff(tx *store.Tx, c *Cluster) error {
	if c.Patterns() {
		return nil
	}
	if _, _, err := patternGuards.Read(tx, c.key()); err != nil {
		return err
	}
	var ids []string
	for key := range associationPatterns.All(r.db.Snapshot(), c.key()) {
		if ids = append(ids, key[2]); len(ids) > maxTold {
			break
		}
	}
	if len(ids) == 0 {
		return nil
	}
	told := strings.Join(ids[:min(len(ids), maxTold)], ", ")
	if len(ids) > maxTold {
		told += " and others"
	}
	return invalidTag("The tag %s cannot be turned off while the cluster %s has associations for patterns: delete %s first", TagPatterns, c.Name, told)
}

// patternView are the patterns of a cluster, and what they were read from: while that is as it was, so is the index.
type patternView struct {
	mark  store.Mark
	index *pattern.Index[*associationName]
}

// patternsOf is the index of a cluster's patterns, nil where it has none. It is made anew by the first lookup after a pattern came or went.
func (r *Registry) patternsOf(s *store.Snapshot, account, cluster string) *pattern.Index[*associationName] {
	mark := associationPatterns.Mark(s, store.Key{account, cluster})
	name := [2]string{account, cluster}
	if mark == (store.Mark{}) {
		r.patterns.Delete(name)
		return nil
	}
	if last, ok := r.patterns.Load(name); ok {
		if v, ok := last.(*patternView); ok && v.mark == mark {
			return v.index
		}
	}
	var entries []pattern.Entry[*associationName]
	for n := range values(associationPatterns, s, store.Key{account, cluster}) {
		entries = append(entries, pattern.Entry[*associationName]{Pair: pattern.Pair(*n), Value: n})
	}
	v := &patternView{mark, pattern.NewIndex(entries)}
	r.patterns.Store(name, v)
	return v.index
}

// find is the lookup in one snapshot: the service account's own association, or the most specific pattern that matches it.
func (r *Registry) find(s *store.Snapshot, account, cluster, namespace, serviceAccount string) (*Association, bool) {
	key := store.Key{account, cluster, namespace, serviceAccount}
	if a, ok := associations.Get(s, key); ok {
		return a, true
	}
	name, ok := r.patternsOf(s, account, cluster).Find(namespace, serviceAccount)
	if !ok || associations.Mark(s, key) != (store.Mark{}) { // its own is there and cannot be read: no other may take its place
		return nil, false
	}
	return associations.Get(s, store.Key{account, cluster, name.Namespace, name.ServiceAccount})
}
