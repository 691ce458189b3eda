package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
)

// byServiceAccount is the index of objects by the service account that they are about.
const byServiceAccount = "serviceAccount"

// claim is an object that is about a service account.
type claim struct {
	kind, namespace, name, uid string
	created                    metav1.Time
}

// older orders claims: of several about one service account the oldest is heard.
func (c claim) older(d claim) int {
	return cmp.Or(c.created.Compare(d.created.Time), cmp.Compare(c.uid, d.uid))
}

func claimOf(kind string, o kube.Object) claim {
	return claim{kind, o.GetNamespace(), o.GetName(), string(o.GetUID()), o.GetCreationTimestamp()}
}

// shadowed is a refusal if an older object is about the same service account, of podid's kind or of ACK's.
func (r *resources) shadowed(ctx context.Context, s serviceAccount, o kube.Object) error {
	var list v1alpha1.PodIdentityAssociationList
	if err := r.client.List(ctx, &list, kube.InNamespace(s.namespace), kube.MatchingFields{byServiceAccount: s.name}); err != nil {
		return fmt.Errorf("list what is about the service account %s: %w", s.name, err)
	}
	var claims []claim
	for i := range list.Items {
		claims = append(claims, claimOf("PodIdentityAssociation", &list.Items[i]))
	}
	others, err := r.ack.claims(ctx, s)
	if err != nil {
		return fmt.Errorf("list what is about the service account %s: %w", s.name, err)
	}
	self := claimOf("", o)
	for _, c := range slices.SortedFunc(slices.Values(append(claims, others...)), claim.older) {
		if c.uid != self.uid && c.older(self) < 0 {
			return refuse(v1alpha1.ReasonShadowed, fmt.Sprintf("the %s %s/%s is older and about the same service account %s", c.kind, c.namespace, c.name, s.name))
		}
	}
	return nil
}

// follow enqueues what is about a service account whose association was made, deleted or replaced, whoever did it. The function finds
// the objects, but not those that know the new id already.
func (r *resources) follow(of func(context.Context, serviceAccount, string) []ctrl.Request) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		if r.Follower == nil {
			return nil
		}
		go func() {
			var before map[serviceAccount]string
			for {
				next := r.Follower.Changed() // before the picture is read: what changes in between closes it
				now := wantedBy(r.Follower.Wanted())
				if before != nil {
					for s, id := range changes(before, now) {
						for _, req := range of(ctx, s, id) {
							queue.Add(req)
						}
					}
				}
				if now != nil {
					before = now
				}
				select {
				case <-ctx.Done():
					return
				case <-next:
				}
			}
		}()
		return nil
	})
}

// wantedBy is who has which association; nil: not known.
func wantedBy(w *client.Wanted) map[serviceAccount]string {
	if w == nil {
		return nil
	}
	all := make(map[serviceAccount]string, len(w.Associations))
	for _, a := range w.Associations {
		all[serviceAccount{a.Namespace, a.ServiceAccount}] = a.AssociationID
	}
	return all
}

// changes are the service accounts whose association is another one now, with its id; empty: there is none.
func changes(before, now map[serviceAccount]string) map[serviceAccount]string {
	all := map[serviceAccount]string{}
	for s, id := range now {
		if before[s] != id {
			all[s] = id
		}
	}
	for s := range before {
		if _, ok := now[s]; !ok {
			all[s] = ""
		}
	}
	return all
}

// agents remembers for a moment on how many nodes the agent is ready, which is the same for all associations.
type agents struct {
	mu           sync.Mutex
	at           time.Time
	ready, total int32
}

const agentsFresh = 10 * time.Second

// nodes counts the nodes whose agent is ready, and those that are to have one. While that cannot be read it is what it was last.
func (r *resources) nodes(ctx context.Context) (ready, total int32) {
	a := &r.agents
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := r.Now(); a.at.IsZero() || now.Sub(a.at) >= agentsFresh {
		var set appsv1.DaemonSet
		err := r.live.Get(ctx, kube.ObjectKey{Namespace: r.AgentNamespace, Name: r.AgentDaemonSet}, &set)
		switch {
		case kube.IgnoreNotFound(err) != nil:
			r.Logger.WarnContext(ctx, "the agent's DaemonSet cannot be read", "namespace", r.AgentNamespace, "name", r.AgentDaemonSet, "error", err)
		default:
			a.at, a.ready, a.total = now, set.Status.NumberReady, set.Status.DesiredNumberScheduled
		}
	}
	return a.ready, a.total
}
