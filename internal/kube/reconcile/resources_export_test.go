package reconcile

import (
	"time"

	"k8s.io/client-go/tools/events"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Reconcilers are the controllers of resources without a manager around them.
type Reconcilers struct {
	Associations, Roles, Policies, ACK reconcile.Reconciler

	Followed source.Source // of associations

	Remembered func() int // ACK objects
}

// Resources makes them for a test.
func Resources(c ResourcesConfig, k kube.Client, e events.EventRecorder) Reconcilers {
	if c.Resync == 0 {
		c.Resync = time.Minute
	}
	r := &resources{ResourcesConfig: c, client: k, live: k, events: e}
	a := newACKs(r, k)
	r.ack.set(a)
	return Reconcilers{associations{r}.outer(), roles{r}.outer(), policies{r}.outer(), a.outer(), r.follow(associations{r}.of), func() int { return len(a.applied) }}
}

// For tests.
var (
	SameDocument   = sameDocument
	EmptyACK       = func() kube.Object { return empty(ackAssociation) }
	IndexACK       = indexACK
	ServiceAccount = byServiceAccount
)
