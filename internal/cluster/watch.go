package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"

	"github.com/podid/podid/internal/store"
)

// Wanted is what a cluster is to be, for whoever runs it.
type Wanted struct {
	// Revision is a fingerprint of the rest, positive and below 2^53: the same revision, the same content. It has no order.
	Revision     int64
	Addons       []WantedAddon
	Nodegroups   []WantedNodegroup
	Associations []WantedAssociation
}

// WantedAddon is an add-on that the cluster is to run; one that is DELETING it is to stop running.
type WantedAddon struct {
	Name, Version, Namespace, Configuration string
	Status                                  Status
}

// WantedNodegroup is a node group that the cluster is to report nodes of.
type WantedNodegroup struct {
	Name   string
	Status Status
}

// WantedAssociation is a service account whose pods get credentials.
type WantedAssociation struct {
	ID, Namespace, ServiceAccount string
}

// settle is how long a watch waits at least between two looks: every write of anyone wakes every watch. So long a change may be old
// before it is told, and as many changes as come in that time are told together.
const settle = 10 * time.Millisecond

// view is what is wanted of a cluster, and what it was made from. While that is as it was, so is the view: in a cluster of 5,000
// associations making it takes milliseconds, comparing it nanoseconds.
type view struct {
	marks  [5]store.Mark
	wanted *Wanted
}

func marksOf(s *store.Snapshot, cluster store.Key) [5]store.Mark {
	return [...]store.Mark{
		clusters.Mark(s, cluster), reports.Mark(s, cluster), nodegroups.Mark(s, cluster), addons.Mark(s, cluster), associations.Mark(s, cluster),
	}
}

// Watch returns what is wanted of a cluster as soon as that differs from the revision after, and in any case when wait is over. It
// fails with fault.NotFound when the cluster is gone. The answer is shared by all who watch and must not be changed.
func (r *Registry) Watch(ctx context.Context, account, cluster string, after int64, wait time.Duration) (*Wanted, error) {
	if _, err := r.Get(ctx, account, cluster); err != nil {
		r.views.Delete([2]string{account, cluster})
		return nil, err
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		s := r.db.Snapshot()
		w, err := r.wanted(s, store.Key{account, cluster})
		if err != nil || w.Revision != after {
			return w, err
		}
		pause := time.NewTimer(settle)
		select {
		case <-r.db.Changed(s.Revision()):
		case <-deadline.C:
			pause.Stop()
			return w, nil
		case <-ctx.Done():
			pause.Stop()
			return w, nil
		}
		<-pause.C
	}
}

// wanted is what is wanted as of a snapshot, made anew only where it may differ from what was told last.
func (r *Registry) wanted(s *store.Snapshot, key store.Key) (*Wanted, error) {
	name := [2]string(key)
	c, ok := clusters.Get(s, key)
	if !ok {
		return nil, noCluster(name[1])
	}
	marks := marksOf(s, key)
	if last, ok := r.views.Load(name); ok {
		if v, ok := last.(*view); ok && v.marks == marks {
			return v.wanted, nil
		}
	}
	w := gather(s, c)
	r.views.Store(name, &view{marks, w})
	return w, nil
}

// gather makes what is wanted of a cluster.
func gather(s *store.Snapshot, c *Cluster) *Wanted {
	report, ok := reports.Get(s, c.key())
	if !ok {
		report = new(Report)
	}
	w := &Wanted{Addons: []WantedAddon{}, Nodegroups: []WantedNodegroup{}, Associations: []WantedAssociation{}}
	f := fingerprint{sha256.New()}
	f.add(c.ID, string(c.Status()))
	for a := range values(addons, s, c.key()) {
		w.Addons = append(w.Addons, WantedAddon{a.Name, a.Version, a.Namespace, a.Configuration, a.Status(report)})
		f.add("addon", a.UUID, a.Version, a.Namespace, a.Configuration, string(a.Status(report)))
	}
	for n := range values(nodegroups, s, c.key()) {
		w.Nodegroups = append(w.Nodegroups, WantedNodegroup{n.Name, n.Status(report)})
		f.add("nodegroup", n.UUID, string(n.Status(report)))
	}
	for a := range values(associations, s, c.key()) {
		w.Associations = append(w.Associations, WantedAssociation{a.ID, a.Namespace, a.ServiceAccount})
		f.add("association", a.ID)
	}
	w.Revision = f.sum()
	return w
}

type fingerprint struct{ hash.Hash }

// add takes texts in, each with its length, so that no two lists look alike.
func (f fingerprint) add(texts ...string) {
	var length [4]byte
	for _, text := range texts {
		binary.BigEndian.PutUint32(length[:], uint32(len(text))) //nolint:gosec // texts are bounded to kilobytes
		f.Write(length[:])
		f.Write([]byte(text))
	}
}

// sum is 52 bits and never zero: JSON's numbers hold it, and zero is for those who know nothing yet.
func (f fingerprint) sum() int64 {
	return int64(binary.BigEndian.Uint64(f.Sum(nil))>>12 | 1) //nolint:gosec // 52 bits
}
