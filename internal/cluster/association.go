package cluster

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/policy"
	"github.com/podid/podid/internal/store"
)

// Association says which role the pods of a service account get. spec: pod-identity.md 1.3
type Association struct {
	Account            string            `json:"account"`
	Cluster            string            `json:"cluster"`
	Region             string            `json:"region"`
	ID                 string            `json:"id"` // a- and 17 of [a-z0-9]
	Namespace          string            `json:"namespace"`
	ServiceAccount     string            `json:"serviceAccount"`
	RoleARN            string            `json:"roleArn"`
	TargetRoleARN      string            `json:"targetRoleArn,omitempty"` // a second role, assumed with the first
	Policy             string            `json:"policy,omitempty"`        // session policy
	DisableSessionTags bool              `json:"disableSessionTags,omitempty"`
	OwnerARN           string            `json:"ownerArn,omitempty"` // the add-on that made it
	Tags               map[string]string `json:"tags,omitempty"`
	CreatedAt          time.Time         `json:"createdAt"`
	ModifiedAt         time.Time         `json:"modifiedAt"`
}

// associationID finds an association by its id.
type associationID struct {
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
}

// requestToken remembers what a client's idempotency token made. spec: pod-identity.md 1.6
type requestToken struct {
	Cluster string      `json:"cluster"`
	Request Association `json:"request"` // the association as it was made
}

// tokenLife is how long a token is remembered.
const tokenLife = 24 * time.Hour

// ARN names the association.
func (a *Association) ARN() string { return arn.Association(a.Region, a.Account, a.Cluster, a.ID) }

// ExternalID is what the association's role passes when it assumes the target role. It is the same for a deleted and
// re-created association. spec: pod-identity.md 1.3.3
func (a *Association) ExternalID() string {
	return strings.Join([]string{a.Region, a.Account, a.Cluster, a.Namespace, a.ServiceAccount}, "/")
}

func (a *Association) key() store.Key {
	return store.Key{a.Account, a.Cluster, a.Namespace, a.ServiceAccount}
}

func (a *Association) idKey() store.Key { return store.Key{a.Account, a.Cluster, a.ID} }

// maxPolicy is the limit of an association's session policy, in characters. spec: pod-identity.md 8
const maxPolicy = 2048

// CheckNames validates where an association is to be. spec: pod-identity.md 1.4, check 4
func (a *Association) CheckNames() error {
	return errors.Join(checkNamespace(a.Namespace), checkServiceAccount(a.ServiceAccount))
}

// CheckRoles validates what it is to give. It does not ask whether the roles exist. spec: pod-identity.md 1.4, checks 5, 9
// to 11
func (a *Association) CheckRoles() error {
	role, err := arn.ParseRole(a.RoleARN)
	if err != nil {
		return invalid("roleArn %q is invalid: %s", cut(a.RoleARN), err)
	}
	if role.Account != a.Account {
		return invalid("The role %s belongs to account %s and the cluster to account %s: an association's role must be in the cluster's account. "+
			"To use a role of another account, give it as targetRoleArn", a.RoleARN, role.Account, a.Account)
	}
	if a.TargetRoleARN != "" {
		if _, err := arn.ParseRole(a.TargetRoleARN); err != nil {
			return invalid("targetRoleArn %q is invalid: %s", cut(a.TargetRoleARN), err)
		}
	}
	if a.Policy == "" {
		return nil
	}
	if n := len([]rune(a.Policy)); n > maxPolicy {
		return invalid("policy has %d characters, at most %d are allowed", n, maxPolicy)
	}
	if _, err := policy.Parse(policy.Session, a.Policy); err != nil {
		return invalid("policy is invalid: %s", err)
	}
	if !a.DisableSessionTags {
		return invalid("PackedPolicyTooLarge: a policy and session tags do not fit into one session: set disableSessionTags to true")
	}
	return nil
}

func noAssociation(cluster, id string) error {
	return fault.New(fault.NotFound, "association", "No association found with id %s in cluster %s", cut(id), cluster).With("clusterName", cluster)
}

func existing(id string) *fault.Error {
	return fault.New(fault.Exists, "association", "Association already exists: %s", id)
}

// Lookup finds the association of a service account: the step on the path of every credential. Before it says that there is
// none it asks etcd whether the picture is up to date, so that an association works everywhere from the moment its creation
// was answered. fault.NotFound has the subject "association".
func (r *Registry) Lookup(ctx context.Context, account, cluster, namespace, serviceAccount string) (*Association, error) {
	key := store.Key{account, cluster, namespace, serviceAccount}
	if a, ok := associations.Get(r.db.Snapshot(), key); ok {
		return a, nil
	}
	a, ok, err := associations.Fresh(ctx, r.db, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.NotFound, "association", "There is no pod identity association for service account %s/%s in cluster %s",
			namespace, serviceAccount, cluster)
	}
	return a, nil
}

// GetAssociation finds an association by its id.
func (r *Registry) GetAssociation(account, cluster, id string) (*Association, error) {
	if _, err := r.Get(account, cluster); err != nil {
		return nil, err
	}
	s := r.db.Snapshot()
	at, ok := associationIDs.Get(s, store.Key{account, cluster, id})
	if !ok {
		return nil, noAssociation(cluster, id)
	}
	a, ok := associations.Get(s, store.Key{account, cluster, at.Namespace, at.ServiceAccount})
	if !ok {
		return nil, noAssociation(cluster, id)
	}
	return a, nil
}

// Associations yields a cluster's associations in the order of namespace and service account.
func (r *Registry) Associations(account, cluster string) iter.Seq[*Association] {
	return values(associations, r.db.Snapshot(), store.Key{account, cluster})
}

