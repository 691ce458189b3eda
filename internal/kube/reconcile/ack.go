package reconcile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// ACK's kinds. The manifest of AWS's own controller is accepted as it is: whoever has it needs no other one here.
var (
	ackAssociation = schema.GroupVersionKind{Group: "eks.services.k8s.aws", Version: "v1alpha1", Kind: "PodIdentityAssociation"}
	ackCluster     = schema.GroupVersionKind{Group: "eks.services.k8s.aws", Version: "v1alpha1", Kind: "Cluster"}
	ackRole        = schema.GroupVersionKind{Group: "iam.services.k8s.aws", Version: "v1alpha1", Kind: "Role"}
)

// ACK's annotations.
const (
	ackDeletion = "services.k8s.aws/deletion-policy"
	ackAdoption = "services.k8s.aws/adoption-policy"
	ackReadOnly = "services.k8s.aws/read-only"
	ackRegion   = "services.k8s.aws/region"
	ackOwner    = "services.k8s.aws/owner-account-id"
)

// acks is the inner half for ACK's kind.
type acks struct {
	*resources
	reader kube.Reader // of ACK's associations

	mu      sync.Mutex
	applied map[types.NamespacedName]force // what was in force last: ACK's status does not say
}

// force is what of an object is in force. Of the wish there is a hash: policies and tags are long, and objects are many.
type force struct {
	uid  types.UID
	spec [sha256.Size]byte
}

func empty(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := new(unstructured.Unstructured)
	u.SetGroupVersionKind(kind)
	return u
}

func (r *resources) setupACK(ctx context.Context, mgr manager.Manager) error {
	r.Logger.InfoContext(ctx, "ACK's pod identity associations are looked after")
	a := newACKs(r, mgr.GetCache())
	err := mgr.GetFieldIndexer().IndexField(ctx, empty(ackAssociation), byServiceAccount, indexACK)
	if err != nil {
		return fmt.Errorf("index ACK's associations: %w", err)
	}
	err = ctrl.NewControllerManagedBy(mgr).Named("ack-podidentityassociation").WithOptions(options()).
		For(empty(ackAssociation), builder.WithPredicates(changed())).
		Watches(empty(ackAssociation), handler.EnqueueRequestsFromMapFunc(a.rivals), builder.WithPredicates(comings())).
		WatchesRawSource(r.follow(a.of)).
		Complete(a.outer())
	if err != nil {
		return fmt.Errorf("look after ACK's associations: %w", err)
	}
	r.ack.set(a)
	return nil
}

func newACKs(r *resources, reader kube.Reader) *acks {
	return &acks{resources: r, reader: reader, applied: map[types.NamespacedName]force{}}
}

func indexACK(o kube.Object) []string {
	s := ackServiceAccount(o.(*unstructured.Unstructured))
	return []string{s.namespace + "/" + s.name}
}

func (a *acks) outer() *outer[*unstructured.Unstructured] {
	return &outer[*unstructured.Unstructured]{
		resources: a.resources, finalizer: finalizerAssociation,
		empty:  func() *unstructured.Unstructured { return empty(ackAssociation) },
		ours:   a.ours,
		makes:  a.entitled,
		retain: func(o *unstructured.Unstructured) bool { return o.GetAnnotations()[ackDeletion] == "retain" },
		decide: a.decide, remove: a.remove, forget: a.forget,
		word: ackWord,
	}
}

// ackClaims are ACK's objects once there are any.
type ackClaims struct {
	mu   sync.Mutex
	acks *acks
}

func (c *ackClaims) set(a *acks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks = a
}

// claims are the ACK objects that may speak for a service account.
func (c *ackClaims) claims(ctx context.Context, s serviceAccount) ([]claim, error) {
	c.mu.Lock()
	a := c.acks
	c.mu.Unlock()
	if a == nil {
		return nil, nil
	}
	list, err := a.list(ctx, s)
	if err != nil {
		return nil, err
	}
	var all []claim
	for i := range list {
		o := &list[i]
		named := text(o, "spec", "clusterName") != "" || text(o, "status", "associationID") != ""
		if named && a.ours(o) && a.entitled(o) { // a reference to a cluster may turn out to be to another
			all = append(all, claimOf("ACK PodIdentityAssociation", o))
		}
	}
	return all, nil
}

func (a *acks) list(ctx context.Context, s serviceAccount) ([]unstructured.Unstructured, error) {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(ackAssociation.GroupVersion().WithKind(ackAssociation.Kind + "List"))
	err := a.reader.List(ctx, &list, kube.MatchingFields{byServiceAccount: s.namespace + "/" + s.name})
	return list.Items, err
}

