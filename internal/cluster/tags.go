package cluster

import (
	"context"
	"maps"
	"strings"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

const subjectResource = "resource"

// Tagged is something that carries tags.
type Tagged struct {
	ARN     string
	Type    string // cluster, nodegroup, addon, podidentityassociation, access-entry
	Tags    map[string]string
	RoleARN string // of an association
}

// OwnTag tells whether a tag is one of podid's own, which change what a cluster or an association does.
func OwnTag(key string) bool { return strings.HasPrefix(key, ownTags) }

// ownTagsOf are those of a resource's tags.
func ownTagsOf(tags map[string]string) map[string]string {
	own := maps.Clone(tags)
	maps.DeleteFunc(own, func(key, _ string) bool { return !OwnTag(key) })
	return own
}

// Tagged finds a resource of an account by its ARN.
func (r *Registry) Tagged(account, resource string) (*Tagged, error) {
	t, path, err := r.parse(account, resource)
	if err != nil {
		return nil, err
	}
	s := r.db.Snapshot()
	var found bool
	switch t.Type {
	case "cluster":
		if c, ok := clusters.Get(s, path); ok {
			t.Tags, found = c.Tags, true
		}
	case "nodegroup":
		if n, err := r.Nodegroup(path[0], path[1], path[2]); err == nil && n.ARN() == resource {
			t.Tags, found = n.Tags, true
		}
	case "addon":
		if a, ok := addons.Get(s, path); ok && a.ARN() == resource {
			t.Tags, found = a.Tags, true
		}
	case "access-entry":
		if e, ok := r.entryByARN(path, resource); ok {
			t.Tags, found = e.Tags, true
		}
	case "podidentityassociation":
		if a, ok := r.associationByID(path[0], path[1], path[2]); ok {
			t.Tags, t.RoleARN, found = a.Tags, a.RoleARN, true
		}
	}
	if !found {
		return nil, noResource(resource)
	}
	return t, nil
}

// Retag changes the tags of a resource: f gets the resource with a private copy of them, never nil, and changes that. It may be called again
// on a newer state. Tags of podid's own are what an association is, so its time of modification tells of them.
func (r *Registry) Retag(ctx context.Context, account, resource string, f func(*Tagged) error) error {
	t, path, err := r.parse(account, resource)
	if err != nil {
		return err
	}
	return r.db.Update(ctx, func(tx *store.Tx) error {
		switch t.Type {
		case "cluster":
			return retag(tx, clusters, path, *t, func(c *Cluster) *map[string]string { return &c.Tags }, f, func(c *Cluster, _ bool) error {
				if err := checkClusterTags(c.Tags); err != nil {
					return err
				}
				return r.checkPatternsOff(tx, c)
			})
		case "nodegroup":
			return retag(tx, nodegroups, path, *t, func(n *Nodegroup) *map[string]string { return &n.Tags }, f, nil)
		case "addon":
			return retag(tx, addons, path, *t, func(a *Addon) *map[string]string { return &a.Tags }, f, nil)
		case "access-entry":
			e, ok := r.entryByARN(path, resource)
			if !ok {
				return noResource(resource)
			}
			return retag(tx, accessEntries, e.key(), *t, func(e *AccessEntry) *map[string]string { return &e.Tags }, f, nil)
		}
		name, ok, err := associationIDs.Read(tx, path)
		if err != nil {
			return err
		}
		if !ok {
			return noResource(resource)
		}
		key := store.Key{path[0], path[1], name.Namespace, name.ServiceAccount}
		return retag(tx, associations, key, *t, func(a *Association) *map[string]string { return &a.Tags }, f, func(a *Association, own bool) error {
			if own {
				a.ModifiedAt = r.clock()
			}
			return a.checkTags()
		})
	})
}

// named is a record that knows its ARN.
type named[T any] interface {
	*T
	ARN() string
}

// retag changes the tags of one record. Check holds the rules for them, nil those that hold for all, and learns whether podid's own changed.
func retag[T any, P named[T]](
	tx *store.Tx, table store.Table[T], key store.Key, t Tagged, tagsOf func(P) *map[string]string, f func(*Tagged) error, check func(P, bool) error,
) error {
	v, ok, err := table.Read(tx, key)
	if err != nil {
		return err
	}
	if !ok || P(v).ARN() != t.ARN {
		return noResource(t.ARN)
	}
	tags := tagsOf(v)
	before := *tags
	if t.Tags = maps.Clone(before); t.Tags == nil {
		t.Tags = map[string]string{}
	}
	if a, ok := any(v).(*Association); ok {
		t.RoleARN = a.RoleARN
	}
	if err := f(&t); err != nil {
		return err
	}
	*tags = t.Tags
	if check == nil {
		check = func(P, bool) error { return checkTags(t.Tags) }
	}
	if err := check(v, !maps.Equal(ownTagsOf(before), ownTagsOf(t.Tags))); err != nil {
		if problem := fault.Of(err); problem.Kind == fault.Invalid {
			return fault.New(fault.Invalid, subjectResource, "%s", problem.Public)
		}
		return err
	}
	table.Put(tx, key, v)
	return nil
}

// parse reads a resource's ARN into its kind and its key; the parts of the ARN that the key lacks are compared by whoever reads it.
func (r *Registry) parse(account, resource string) (*Tagged, store.Key, error) {
	a, err := arn.Parse(resource)
	if err != nil || a.Service != "eks" {
		return nil, nil, fault.New(fault.Invalid, subjectResource, "The ARN %s does not name an EKS resource", quoted(resource))
	}
	parts := strings.Split(a.Resource, "/")
	length, known := map[string]int{"cluster": 2, "nodegroup": 4, "addon": 4, "podidentityassociation": 3, "access-entry": 6}[parts[0]]
	if !known || len(parts) != length {
		return nil, nil, fault.New(fault.Invalid, subjectResource,
			"The ARN %s does not name a cluster, node group, add-on, access entry or pod identity association", quoted(resource))
	}
	if a.Account != account || a.Region != r.region || a.Partition != arn.Partition {
		return nil, nil, noResource(resource)
	}
	return &Tagged{ARN: resource, Type: parts[0]}, append(store.Key{account}, parts[1:min(length, 3)]...), nil
}

// entryByARN finds an access entry, whose ARN has lost the path of its principal.
func (r *Registry) entryByARN(path store.Key, resource string) (*AccessEntry, bool) {
	for e := range r.AccessEntries(path[0], path[1]) {
		if e.ARN() == resource {
			return e, true
		}
	}
	return nil, false
}

func noResource(resource string) error {
	return fault.New(fault.NotFound, subjectResource, "No resource found for ARN: %s", quoted(resource))
}
