package cluster

import (
	"context"
	"maps"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/store"
)

func noTagged(t Tagged) error {
	return fault.New(fault.NotFound, "tagged resource", "There is no %s of this name in cluster %s", t.Type, cut(t.Cluster))
}

// TagsOf reads the tags of a resource.
func (r *Registry) TagsOf(t Tagged) (map[string]string, error) {
	s := r.db.Snapshot()
	switch t.Type {
	case "cluster":
		if c, ok := clusters.Get(s, store.Key{t.Account, t.Cluster}); ok {
			return c.Tags, nil
		}
	case "nodegroup":
		if g, ok := nodegroups.Get(s, store.Key{t.Account, t.Cluster, t.Name}); ok && g.ID == t.ID {
			return g.Tags, nil
		}
	case "addon":
		if a, ok := addons.Get(s, store.Key{t.Account, t.Cluster, t.Name}); ok && a.ID == t.ID {
			return a.Tags, nil
		}
	case "podidentityassociation":
		if a, err := r.GetAssociation(t.Account, t.Cluster, t.Name); err == nil {
			return a.Tags, nil
		}
	}
	return nil, noTagged(t)
}

// ChangeTags sets and removes tags of a resource.
func (r *Registry) ChangeTags(ctx context.Context, t Tagged, set map[string]string, remove []string) error {
	apply := func(tags map[string]string) (map[string]string, error) {
		next := maps.Clone(tags)
		if next == nil {
			next = map[string]string{}
		}
		maps.Copy(next, set)
		for _, k := range remove {
			delete(next, k)
		}
		return next, checkTags(next)
	}
	switch t.Type {
	case "cluster":
		return retag(ctx, r, clusters, store.Key{t.Account, t.Cluster}, t, func(c *Cluster) (err error) {
			c.Tags, err = apply(c.Tags)
			return err
		})
	case "nodegroup":
		return retag(ctx, r, nodegroups, store.Key{t.Account, t.Cluster, t.Name}, t, func(g *Nodegroup) (err error) {
			if g.ID != t.ID {
				return noTagged(t)
			}
			g.Tags, err = apply(g.Tags)
			return err
		})
	case "addon":
		return retag(ctx, r, addons, store.Key{t.Account, t.Cluster, t.Name}, t, func(a *Addon) (err error) {
			if a.ID != t.ID {
				return noTagged(t)
			}
			a.Tags, err = apply(a.Tags)
			return err
		})
	case "podidentityassociation":
		_, err := r.changeAssociation(ctx, t.Account, t.Cluster, t.Name, func(tx *store.Tx, a *Association) (err error) {
			if a.Tags, err = apply(a.Tags); err == nil {
				associations.Put(tx, a.key(), a)
			}
			return err
		})
		return err
	}
	return noTagged(t)
}

func retag[T any](ctx context.Context, r *Registry, table store.Table[T], key store.Key, t Tagged, f func(*T) error) error {
	return r.db.Update(ctx, func(tx *store.Tx) error {
		v, ok, err := table.Read(tx, key)
		if err != nil {
			return err
		}
		if !ok {
			return noTagged(t)
		}
		if err := f(v); err != nil {
			return err
		}
		table.Put(tx, key, v)
		return nil
	})
}