// of are the objects about a service account, without those that have the association of that id already.
func (a *acks) of(ctx context.Context, s serviceAccount, id string) []ctrl.Request {
	list, err := a.list(ctx, s)
	if err != nil {
		a.Logger.WarnContext(ctx, "ACK's associations of a service account cannot be listed", "namespace", s.namespace, "service_account", s.name, "error", err)
		return nil
	}
	var requests []ctrl.Request
	for i := range list {
		if o := &list[i]; id == "" || text(o, "status", "associationID") != id {
			requests = append(requests, ctrl.Request{NamespacedName: kube.ObjectKeyFromObject(o)})
		}
	}
	return requests
}

func (a *acks) rivals(ctx context.Context, o kube.Object) []ctrl.Request {
	var others []ctrl.Request
	for _, req := range a.of(ctx, ackServiceAccount(o.(*unstructured.Unstructured)), "") {
		if req.NamespacedName != kube.ObjectKeyFromObject(o) {
			others = append(others, req)
		}
	}
	return others
}

// ours reports whether an object is about this cluster. One that names its cluster by reference is looked at to find out.
func (a *acks) ours(o *unstructured.Unstructured) bool {
	notes := o.GetAnnotations()
	switch {
	case notes[ackReadOnly] == "true",
		notes[ackOwner] != "" && notes[ackOwner] != a.Account,
		notes[ackRegion] != "" && notes[ackRegion] != a.Region:
		return false
	}
	name := text(o, "spec", "clusterName")
	return name == a.Cluster || name == "" && text(o, "spec", "clusterRef", "from", "name") != ""
}

// entitled reports whether an object may speak for the namespace that it names: its own, or any if an administrator said so.
func (a *acks) entitled(o *unstructured.Unstructured) bool {
	return ackServiceAccount(o).namespace == o.GetNamespace() || slices.Contains(a.ACKNamespaces, o.GetNamespace())
}

// decide makes the association be what the object says.
func (a *acks) decide(ctx context.Context, o *unstructured.Unstructured) []told {
	if mine, err := a.ofCluster(ctx, o); err != nil || !mine {
		if err == nil {
			return nil // it is about another cluster, which somebody else looks after
		}
		a.tellFailure(o, err)
		return news(err, nil)
	}
	got, err := a.reach(ctx, o)
	a.tellAssociation(o, got, err)
	return news(err, got.drift)
}

// ofCluster resolves the reference to a cluster, where there is one.
func (a *acks) ofCluster(ctx context.Context, o *unstructured.Unstructured) (bool, error) {
	if text(o, "spec", "clusterName") != "" {
		return true, nil
	}
	name, err := a.resolve(ctx, o, "clusterRef", ackCluster, "spec", "name")
	return name == a.Cluster, err
}

func (a *acks) reach(ctx context.Context, o *unstructured.Unstructured) (reached, error) {
	s := ackServiceAccount(o)
	if !a.entitled(o) {
		return reached{}, refuse(v1alpha1.ReasonForeignResource, fmt.Sprintf(
			"objects of the namespace %s may not speak for the namespace %s: the operator's --ack-namespaces says which may", o.GetNamespace(), s.namespace))
	}
	if err := a.shadowed(ctx, s, o); err != nil {
		return reached{}, err
	}
	w, err := a.wish(ctx, o)
	if err != nil {
		return reached{}, err
	}
	name, spec := kube.ObjectKeyFromObject(o), force{o.GetUID(), sha256.Sum256([]byte(w.spec()))}
	a.mu.Lock()
	w.applied = w.known != "" && a.applied[name] == spec
	a.mu.Unlock()
	got, err := a.ensure(ctx, w)
	if err == nil {
		a.mu.Lock()
		a.applied[name] = spec
		a.mu.Unlock()
	}
	return got, err
}

// spec is what is wished, in one text.
func (w wish) spec() string {
	return fmt.Sprintf("%q %q %q %t %q", w.role, w.target, w.policy, w.noTags, w.tags)
}

func (a *acks) wish(ctx context.Context, o *unstructured.Unstructured) (wish, error) {
	role := text(o, "spec", "roleARN")
	if role == "" {
		var err error
		if role, err = a.resolve(ctx, o, "roleRef", ackRole, "status", "ackResourceMetadata", "arn"); err != nil {
			return wish{}, err
		}
	}
	notes := o.GetAnnotations()
	noTags, _, _ := unstructured.NestedBool(o.Object, "spec", "disableSessionTags")
	tags, _, _ := unstructured.NestedStringMap(o.Object, "spec", "tags")
	var last *metav1.Condition
	if c := ackCondition(o, ackSynced); c != nil {
		status, _ := c["status"].(string)
		since, _ := c["lastTransitionTime"].(string)
		last = &metav1.Condition{Reason: status + since}
	}
	known := text(o, "status", "associationID")
	return wish{
		serviceAccount: ackServiceAccount(o), role: role, target: text(o, "spec", "targetRoleARN"), policy: text(o, "spec", "policy"),
		noTags: noTags, tags: tags, known: known, token: requestToken(string(o.GetUID()), o.GetGeneration(), known, last),
		adopt: notes[ackAdoption] == "adopt" || notes[ackAdoption] == "adopt-or-create" || notes[v1alpha1.AnnotationAdopt] == "true",
	}, nil
}