// CreateAssociation makes an association; the caller has checked names and roles. With a request token that was used
// before, it returns what that request made; fault.Invalid where that request was another one.
func (r *Registry) CreateAssociation(ctx context.Context, a Association, token string) (*Association, error) {
	if err := checkTags(a.Tags); err != nil {
		return nil, err
	}
	id, err := newID(r.rand, 17)
	if err != nil {
		return nil, err
	}
	a.Region, a.ID, a.CreatedAt = r.region, "a-"+id, r.instant()
	a.ModifiedAt = a.CreatedAt
	made := &a
	err = r.inCluster(ctx, a.Account, a.Cluster, func(tx *store.Tx) error {
		made = &a
		if token != "" {
			used, ok, err := requestTokens.Read(tx, store.Key{a.Account, token})
			if err != nil {
				return err
			}
			if ok {
				made = &used.Request
				return a.repeats(used)
			}
		}
		old, ok, err := associations.Read(tx, a.key())
		if err != nil {
			return err
		}
		if ok {
			return existing(old.ID).With("clusterName", a.Cluster)
		}
		if err := r.roomFor(a.Account, a.Cluster); err != nil {
			return err
		}
		if token != "" {
			if err := requestTokens.CreateTTL(tx, store.Key{a.Account, token}, &requestToken{Cluster: a.Cluster, Request: a}, tokenLife); err != nil {
				return err
			}
		}
		return errors.Join(
			associations.Create(tx, a.key(), &a),
			associationIDs.Create(tx, a.idKey(), &associationID{Namespace: a.Namespace, ServiceAccount: a.ServiceAccount}))
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// repeats tells whether a request is the one that a token stands for.
func (a *Association) repeats(used *requestToken) error {
	b := used.Request
	if a.Cluster == used.Cluster && a.Namespace == b.Namespace && a.ServiceAccount == b.ServiceAccount && a.RoleARN == b.RoleARN &&
		a.TargetRoleARN == b.TargetRoleARN && a.Policy == b.Policy && a.DisableSessionTags == b.DisableSessionTags {
		return nil
	}
	return invalid("The client request token was used before, for another association").With("clusterName", a.Cluster)
}

// roomFor holds the limit of associations. It counts the picture: two creations at the same moment may pass the limit by one,
// which is cheaper than reading thousands of records in every transaction.
func (r *Registry) roomFor(account, cluster string) error {
	n := 0
	for range r.Associations(account, cluster) {
		if n++; n >= r.maxAssociations {
			return fault.New(fault.Limit, "association", "The cluster %s has %d pod identity associations, which is the limit", cluster, n).
				With("clusterName", cluster)
		}
	}
	return nil
}

// UpdateAssociation changes an association; f must leave its names alone. What it leaves is checked again.
func (r *Registry) UpdateAssociation(ctx context.Context, account, cluster, id string, f func(*Association) error) (*Association, error) {
	return r.changeAssociation(ctx, account, cluster, id, func(tx *store.Tx, a *Association) error {
		if err := f(a); err != nil {
			return err
		}
		if err := a.CheckRoles(); err != nil {
			return err
		}
		a.ModifiedAt = r.instant()
		associations.Put(tx, a.key(), a)
		return nil
	})
}

// DeleteAssociation removes an association and returns it as it was. Sessions that it gave last until their end.
func (r *Registry) DeleteAssociation(ctx context.Context, account, cluster, id string) (*Association, error) {
	return r.changeAssociation(ctx, account, cluster, id, func(tx *store.Tx, a *Association) error {
		associations.Delete(tx, a.key())
		associationIDs.Delete(tx, a.idKey())
		return nil
	})
}

func (r *Registry) changeAssociation(ctx context.Context, account, cluster, id string, f func(*store.Tx, *Association) error) (*Association, error) {
	var changed *Association
	err := r.inCluster(ctx, account, cluster, func(tx *store.Tx) error {
		at, ok, err := associationIDs.Read(tx, store.Key{account, cluster, id})
		if err != nil {
			return err
		}
		if !ok {
			return noAssociation(cluster, id)
		}
		a, ok, err := associations.Read(tx, store.Key{account, cluster, at.Namespace, at.ServiceAccount})
		if err != nil {
			return err
		}
		if !ok {
			return noAssociation(cluster, id)
		}
		changed = a
		return f(tx, a)
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// Tagged is something that has tags: its type and names, as its ARN spells them.
type Tagged struct {
	Account string
	Type    string // cluster, nodegroup, addon, podidentityassociation
	Cluster string
	Name    string // of the node group or add-on, id of the association; empty for a cluster
	ID      string // uuid of the node group or add-on
}

// ParseTagged reads the ARN of a taggable resource of this region.
func (r *Registry) ParseTagged(text string) (Tagged, error) {
	a, err := arn.Parse(text)
	parts := strings.Split(a.Resource, "/")
	want := map[string]int{"cluster": 2, "podidentityassociation": 3, "nodegroup": 4, "addon": 4}[parts[0]]
	if err != nil || a.Service != "eks" || a.Region != r.region || arn.CheckAccount(a.Account) != nil || len(parts) != want ||
		slices.Contains(parts, "") {
		return Tagged{}, fault.New(fault.Invalid, "tags", "%q is not the ARN of a resource that can be tagged", cut(text))
	}
	t := Tagged{Account: a.Account, Type: parts[0], Cluster: parts[1]}
	if len(parts) > 2 {
		t.Name = parts[2]
	}
	if len(parts) > 3 {
		t.ID = parts[3]
	}
	return t, nil
}
