package reconcile

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
)

// ResourcesConfig is what the controllers of podid's kinds need. Cluster, Region, Account and EKS are required.
type ResourcesConfig struct {
	Cluster string // as the control plane names it
	Region  string
	Account string // 12 digits: the cluster's, and so the one of every role

	EKS EKS
	IAM IAM // nil: there are no roles and policies from objects; those that are made all the same say so

	// Boundary is the ARN of a managed policy that every Role gets as its permissions boundary; empty: none is imposed.
	Boundary string

	// Follower tells at once when somebody else has made or deleted an association; nil: it is seen at the next look.
	Follower Follower

	// ACKNamespaces are those whose ACK objects may speak for another namespace. All others speak for their own.
	ACKNamespaces []string

	AgentNamespace string // of the agent's DaemonSet; empty: kube-system
	AgentDaemonSet string // its name; empty: eks-pod-identity-agent

	Resync time.Duration    // between two looks at one thing in the control plane; 0: a minute
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: nothing is logged
}

// Follower is what of a follow.Follower is needed here.
type Follower interface {
	Wanted() *client.Wanted
	Changed() <-chan struct{}
}

// resources is what the controllers share.
type resources struct {
	ResourcesConfig
	client kube.Client // objects of podid's kinds: read from the cache, written to the API server
	live   kube.Reader // reads that are too rare for a cache
	events events.EventRecorder
	agents agents
	ack    ackClaims
}

// SetupResources adds the controllers of PodIdentityAssociation, Role and Policy to a manager, and that of ACK's
// PodIdentityAssociation, each as soon as the cluster has the CRDs: without them the rest of the operator works all the same. They run
// on the leader alone. The manager's scheme must know podid's kinds and those of apps/v1.
func SetupResources(mgr manager.Manager, c ResourcesConfig) error {
	if c.Cluster == "" || c.Region == "" || c.Account == "" || c.EKS == nil {
		return errors.New("reconcile: Cluster, Region, Account and EKS are required")
	}
	if c.AgentNamespace == "" {
		c.AgentNamespace = "kube-system"
	}
	if c.AgentDaemonSet == "" {
		c.AgentDaemonSet = "eks-pod-identity-agent"
	}
	if c.Resync <= 0 {
		c.Resync = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &resources{ResourcesConfig: c, client: mgr.GetClient(), live: mgr.GetAPIReader(), events: mgr.GetEventRecorder("podid-operator")}
	return mgr.Add(&starter{r: r, mgr: mgr})
}

// How hard a controller tries.
const (
	retryFirst    = 200 * time.Millisecond // after a failure of ours, doubling
	retryMost     = time.Minute
	deletionRetry = 5 * time.Second // while something else must go first
	workers       = 4
)

func options() controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](retryFirst, retryMost),
	}
}

// changed lets through what a person changes; the status is ours.
func changed() predicate.Predicate {
	return predicate.Or[kube.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
}

// later is when to look again: about every Resync, but not for all objects at once.
func (r *resources) later() time.Duration {
	return r.Resync*4/5 + rand.N(r.Resync*2/5+1) //nolint:gosec // nobody gains by guessing
}

func (r *resources) clusterARN() string {
	return "arn:aws:eks:" + r.Region + ":" + r.Account + ":cluster/" + r.Cluster
}

// pathOf is where all roles and policies of a namespace are.
func (r *resources) pathOf(namespace string) string {
	return "/podid/" + r.Cluster + "/" + namespace + "/"
}

// foreign reports whether the ARN of a role or policy says that it is made for another namespace than the given one. What is directly
// below /podid/CLUSTER/, or somewhere else, is for whoever the operator may pass it to.
func (r *resources) foreign(arn, kind, namespace string) bool {
	_, path, found := strings.Cut(arn, ":"+kind+"/podid/"+r.Cluster+"/")
	if !found {
		return false
	}
	owner, _, deeper := strings.Cut(path, "/")
	return deeper && owner != namespace
}

// checkName holds that nobody takes a name before podid needs it: whoever sets up the next cluster would give their role its rights.
func checkName(name string) error {
	if strings.HasPrefix(strings.ToLower(name), "podid-") {
		return refuse(v1alpha1.ReasonInvalid, "names that begin with podid- are podid's own: give this one another spec.name")
	}
	return nil
}

// event tells about an object. Kubernetes aggregates what is told again and again.
func (r *resources) event(o runtime.Object, kind, reason, action, note string) {
	r.events.Eventf(o, nil, kind, reason, action, "%s", cut(note, maxNote))
}

// Lengths that the API server accepts, in bytes.
const (
	maxNote    = 1000
	maxMessage = 4096
)

// cut shortens a text to a number of bytes.
func cut(text string, length int) string {
	if len(text) <= length {
		return text
	}
	return strings.ToValidUTF8(text[:length-3], "") + "..."
}

// differences words what differs, in a stable order.
func differences(all []string) string {
	all = slices.Clone(all)
	slices.Sort(all)
	return strings.Join(all, "; ")
}