// resolve follows a reference to an object of the same namespace, and reads one text of it.
func (a *acks) resolve(ctx context.Context, o *unstructured.Unstructured, field string, kind schema.GroupVersionKind, path ...string) (string, error) {
	name, namespace := text(o, "spec", field, "from", "name"), text(o, "spec", field, "from", "namespace")
	switch {
	case name == "":
		return "", refuse(v1alpha1.ReasonInvalid, "the object names neither a role nor a reference to one")
	case namespace != "" && namespace != o.GetNamespace():
		return "", refuse(v1alpha1.ReasonForeignResource, field+" refers to another namespace")
	}
	u := empty(kind)
	err := a.live.Get(ctx, kube.ObjectKey{Namespace: o.GetNamespace(), Name: name}, u)
	what := fmt.Sprintf("%s %s (%s)", kind.Kind, name, kind.GroupVersion())
	switch {
	case meta.IsNoMatchError(err) || err != nil && kube.IgnoreNotFound(err) == nil:
		return "", refuse(ackUnresolved, "there is no "+what)
	case err != nil:
		return "", fmt.Errorf("read the %s: %w", what, err)
	}
	value := text(u, path...)
	if value == "" {
		return "", refuse(ackUnresolved, "the "+what+" is not ready")
	}
	return value, nil
}

// remove deletes the association, if it is this object's.
func (a *acks) remove(ctx context.Context, o *unstructured.Unstructured) []told {
	err := a.release(ctx, o)
	if err != nil {
		a.tellFailure(o, err)
		return news(err, nil)
	}
	return nil
}

// forget drops what is known of an object that is gone, or no longer ours.
func (a *acks) forget(name types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.applied, name)
}

func (a *acks) release(ctx context.Context, o *unstructured.Unstructured) error {
	known := text(o, "status", "associationID")
	ready, why := ackWord(o)
	if !a.entitled(o) || known == "" && (!ready && barred(why) || !a.certain(ctx, o)) {
		return nil
	}
	err := a.shadowed(ctx, ackServiceAccount(o), o)
	if _, refused := refusedAs(err); refused {
		return nil
	}
	if err != nil {
		return err
	}
	w, err := a.wish(ctx, o)
	if _, refused := refusedAs(err); refused { // without its role it is known by its id, or not at all
		w, err = wish{serviceAccount: ackServiceAccount(o), known: known}, nil
	}
	if err != nil {
		return err
	}
	return a.unmake(ctx, w)
}

// certain reports whether an object is known to be about this cluster.
func (a *acks) certain(ctx context.Context, o *unstructured.Unstructured) bool {
	mine, err := a.ofCluster(ctx, o)
	return mine && err == nil
}

func ackServiceAccount(o *unstructured.Unstructured) serviceAccount {
	return serviceAccount{text(o, "spec", "namespace"), text(o, "spec", "serviceAccount")}
}

// text is a text somewhere in an object; empty if there is none.
func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}

// tellAssociation writes what was reached into the status, in ACK's words.
func (a *acks) tellAssociation(o *unstructured.Unstructured, got reached, err error) {
	status := ackStatus(o)
	switch {
	case got.association != nil:
		arn := aws.ToString(got.association.AssociationArn)
		status["associationID"], status["associationARN"] = aws.ToString(got.association.AssociationId), arn
		status["ackResourceMetadata"] = map[string]any{"arn": arn, "ownerAccountID": a.Account, "region": a.Region}
		for name, at := range map[string]*time.Time{"createdAt": got.association.CreatedAt, "modifiedAt": got.association.ModifiedAt} {
			if at != nil {
				status[name] = at.UTC().Format(time.RFC3339)
			}
		}
		if id := aws.ToString(got.association.ExternalId); id != "" {
			status["externalID"] = id
		}
	case lost(err):
		for _, name := range []string{"associationID", "associationARN", "createdAt", "modifiedAt", "externalID"} {
			delete(status, name)
		}
	}
	o.Object["status"] = status
	if err != nil {
		a.tellFailure(o, err)
		return
	}
	setACK(o, a.Now(), ackSynced, "True", "", "")
	dropACK(o, ackTerminal, ackRecoverable)
	if text(o, "spec", "roleRef", "from", "name") != "" || text(o, "spec", "clusterRef", "from", "name") != "" {
		setACK(o, a.Now(), ackReferences, "True", "", "")
	}
	if len(got.drift) > 0 {
		setACK(o, a.Now(), ackAdvisory, "True", v1alpha1.ReasonDriftRepaired, cut("changed back: "+differences(got.drift), maxMessage))
	}
}
